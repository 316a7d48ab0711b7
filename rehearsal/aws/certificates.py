"""The certificate authorities of RDS, as DescribeCertificates lists them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from rehearsal.aws import errors
from rehearsal.aws.control import Control
from rehearsal.aws.registry import Params, Shape, action, page
from rehearsal.aws.versions import AUTHORITIES, DEFAULT_AUTHORITY

_SINCE = datetime(2021, 5, 25, tzinfo=UTC)


def find(name: str) -> str:
    """Return an authority's name, or raise CertificateNotFound."""
    if name not in AUTHORITIES:
        raise errors.RdsFault("CertificateNotFound", f"Certificate not found: {name}")
    return name


@action("DescribeCertificates")
def describe(control: Control, params: Params) -> Shape:
    """List the authorities; thumbprints are of their names, for the lab has none of AWS's keys."""
    name = params.get("CertificateIdentifier")
    names = [find(name)] if name else list(AUTHORITIES)
    rows: list[Shape] = [
        {
            "CertificateIdentifier": each,
            "CertificateType": "CA",
            "Thumbprint": hashlib.sha256(each.encode()).hexdigest()[:40],
            "ValidFrom": _SINCE,
            "ValidTill": AUTHORITIES[each],
            "CertificateArn": f"arn:aws:rds:{control.region}::cert:{each}",
            "CustomerOverride": False,
        }
        for each in names
    ]
    return {
        **page(params, "Certificates", rows),
        "DefaultCertificateForNewLaunches": DEFAULT_AUTHORITY,
    }
