"""Route 53: the record that applications follow, where the plan's endpoint method uses one."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.aws.call import Call
from runbook.aws.clients import Clients


@dataclass(frozen=True, slots=True)
class Record:
    """A resource record set."""

    name: str
    """With the closing dot, as Route 53 says it."""
    kind: str
    ttl_s: int | None
    values: tuple[str, ...]


class Route53:
    """Looks at one record at a time."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def record(self, zone: str, name: str, kind: str = "CNAME") -> Record | None:
        """Return a record of a hosted zone, or None."""
        wanted = name.rstrip(".").lower() + "."
        answer = await self._clients.read(
            "route53",
            "ListResourceRecordSets",
            {
                "HostedZoneId": zone,
                "StartRecordName": wanted,
                "StartRecordType": kind,
                "MaxItems": "1",
            },
        )
        for row in answer.get("ResourceRecordSets", ()):
            if row["Name"].lower() == wanted and row["Type"] == kind:
                values = tuple(item["Value"] for item in row.get("ResourceRecords", ()))
                return Record(row["Name"], row["Type"], row.get("TTL"), values)
        return None

    async def in_sync(self, change: str) -> bool:
        """Tell whether a change has reached all of Route 53's servers (not the clients' caches)."""
        answer = await self._clients.read("route53", "GetChange", {"Id": change})
        return str(answer["ChangeInfo"]["Status"]) == "INSYNC"


def upsert_cname_call(zone: str, name: str, value: str, *, ttl_s: int, comment: str) -> Call:
    """Return the call that leads a name to a host; repeating it changes nothing.

    Source: https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
    """
    record = {
        "Name": name,
        "Type": "CNAME",
        "TTL": ttl_s,
        "ResourceRecords": [{"Value": value}],
    }
    return Call(
        "route53",
        "ChangeResourceRecordSets",
        {
            "HostedZoneId": zone,
            "ChangeBatch": {
                "Comment": comment,
                "Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}],
            },
        },
    )
