"""Option groups: Aurora PostgreSQL has the default one of each major, and no options.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeOptionGroups.html
"""

from __future__ import annotations

from rehearsal.aws.control import Control
from rehearsal.aws.errors import RdsFault
from rehearsal.aws.parameters import FAMILIES
from rehearsal.aws.registry import Params, Shape, action, page
from rehearsal.aws.versions import ENGINE

_GROUPS = {
    f"default:{ENGINE}-{major}": major for major in (name.removeprefix(ENGINE) for name in FAMILIES)
}


def find(name: str) -> str:
    """Return an option group's name, or raise OptionGroupNotFoundFault."""
    if name not in _GROUPS:
        raise RdsFault("OptionGroupNotFoundFault", f"Specified OptionGroupName: {name} not found.")
    return name


@action("DescribeOptionGroups")
def describe(control: Control, params: Params) -> Shape:
    """List the default groups."""
    name = params.get("OptionGroupName")
    rows: list[Shape] = [
        {
            "OptionGroupName": each,
            "OptionGroupDescription": f"Default option group for {ENGINE} {major}",
            "EngineName": ENGINE,
            "MajorEngineVersion": major,
            "Options": [],
            "AllowsVpcAndNonVpcInstanceMemberships": True,
            "OptionGroupArn": f"arn:aws:rds:{control.region}:{control.account}:og:{each}",
        }
        for each, major in _GROUPS.items()
        if (find(name) if name else each) == each
        and params.get("EngineName") in (None, ENGINE)
        and params.get("MajorEngineVersion") in (None, major)
    ]
    return page(params, "OptionGroupsList", rows)
