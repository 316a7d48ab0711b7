"""CloudWatch Logs: what clusters have exported, which stays when they are deleted."""

from __future__ import annotations

from runbook.aws.clients import Clients

_PREFIX = "/aws/rds/cluster/"


class Logs:
    """Looks at the log groups of clusters.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.CloudWatch.html
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def groups(self, beginning: str) -> dict[str, str]:
        """Return log groups of clusters whose names begin so: group -> name of its cluster."""
        rows = await self._clients.pages(
            "logs",
            "DescribeLogGroups",
            "logGroups",
            {"logGroupNamePrefix": f"{_PREFIX}{beginning}"},
        )
        names = [str(row["logGroupName"]) for row in rows]
        return {name: name.removeprefix(_PREFIX).partition("/")[0] for name in names}
