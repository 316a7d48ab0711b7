"""A table that was made anew: what blue prime has of the former one is in the way of new rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.base.step import Gate, Risk, Watch, Wave
from runbook.failures import Finding
from runbook.postgres import existence
from runbook.postgres.comparison import row_copy
from runbook.postgres.schema_ddl import shown
from runbook.postgres.statement import Statement
from runbook.procedure.steps.shared.effects import SqlEffect, no, yes
from runbook.proofs import diverged
from runbook.proofs.diverged import Differing
from runbook.repair.catch_up import goes_on
from runbook.repair.contract import TableRepair
from runbook.repair.rows import StrayRow
from runbook.repair.schema import OWN_WRITES
from runbook.repair.stopping import stopped_by


@dataclass
class EmptyTable(TableRepair):
    """Delete every row that the subscriber has of a table that the publisher has made anew."""

    what: ClassVar[str] = "empty"
    risk = Risk.DESTRUCTIVE
    undo = "Copy its differing rows again: that brings every row that the publisher has of it."

    def __post_init__(self) -> None:
        super().__post_init__()
        self.shown = shown((self.schema, self.table))
        self.title = f"Empty {self.shown} in {self.database}: its rows are those of a former table"

    async def gates(self, context: RunContext) -> list[Gate]:
        sides = current_pair(context)
        return self.asking(
            f"Delete every row of {self.shown} in {self.database} on {sides.subscriber.value}.",
            f"{sides.publisher.value} has made the table anew. What it has of it now comes with "
            "the copy of the differing rows, which is offered beside this; until then the table "
            "counts as differing.",
            typed=self.table_name,
        )

    async def effects(self, context: RunContext) -> list[Wave]:
        table = Identifier(self.schema, self.table)

        async def probe(connection: AsyncConnection) -> Finding:
            there = await has_any(connection, self.schema, self.table)
            return no("it has rows") if there else yes("it is empty")

        subscriber = current_pair(context).subscriber
        effect = SqlEffect(
            context,
            subscriber,
            self.database,
            [*OWN_WRITES, Statement(SQL("DELETE FROM ONLY {}").format(table))],
            key=f"{subscriber.slug}/{self.key}",
            title=f"empty {self.shown} in {self.database} on {subscriber.value}",
            probe=probe,
            limit_s=context.plan.limits.repair_s,
        )
        return [[effect]]

    async def wanted(self, context: RunContext) -> bool:
        """Return whether its rows are those of the former table still."""
        return self.name in [each.name for each in diverged.former(context)]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        # What is there from now on is of the new table: it is compared, and not taken away again.
        now = Differing(*self.name, None, None, diverged.CHANGE)
        watch.evidence(
            f"{self.database}: {self.shown} has no row of the former table any more",
            key=diverged.FACT,
            value=diverged.as_json(diverged.merged(diverged.left(context), [now])),
        )
        if missing := await stopped_by(context, self.database):
            watch.evidence(
                f"apply in {self.database} stands still until this is repaired, too: {missing}"
            )
            return
        past = f"the rows of {self.shown}"
        await goes_on(context, watch, self.database, past, f"{self.shown} was emptied")


def instead_of(context: RunContext, row: StrayRow) -> EmptyTable | None:
    """Return what empties the table of a row in the way, if the publisher has made it anew."""
    for each in diverged.former(context):
        if each.name == (row.database, row.schema, row.table):
            return _empty(context, each, f"the apply worker of {row.database} fails: ")
    return None


async def of_former(context: RunContext, database: str) -> list[EmptyTable]:
    """Return what empties each table of a database that the publisher has made anew.

    It comes before any repair of the table's columns and before the copy of its rows: a row of the
    former table has no value in a new column, and no key where the new table has another one.
    """
    found = [each for each in diverged.former(context) if each.database == database]
    if not found:
        return []
    async with context.connect(current_pair(context).subscriber, database) as connection:
        return [
            _empty(context, each, "")
            for each in found
            if await has_any(connection, each.schema, each.table)
        ]


async def has_any(connection: AsyncConnection, schema: str, table: str) -> bool:
    """Return whether an ordinary table of that name is there and has a row."""
    if await row_copy.stored_columns(connection, schema, table) is None:
        return False
    return await existence.has_rows(connection, schema, table)


def _empty(context: RunContext, table: Differing, why: str) -> EmptyTable:
    sides = current_pair(context)
    why += f"{sides.publisher.value} has made {table.schema}.{table.table} anew, and "
    why += f"{sides.subscriber.value} still has rows of the former one"
    return EmptyTable(why, *table.name)
