"""The network around production, in moto's EC2: a VPC, subnet groups, security groups.

What a cluster is placed into is checked as AWS does: a subnet group or a security group that is not
there, or one of another VPC, refuses the call.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models import ec2_backends
from moto.rds.models import rds_backends

from rehearsal.aws import errors
from rehearsal.aws.control import Control
from rehearsal.aws.registry import Shape

DEFAULT_SUBNET_GROUP = "default"
"""The one of the Region's default VPC, in which a cluster lands whose request names none."""

_ZONES = "abc"


def found(control: Control, name: str) -> tuple[str, list[str]]:
    """Make a VPC for a cluster; return the names of its subnet group and its security groups.

    The first group lets itself in, as the clusters of a deployment and of a way back need it, and
    its applications; the second is theirs who operate it.
    """
    ec2 = ec2_backends[control.account][control.region]
    vpc = ec2.create_vpc("10.20.0.0/16")
    subnets = [
        ec2.create_subnet(
            vpc.id, f"10.20.{number}.0/24", availability_zone=f"{control.region}{zone}"
        )
        for number, zone in enumerate(_ZONES)
    ]
    groups = [
        ec2.create_security_group(f"{name}-{what}", about, vpc_id=vpc.id)
        for what, about in (
            ("database", f"Databases of {name}"),
            ("operations", f"Who operates {name}"),
            ("application", f"Applications of {name}"),
        )
    ]
    database, operations, application = (str(group.id) for group in groups)
    for source in (database, application):
        _let_in(control, database, source)
    _let_in(control, operations, operations)
    subnet_group = f"{name}-private".lower()
    rds_backends[control.account][control.region].create_subnet_group(
        subnet_group, f"Private subnets of {name}", subnets, []
    )
    return subnet_group, [database, operations]


def _let_in(control: Control, group: str, source: str) -> None:
    """Let a group in by TCP, at every port: an endpoint's differs from name to name in the lab."""
    ec2_backends[control.account][control.region].authorize_security_group_ingress(
        group, "tcp", "0", "65535", [], source_groups=[{"GroupId": source}]
    )


def subnet_group(control: Control, name: str) -> Any:
    """Return a subnet group by its name, or raise DBSubnetGroupNotFoundFault."""
    groups = rds_backends[control.account][control.region].subnet_groups
    name = name.lower()
    if name == DEFAULT_SUBNET_GROUP and name not in groups:
        ec2 = ec2_backends[control.account][control.region]
        subnets = ec2.describe_subnets(filters={"default-for-az": "true"})
        rds_backends[control.account][control.region].create_subnet_group(name, name, subnets, [])
    if name not in groups:
        raise errors.RdsFault(
            "DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist."
        )
    return groups[name]


def subnet_group_shape(control: Control, name: str) -> Shape:
    """Return a subnet group as AWS's `DBSubnetGroup`; of one that was deleted, its name."""
    group = rds_backends[control.account][control.region].subnet_groups.get(name)
    if group is None:
        return {"DBSubnetGroupName": name}
    return {
        "DBSubnetGroupName": name,
        "DBSubnetGroupDescription": group.description,
        "VpcId": group.vpc_id,
        "SubnetGroupStatus": "Complete",
        # moto adds a member that AWS dropped long ago.
        "Subnets": [
            {
                **subnet,
                "SubnetAvailabilityZone": {"Name": subnet["SubnetAvailabilityZone"]["Name"]},
            }
            for subnet in group.subnets
        ],
    }


def place(control: Control, subnets: str, wanted: list[str] | None) -> list[str]:
    """Return the security groups of a cluster in a subnet group; without any, the VPC's default.

    Raises `RdsFault` for a subnet group or security group that is not there, or of another VPC.
    """
    ec2 = ec2_backends[control.account][control.region]
    vpc = subnet_group(control, subnets).vpc_id
    known = {group.id: group for group in ec2.describe_security_groups()}
    if not wanted:
        return [
            group.id for group in known.values() if (group.vpc_id, group.name) == (vpc, "default")
        ]
    for each in wanted:
        if each not in known:
            raise errors.invalid_value(f"Invalid security group , groupId= {each}, groupName=.")
        if known[each].vpc_id != vpc:
            raise errors.invalid_combination(
                "The DB instance and EC2 security group are in different VPCs. The DB instance is "
                f"in {vpc} and the EC2 security group is in {known[each].vpc_id}"
            )
    return list(wanted)
