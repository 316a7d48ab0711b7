"""A row on blue prime that apply fails at: named, and deleted by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg import AsyncConnection

from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.base.step import Gate, Risk, Watch, Wave
from runbook.failures import Finding
from runbook.postgres import failing_transaction
from runbook.postgres.comparison.row_copy import quoted_table
from runbook.postgres.failing_transaction import Pending, Stray
from runbook.postgres.statement import quoted
from runbook.procedure.steps.shared.effects import SqlEffect, no, yes
from runbook.repair.catch_up import goes_on
from runbook.repair.contract import TableRepair
from runbook.repair.schema import OWN_WRITES


@dataclass
class StrayRow(TableRepair):
    """Delete one row of the subscriber that is in the way of what the publisher has written."""

    what: ClassVar[str] = "stray-row"
    risk = Risk.DESTRUCTIVE
    undo = "None: the row is gone; the one that could not come in takes its place."
    row_key: dict[str, str]
    version: str

    def __post_init__(self) -> None:
        self._row = Stray(self.schema, self.table, dict(self.row_key), self.version)
        self.named(quoted(self.database), quoted_table(self.schema, self.table), self.version)
        self.title = f"Delete the row in the way: {self.words}"

    @property
    def words(self) -> str:
        """The row, by the columns that it shares with the one that cannot come in."""
        key = ", ".join(f"{quoted(column)} = {value}" for column, value in self.row_key.items())
        return f"{self.table_name} in {self.database}, {key}"

    async def gates(self, context: RunContext) -> list[Gate]:
        sides = current_pair(context)
        publisher, subscriber = sides.publisher.value, sides.subscriber.value
        return self.asking(
            f"Take from {subscriber} the row {self.words}.",
            f"The row is gone. The row of the same key of {publisher} takes its place; what the "
            f"one of {subscriber} held was never on {publisher}.",
            typed=self.table_name,
        )

    async def effects(self, context: RunContext) -> list[Wave]:
        async def probe(connection: AsyncConnection) -> Finding:
            there = await failing_transaction.there(connection, self._row)
            return no("the row is there") if there else yes("that row is not there")

        subscriber = current_pair(context).subscriber
        effect = SqlEffect(
            context,
            subscriber,
            self.database,
            [*OWN_WRITES, failing_transaction.delete(self._row)],
            key=f"{subscriber.slug}/{self.key}",
            title=f"delete the row in the way on {subscriber.value}: {self.words}",
            probe=probe,
            # Without an index on its key the whole table is read.
            limit_s=context.plan.limits.repair_s,
        )
        return [[effect]]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        await goes_on(context, watch, self.database, "the row", "The row was deleted")


async def stray_row(context: RunContext, database: str, failing: Pending) -> StrayRow | None:
    """Return the row of the subscriber that is in the way of a transaction, or None."""
    subscriber = current_pair(context).subscriber
    async with context.connect(subscriber, database) as connection:
        row = await failing_transaction.stray(connection, failing.changes)
    if row is None:
        return None
    return StrayRow(
        why=f"the apply worker of {database} fails: a row that somebody wrote on "
        f"{subscriber.value} has the key of one that {current_pair(context).publisher.value} "
        "inserts",
        database=database,
        schema=row.schema,
        table=row.table,
        row_key=row.key,
        version=row.version,
    )
