"""An AWS API call as data: shown before it is made, and fit to be made by hand."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore import xform_name

_SECRETS = frozenset(
    {"MasterUserPassword", "SecretString", "SecretBinary", "TdeCredentialPassword"}
)
_MASK = "***"


@dataclass(frozen=True, slots=True)
class Call:
    """One API call: service `rds`, action `ModifyDBCluster`, parameters as boto3 takes them."""

    service: str
    action: str
    parameters: Mapping[str, Any]

    def text(self) -> str:
        """Return the call as a person reads it, one parameter a line, secrets masked."""
        lines = [f"{self.service}.{self.action}("]
        for name, value in self._shown():
            shown = json.dumps(value, ensure_ascii=False, default=str)
            if len(shown) > 80:
                shown = json.dumps(value, ensure_ascii=False, default=str, indent=2)
                shown = shown.replace("\n", "\n  ")
            lines.append(f"  {name}={shown},")
        return "\n".join([*lines, ")"]) if len(lines) > 1 else f"{lines[0]})"

    def cli(self, region: str = "") -> str:
        """Return the same call as a line for the AWS CLI, quoted for a shell, secrets masked."""
        words = ["aws", self.service, xform_name(self.action, "-")]
        if region:
            words += ["--region", region]
        for name, value in self._shown():
            words += _option(xform_name(name, "-"), value)
        return shlex.join(words)

    def _shown(self) -> list[tuple[str, Any]]:
        return [
            (name, _MASK if name in _SECRETS else value) for name, value in self.parameters.items()
        ]


def _option(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    if isinstance(value, list | tuple) and all(isinstance(item, str | int) for item in value):
        return [f"--{name}", *(str(item) for item in value)]
    if isinstance(value, Mapping | list | tuple):
        return [f"--{name}", json.dumps(value, ensure_ascii=False, default=str)]
    return [f"--{name}", str(value)]
