"""A table without a key on the cluster that serves: what lets its UPDATE and DELETE pass again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg import AsyncConnection

from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.base.step import Gate, Watch, Wave
from runbook.failures import Answer, Finding, StepFailed
from runbook.postgres import catalog, fix_sql
from runbook.postgres.catalog import TableWithoutIdentity
from runbook.postgres.fix import Fix, FixKind
from runbook.procedure.steps.shared.effects import SqlEffect, no, yes
from runbook.repair.contract import TableRepair


@dataclass
class Identify(TableRepair):
    """Give one table of the publisher a replica identity: an index, or all of its columns."""

    what: ClassVar[str] = "identity"
    undo = "ALTER TABLE … REPLICA IDENTITY DEFAULT."
    index: str
    """Empty: all columns."""

    def __post_init__(self) -> None:
        super().__post_init__()
        names = (self.schema, self.table)
        self._fix = (
            Fix(FixKind.IDENTITY_INDEX, self.database, (*names, self.index))
            if self.index
            else Fix(FixKind.IDENTITY_FULL, self.database, names)
        )
        self.title = fix_sql.title(self._fix)

    async def gates(self, context: RunContext) -> list[Gate]:
        costs = (
            "Nothing of it changes but how its rows are told apart."
            if self.index
            else "Each UPDATE and DELETE then writes the whole row to the WAL, and is found on the "
            "other side by reading the table: slow, where it is large and much is changed."
        )
        return self.asking(
            f"{self.title} on {current_pair(context).publisher.value}, which serves.", costs
        )

    async def effects(self, context: RunContext) -> list[Wave]:
        return [[self._effect(context)]]

    def _effect(self, context: RunContext) -> SqlEffect:
        async def probe(connection: AsyncConnection) -> Finding:
            standing = await fix_sql.standing(connection, self._fix)
            return no(standing) if standing else yes("it is so")

        publisher = current_pair(context).publisher
        return SqlEffect(
            context,
            publisher,
            self.database,
            fix_sql.statements(self._fix),
            key=f"{publisher.slug}/{self.key}",
            title=f"{self.title} of {publisher.value}",
            probe=probe,
        )

    async def verify(self, context: RunContext, watch: Watch) -> None:
        finding = await self._effect(context).probe()
        if finding.answer is not Answer.YES:
            raise StepFailed(
                f"{self.title} was asked for, and {finding.seen}.",
                now=(
                    "UPDATE and DELETE on it still fail on "
                    f"{current_pair(context).publisher.value}."
                ),
                todo="Look at the table there, then try again.",
            )
        watch.evidence(f"done on {current_pair(context).publisher.value}: {self.title}")


async def keyless(context: RunContext, database: str) -> list[TableWithoutIdentity]:
    """Return the tables of the publisher on which UPDATE and DELETE fail."""
    async with context.connect(current_pair(context).publisher, database) as connection:
        return await catalog.tables_without_identity(connection)


def identify(context: RunContext, database: str, table: TableWithoutIdentity) -> Identify | None:
    """Return what can be done for such a table, or None where only a key of its own helps."""
    if not (table.index or table.full_possible):
        return None
    why = (
        f"UPDATE and DELETE on it fail on {current_pair(context).publisher.value}, which serves: "
        f"{table.reason}. Best is a key of its own, by hand there: ALTER TABLE {table} ADD PRIMARY "
        "KEY (…);"
    )
    return Identify(why, database, table.schema, table.name, table.index or "")


def by_key(table: TableWithoutIdentity) -> str:
    """Return what a person can do where no other identity is possible."""
    own = "" if table.deferrable else f"ALTER TABLE {table} ADD PRIMARY KEY (…); or one that is "
    return (
        f"Give it a key of its own: {own}{'made up: ' if own else ''}{table.own_key} (rewrites the "
        "table under a lock). REPLICA IDENTITY FULL does not help: a column of it has no equality, "
        "or is generated."
    )
