"""Whether blue prime will reach new blue: by blue's security groups, which both will have."""

from __future__ import annotations

from typing import Any

import pytest

from runbook.aws.errors import AccessDenied
from runbook.aws.network import Network
from runbook.preflight.checks import network
from runbook.preflight.result import Level
from tests.preflight.conftest import Site


def _close(site: Site) -> list[str]:
    """Take every ingress rule from blue's groups; return their ids."""
    ec2, groups = site.lab.client("ec2"), site.lab.control.clusters[0].security_groups
    for row in ec2.describe_security_groups(GroupIds=groups)["SecurityGroups"]:
        if row["IpPermissions"]:
            ec2.revoke_security_group_ingress(
                GroupId=row["GroupId"], IpPermissions=row["IpPermissions"]
            )
    return groups


async def test_groups_that_do_not_let_each_other_in_block_until_they_do(site: Site) -> None:
    check, ec2 = network.security_groups, site.lab.client("ec2")
    await site.quiet(check)
    first, *_ = _close(site)
    port = site.lab.control.clusters[0].port
    result = await site.fires(check, Level.BLOCK, "orders")
    assert result.remedy == (
        f"aws ec2 authorize-security-group-ingress --group-id {first} --protocol tcp "
        f"--port {port} --source-group {first}"
    )
    rule: dict[str, Any] = {"IpProtocol": "tcp", "UserIdGroupPairs": [{"GroupId": first}]}
    other = rule | {"FromPort": port + 1, "ToPort": port + 1}
    ec2.authorize_security_group_ingress(GroupId=first, IpPermissions=[other])
    await site.fires(check, Level.BLOCK, "orders")
    mended = rule | {"FromPort": port, "ToPort": port}
    ec2.authorize_security_group_ingress(GroupId=first, IpPermissions=[mended])
    await site.quiet(check)


async def test_addresses_alone_prove_nothing_and_a_denied_look_is_unknown(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, ec2 = network.security_groups, site.lab.client("ec2")
    first, *_ = _close(site)
    rule: dict[str, Any] = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.9.0.0/16"}]}
    ec2.authorize_security_group_ingress(GroupId=first, IpPermissions=[rule])
    assert "10.9.0.0/16" in (await site.fires(check, Level.WARN, "orders")).text

    async def denied(*_: object) -> Any:
        raise AccessDenied("AccessDenied", "not allowed", action="ec2:DescribeSecurityGroups")

    monkeypatch.setattr(Network, "let_in", denied)
    result = await site.fires(check, Level.UNKNOWN, "orders")
    assert "ec2:DescribeSecurityGroups" in result.text
