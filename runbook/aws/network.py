"""Security groups: who may reach a cluster's port."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runbook.aws.clients import Clients

_EVERYWHERE = frozenset({"0.0.0.0/0", "::/0"})


@dataclass(frozen=True, slots=True)
class LetIn:
    """Whom security groups let in on a port."""

    groups: frozenset[str]
    """Ids of security groups."""
    ranges: frozenset[str]
    """CIDR blocks, and ids of prefix lists."""

    @property
    def everybody(self) -> bool:
        """Whether any address is let in."""
        return bool(self.ranges & _EVERYWHERE)


class Network:
    """Looks at security groups.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def let_in(self, group_ids: Sequence[str], port: int) -> LetIn:
        """Return whom these groups let in by TCP on a port."""
        rows = await self._clients.pages(
            "ec2", "DescribeSecurityGroups", "SecurityGroups", {"GroupIds": list(group_ids)}
        )
        rules = [
            rule
            for row in rows
            for rule in row.get("IpPermissions", ())
            if rule.get("IpProtocol") == "-1"
            or (
                rule.get("IpProtocol") in ("tcp", "6")
                and rule.get("FromPort", 0) <= port <= rule.get("ToPort", 65535)
            )
        ]
        return LetIn(
            frozenset(
                str(pair.get("GroupId")) for r in rules for pair in r.get("UserIdGroupPairs", ())
            ),
            frozenset(
                str(row[name])
                for r in rules
                for kind, name in (
                    ("IpRanges", "CidrIp"),
                    ("Ipv6Ranges", "CidrIpv6"),
                    ("PrefixListIds", "PrefixListId"),
                )
                for row in r.get(kind, ())
            ),
        )
