"""Tables of the publisher that have no usable replica identity.

The publication is for all tables, so one that is made while it stands is in it at once: without a
key its UPDATE and DELETE fail there, on production
(https://www.postgresql.org/docs/current/logical-replication-publication.html).
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from runbook.base.alert import Alert, Cause, ProbeResult
from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.postgres import catalog
from runbook.watch.probes.schemas import REST


class KeysProbe:
    """Looks at every captured database of the publisher."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self.rest_s = 0.0
        """The pause that the last look asks for."""

    async def look(self, databases: Sequence[str]) -> ProbeResult:
        """Return the tables on which UPDATE and DELETE fail, as alarms that break no way back."""
        publisher, now = current_pair(self._context).publisher, self._context.now()
        alarms: list[Alert] = []
        took_s = 0.0
        for database in databases:
            async with self._context.connect(publisher, database) as connection:
                began = monotonic()
                found = await catalog.tables_without_identity(connection)
                took_s += monotonic() - began
            alarms += [
                Alert(
                    Cause.IDENTITY,
                    database,
                    f"table {table}",
                    f"UPDATE and DELETE fail on {table} in {database} of {publisher.value}: "
                    f"{table.reason}",
                    False,
                    now,
                )
                for table in found
            ]
        self.rest_s = REST * took_s
        return ProbeResult(now, tuple(alarms), "")
