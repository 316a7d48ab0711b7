"""A table that was made anew: what blue prime has of the former one is in the way of new rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from runbook import differing, remade
from runbook.postgres import replication
from runbook.postgres.parts import shown
from runbook.postgres.statement import Statement
from runbook.remedies.catching_up import caught_up
from runbook.remedies.remedy import Remedy, of_database
from runbook.remedies.schema import WRITABLE
from runbook.remedies.stray import APPLIED_S, StrayRow
from runbook.sides import held
from runbook.step import Finding, Gate, Risk, StepFailed, Watch, Wave
from runbook.steps.effects import SqlEffect, no, yes
from runbook.world import World


@dataclass
class EmptyTable(Remedy):
    """Delete every row that the subscriber has of a table that the publisher has made anew."""

    what: ClassVar[str] = "empty"
    risk = Risk.DESTRUCTIVE
    undo = "Copy its differing rows again: that brings every row that the publisher has of it."
    database: str
    schema: str
    table: str

    def __post_init__(self) -> None:
        self.named(of_database(self.database, self.schema, self.table))
        self.name = shown((self.schema, self.table))
        self.title = f"Empty {self.name} in {self.database}: its rows are those of a former table"

    async def gates(self, world: World) -> list[Gate]:
        publisher, subscriber = held(world).publisher.value, held(world).subscriber.value
        return [
            Gate(
                key=self.key,
                question=f"Delete every row of {self.name} in {self.database} on {subscriber}.",
                reversible=f"{publisher} has made the table anew. What it has of it now comes with "
                "the copy of the differing rows, which is offered beside this; until then the "
                "table counts as differing.",
                must_type=f"{self.schema}.{self.table}",
                valid_s=0.0,
            )
        ]

    async def effects(self, world: World) -> list[Wave]:
        table = Identifier(self.schema, self.table)

        async def probe(connection: AsyncConnection) -> Finding:
            query = SQL("SELECT EXISTS (SELECT FROM ONLY {})").format(table)
            row = await (await connection.execute(query)).fetchone()
            return no("it has rows") if row == (True,) else yes("it is empty")

        subscriber = held(world).subscriber
        effect = SqlEffect(
            world,
            subscriber,
            self.database,
            [
                WRITABLE,
                replication.own_mark(),
                # Neither triggers nor foreign keys of other tables.
                Statement(SQL("SET LOCAL session_replication_role = replica")),
                Statement(SQL("DELETE FROM ONLY {}").format(table)),
            ],
            key=f"{subscriber.slug}/{self.key}",
            title=f"empty {self.name} in {self.database} on {subscriber.value}",
            probe=probe,
            limit_s=world.plan.limits.mend_s,
        )
        return [[effect]]

    async def verify(self, world: World, watch: Watch) -> None:
        if await caught_up(world, held(world), self.database, limit_s=APPLIED_S):
            watch.evidence(f"{self.database}: apply has gone on with {self.name}")
            return
        raise StepFailed(
            f"{self.name} was emptied, and apply in {self.database} has not caught up within "
            f"{APPLIED_S:.0f} s.",
            now="The slot keeps every write.",
            todo="Look at the remedies again: what apply stands at is named there.",
        )


def instead_of(world: World, row: StrayRow) -> EmptyTable | None:
    """Return what empties the table of a row in the way, if the publisher has made it anew."""
    late = [each for each in differing.left(world) if each.found_by == differing.CHANGE]
    name = (row.database, row.schema, row.table)
    if name not in [each.name for each in late] or not remade.other(world, *name):
        return None
    publisher, subscriber = held(world).publisher.value, held(world).subscriber.value
    return EmptyTable(
        why=f"the apply worker of {row.database} fails: {publisher} has made {row.schema}."
        f"{row.table} anew, and {subscriber} still has rows of the former one",
        database=row.database,
        schema=row.schema,
        table=row.table,
    )
