"""AWS's partitions: the commercial one, GovCloud, China and the rest, as botocore knows them."""

from __future__ import annotations

from functools import cache

import boto3
from botocore.exceptions import UnknownRegionError

COMMERCIAL = "aws"

_BUNDLES = {
    "aws": "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem",
    "aws-us-gov": "https://truststore.pki.us-gov-west-1.rds.amazonaws.com/global/global-bundle.pem",
    "aws-cn": "https://rds-truststore.s3.cn-north-1.amazonaws.com.cn/global/global-bundle.pem",
}
"""Where each partition's certificates are.

Sources: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.SSL.html,
https://docs.amazonaws.cn/en_us/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.SSL.html
"""

_SUFFIXES = (
    *(".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu"),
    *(".c2s.ic.gov", ".sc2s.sgov.gov", ".cloud.adc-e.uk", ".csp.hci.ic.gov"),
)
"""The ends of AWS's host names, partition by partition, as botocore's `endpoints.json` has them."""


@cache
def partition_of(region: str) -> str:
    """Return the partition of a Region, e.g. `aws-us-gov`; of one nobody knows, the commercial."""
    try:
        return str(boto3.Session().get_partition_for_region(region))
    except UnknownRegionError:
        return COMMERCIAL


@cache
def regions() -> tuple[str, ...]:
    """Return the Regions of every partition that has RDS, by name."""
    session = boto3.Session()
    partitions = session.get_available_partitions()
    return tuple(
        region
        for each in partitions
        for region in session.get_available_regions("rds", partition_name=each)
    )


def ca_bundle(region: str) -> str:
    """Return where the certificates are that sign the endpoints of a Region."""
    partition = partition_of(region)
    return _BUNDLES.get(partition, f"the RDS certificate bundle of the partition {partition}")


def of_amazon(host: str) -> bool:
    """Tell whether a host bears a name of AWS's own, of whatever partition."""
    return host.rstrip(".").endswith(_SUFFIXES)
