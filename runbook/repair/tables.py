"""New tables: made on blue prime first, then taken in with their rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from runbook import amounts
from runbook.base.context import RunContext
from runbook.base.pair import current_pair, publication_name
from runbook.base.roles import Role
from runbook.base.step import Gate, Watch, Wave
from runbook.failures import Finding, StepFailed
from runbook.postgres import existence, replication, schema_changes
from runbook.postgres.comparison.row_copy import quoted_table
from runbook.postgres.schema_ddl import Name, Parts, shown
from runbook.postgres.statement import Statement, literal, quoted
from runbook.procedure.steps.shared.effects import SqlEffect, no, yes
from runbook.proofs import recreated_tables
from runbook.repair.contract import SERVES_NOBODY, Repair
from runbook.repair.grant_read import may_read
from runbook.repair.recompare import compare_later, compare_rows
from runbook.repair.schema import OWN_WRITES, PartsEffect
from runbook.repair.stopping import SOON_S, both, stopped_by

ERRORS = 3
"""So many failed copies during one wait are the same failure."""


@dataclass
class NewTables(Repair):
    """Take in the tables of one database that the subscriber does not receive.

    `missing` are to be made there, `filled` have rows there, which are emptied before the copy;
    each as schema and name. A refresh takes in all of a database's at once.
    """

    what: ClassVar[str] = "new-tables"
    database: str
    missing: list[list[str]]
    filled: list[list[str]]
    taken: list[list[str]]
    """All that are taken in, these two among them."""

    def __post_init__(self) -> None:
        self.named(quoted(self.database), *(shown(table) for table in self.taken))
        names = ", ".join(shown(table) for table in self.taken)
        self.title = f"Take in {names} of {self.database}"
        self.undo = f"{SERVES_NOBODY} What it grants on the other one ends with the slots."

    async def gates(self, context: RunContext) -> list[Gate]:
        sides = current_pair(context)
        publisher, subscriber = sides.publisher.value, sides.subscriber.value
        return [
            Gate(
                key=f"{self.key}/{shown(table)}",
                question=f"Empty {shown(table)} in {self.database} on {subscriber}, and copy it.",
                reversible=f"What {subscriber} has of it is replaced by all that {publisher} has.",
                must_type=".".join(table),
                valid_s=0.0,
            )
            for table in self.filled
        ]

    async def effects(self, context: RunContext) -> list[Wave]:
        waves: list[Wave] = [[may_read(context)]]
        if self.missing:
            waves.append([await self._making(context)])
        if self.filled:
            waves.append([self._emptying(context, (table[0], table[1])) for table in self.filled])
        waves.append([refreshing(context, self.database, [(s, t) for s, t in self.taken])])
        return waves

    async def _making(self, context: RunContext) -> PartsEffect:
        ours, theirs = await both(context, self.database)
        found = schema_changes.new_tables(ours, theirs)
        missing = {(table[0], table[1]) for table in self.missing}
        if strange := set(found.names) - missing:
            raise StepFailed(
                f"{', '.join(map(shown, sorted(strange)))} came to "
                f"{current_pair(context).publisher.value} meanwhile.",
                now="Nothing was changed.",
                todo="Look at the repairs again: they are taken in together.",
            )
        subscriber = current_pair(context).subscriber

        def left(ours: Parts, theirs: Parts) -> str:
            names = [shown(table) for table in sorted(missing) if table not in theirs.tables]
            return f"{subscriber.value} has no {', '.join(names)}" if names else ""

        return PartsEffect(
            context,
            self.database,
            found.statements,
            key=f"{subscriber.slug}/{self.key}/make",
            title=f"make {', '.join(shown(t) for t in self.missing)} on {subscriber.value}",
            left=left,
        )

    def _emptying(self, context: RunContext, table: Name) -> SqlEffect:
        name = publication_name(context)
        subscriber = current_pair(context).subscriber

        async def probe(connection: AsyncConnection) -> Finding:
            taken = await replication.subscribed_tables(connection, name)
            if any((each.schema, each.name) == table for each in taken):
                return yes("it is taken in already")
            filled = await existence.has_rows(connection, *table)
            return no("it has rows") if filled else yes("it is empty")

        # What is taken in already holds the copied rows: those are never deleted.
        delete = SQL(
            "DELETE FROM ONLY {} WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_subscription_rel "
            "WHERE srrelid = pg_catalog.to_regclass({}))"
        ).format(Identifier(*table), literal(quoted_sql(table)))
        return SqlEffect(
            context,
            subscriber,
            self.database,
            [*OWN_WRITES, Statement(delete)],
            key=f"{subscriber.slug}/{self.key}/empty/{shown(table)}",
            title=f"empty {shown(table)} in {self.database} on {subscriber.value}",
            probe=probe,
            limit_s=context.plan.limits.repair_s,
        )

    async def verify(self, context: RunContext, watch: Watch) -> None:
        taken = [(schema, table) for schema, table in self.taken]
        await recreated_tables.keep(context, watch, self.database, taken)
        if missing := await await_ready(context, watch, self.database):
            compare_later(context, watch, self.database, taken, missing)
            return
        for schema, table in taken:
            await compare_rows(context, watch, self.database, schema, table)


def quoted_sql(table: Name) -> str:
    """Return a name as `to_regclass` reads it."""
    return Identifier(*table).as_string(None)


def refreshing(context: RunContext, database: str, tables: list[Name]) -> SqlEffect:
    """Return what takes in all tables that the publication has gained, with their rows."""
    name, subscriber = publication_name(context), current_pair(context).subscriber

    async def probe(connection: AsyncConnection) -> Finding:
        found = await replication.subscribed_tables(connection, name)
        taken = {(each.schema, each.name) for each in found}
        left = [quoted_table(*table) for table in tables if table not in taken]
        return no(f"not taken in: {', '.join(left)}") if left else yes("they are taken in")

    return SqlEffect(
        context,
        subscriber,
        database,
        [replication.refresh_publication(name, copy_data=True)],
        key=f"{subscriber.slug}/{quoted(database)}/refresh/" + ",".join(map(shown, tables)),
        title=f"take in {', '.join(map(shown, tables))} on {subscriber.value}, with their rows",
        probe=probe,
        transaction=False,
    )


async def not_taken_in(context: RunContext, database: str) -> list[Name]:
    """Return the tables that the publisher publishes and the subscriber does not receive."""
    name, sides = publication_name(context), current_pair(context)
    async with context.connect(sides.publisher, database) as connection:
        published = await replication.published(connection, name)
    async with context.connect(sides.subscriber, database) as connection:
        if await replication.subscription(connection, name) is None:
            return []
        found = await replication.subscribed_tables(connection, name)
    taken = {(each.schema, each.name) for each in found}
    return [table for table in published if table not in taken]


async def has_rows(context: RunContext, role: Role, database: str, table: Name) -> bool:
    """Return whether a table has any row."""
    async with context.connect(role, database) as connection:
        return await existence.has_rows(connection, *table)


async def await_ready(context: RunContext, watch: Watch, database: str) -> str:
    """Wait until every table of a database is copied and goes with the others.

    Return what is in the way of that, and is to be repaired first, or nothing.

    Raises `StepFailed` where a copy fails over and over.
    """
    name, subscriber = publication_name(context), current_pair(context).subscriber
    limits = context.plan.limits
    counted: int | None = None
    missing, ask_after_s = "", SOON_S
    what = f"the rows of {database} to be copied"
    async for waited in watch.until(limits.subscribe_s, every_s=limits.fast_poll_s, what=what):
        async with context.connect(subscriber, database) as connection:
            found = await replication.subscribed_tables(connection, name)
            failed = await replication.copy_errors(connection, name)
        waiting = [quoted_table(t.schema, t.name) for t in found if t.state != "r"]
        if not waiting:
            tables = amounts.counted(len(found), "table is", "tables are")
            watch.evidence(f"{database}: {tables} taken in and ready")
            break
        if waited > ask_after_s:
            ask_after_s = 2 * waited
            if missing := await stopped_by(context, database):
                break
        counted = failed if counted is None else counted
        if failed - counted >= ERRORS:
            raise StepFailed(
                f"The copy of {', '.join(waiting[:3])} in {database} fails over and over: "
                f"{amounts.counted(failed - counted, 'error')} during this wait.",
                now=f"{subscriber.value} does not receive these tables yet.",
                todo=f"The reason stands in the log of {subscriber.value}. Fix it, then try again "
                "to go on waiting.",
            )
        watch.progress(
            f"{database}: {len(waiting)} of {len(found)} tables are copied: {waiting[0]}",
            1 - len(waiting) / len(found),
        )
    return missing
