"""The engine versions that the lab knows: those it has servers for, and some to be refused.

A version without a server behind it is listed as AWS lists it, so that tools see a plausible
catalogue; creating a deployment to it fails as unavailable capacity does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

ENGINE = "aurora-postgresql"

_OTHER_MINORS = ("14.9", "15.10", "16.4", "16.8", "16.13", "17.4", "17.7", "17.9", "18.1")

_BLUE_GREEN_SINCE = {11: 21, 12: 16, 13: 12, 14: 9, 15: 4, 16: 1, 17: 4, 18: 3}
"""The first minor of each major that may be the source or target of a blue/green deployment."""


DEFAULT_AUTHORITY = "rds-ca-rsa2048-g1"

AUTHORITIES = {
    DEFAULT_AUTHORITY: datetime(2061, 5, 25, tzinfo=UTC),
    "rds-ca-rsa4096-g1": datetime(2121, 5, 25, tzinfo=UTC),
    "rds-ca-ecc384-g1": datetime(2121, 5, 25, tzinfo=UTC),
}
"""The certificate authorities of RDS, and until when each is valid. Source:
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.SSL.html"""


def split(version: str) -> tuple[int, int]:
    """Return major and minor of a version such as `16.14`."""
    major, _, minor = version.partition(".")
    return int(major), int(minor or 0)


def family(version: str) -> str:
    """Return the parameter group family of a version."""
    return f"{ENGINE}{split(version)[0]}"


def supports_blue_green(version: str) -> bool:
    """Tell whether AWS accepts the version in a blue/green deployment."""
    major, minor = split(version)
    since = _BLUE_GREEN_SINCE.get(major)
    return since is not None and minor >= since


@dataclass(frozen=True)
class Catalogue:
    """The versions of one lab; `served` are those with PostgreSQL servers behind them."""

    served: tuple[str, ...]

    @property
    def versions(self) -> tuple[str, ...]:
        """Every version, oldest first."""
        return tuple(sorted({*self.served, *_OTHER_MINORS}, key=split))

    def upgrade_targets(self, version: str) -> list[str]:
        """Return the versions that a cluster of `version` can be upgraded to, oldest first."""
        return [other for other in self.versions if split(other) > split(version)]

    def shape(self, version: str) -> dict[str, Any]:
        """Return a version as AWS's `DBEngineVersion`."""
        major = split(version)[0]
        description = f"Aurora PostgreSQL (Compatible with PostgreSQL {version})"
        return {
            "Engine": ENGINE,
            "MajorEngineVersion": str(major),
            "EngineVersion": version,
            "DBParameterGroupFamily": family(version),
            "DBEngineDescription": "Aurora (PostgreSQL)",
            "DBEngineVersionDescription": description,
            "ValidUpgradeTarget": [
                {
                    "Engine": ENGINE,
                    "EngineVersion": target,
                    "Description": f"Aurora PostgreSQL (Compatible with PostgreSQL {target})",
                    "AutoUpgrade": False,
                    "IsMajorVersionUpgrade": split(target)[0] > major,
                    "SupportedEngineModes": ["provisioned"],
                    "SupportsParallelQuery": False,
                    "SupportsGlobalDatabases": True,
                    "SupportsBabelfish": major >= 15,
                    "SupportsLimitlessDatabase": False,
                    "SupportsLocalWriteForwarding": True,
                    "SupportsIntegrations": False,
                }
                for target in self.upgrade_targets(version)
            ],
            "ExportableLogTypes": ["postgresql"],
            "SupportsLogExportsToCloudwatchLogs": True,
            "SupportsReadReplica": False,
            "SupportedEngineModes": ["provisioned"],
            "SupportedFeatureNames": ["s3Import", "s3Export", "Lambda"],
            "Status": "available",
            "SupportsParallelQuery": False,
            "SupportsGlobalDatabases": True,
            "SupportsBabelfish": major >= 15,
            "SupportsLimitlessDatabase": False,
            "SupportsCertificateRotationWithoutRestart": True,
            "SupportedCACertificateIdentifiers": list(AUTHORITIES),
        }
