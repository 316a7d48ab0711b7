"""What tells a table's rows apart for replication: its replica identity, and what it costs."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runbook.amounts import counted, sized
from runbook.postgres import catalog, preflight_queries
from runbook.postgres.fix import Fix, FixKind
from runbook.postgres.statement import quoted
from runbook.preflight.check import check
from runbook.preflight.result import Result, block, warn
from runbook.preflight.rows import check_rows, each
from runbook.preflight.survey import Survey

_MANY_ROWS = 10_000
"""A table of fewer rows is read in a few milliseconds."""

_FULL_BY_INDEX_SINCE = 16
"""From this major on apply finds a row of a table with REPLICA IDENTITY FULL by any btree index
(PostgreSQL's release notes of 16)."""

_REFUSES_UNPUBLISHED_IDENTITY = 18
"""From this major on a publisher refuses UPDATE and DELETE where a generated column that is not
published belongs to REPLICA IDENTITY FULL (tried on 18)."""


@check_rows(
    "schema.identity",
    catalog.tables_without_identity,
    none="every table has a usable replica identity",
    why="Once it is published, UPDATE and DELETE on such a table fail on the publisher, which is "
    "production; INSERT works, so it shows late.",
    waivable=True,
)
def identity(database: str, table: catalog.TableWithoutIdentity) -> Result:
    """A table has no usable replica identity, mostly for want of a primary key."""
    writes = counted(table.writes, "update or delete", "updates and deletes")
    return block(
        f"{database}/{table.schema}.{table.name}",
        f"{table.reason}; {writes} so far, {_size(table.rows, table.size_bytes)}.",
        _identify(database, table),
        fix=_fix(database, table),
        # A publication for all tables cannot leave one out; one that only grows needs none.
        survives=""
        if table.writes
        else "UPDATE and DELETE on it fail, on production too, until the run has ended",
    )


def _size(rows: int | None, size_bytes: int | None) -> str:
    """Say how large a table is, as far as somebody has counted."""
    if rows is None:
        return "an unknown number of rows (never vacuumed or analyzed)"
    return f"about {counted(rows, 'row')}, " + (
        "size unknown (never vacuumed or analyzed)" if size_bytes is None else sized(size_bytes)
    )


def _fix(database: str, table: catalog.TableWithoutIdentity) -> Fix | None:
    names = (table.schema, table.name)
    if table.index:
        return Fix(FixKind.IDENTITY_INDEX, database, (*names, table.index))
    return Fix(FixKind.IDENTITY_FULL, database, names) if table.full_possible else None


def _identify(database: str, table: catalog.TableWithoutIdentity) -> str:
    """Return the SQL that gives a table an identity, the best way first."""
    where = f"In database {database}: "
    if table.index:
        return f"{where}ALTER TABLE {table} REPLICA IDENTITY USING INDEX {quoted(table.index)};"
    by_key = f"{table.own_key} (rewrites the table under a lock)"
    if not table.deferrable:
        by_key += ", or a primary key of columns that it has"
    if not table.full_possible:
        return (
            f"{where}{by_key}. REPLICA IDENTITY FULL would not do: it has a generated column, or "
            "one of a type without equality."
        )
    full = f"ALTER TABLE {table} REPLICA IDENTITY FULL;"
    if table.deferrable:
        return f"{where}{full} The key stays DEFERRABLE, as the application may need it."
    return f"{where}{by_key}; or, slow where many of many rows are updated: {full}"


@check_rows(
    "schema.equality",
    catalog.identity_full_without_equality,
    none="no FULL identity over a type without equality",
    why="With REPLICA IDENTITY FULL rows are found by comparing every column; a type without "
    "equality makes apply fail.",
)
def equality(database: str, table: catalog.TableWithoutEquality) -> Result:
    """REPLICA IDENTITY FULL on a table with json, point, xml or the like."""
    names = (table.schema, table.name)
    add = "" if table.keyed else f"ALTER TABLE {table} ADD PRIMARY KEY (…); "
    return block(
        f"{database}/{table.schema}.{table.name}",
        f"REPLICA IDENTITY FULL, and no equality for: {', '.join(table.columns)}.",
        f"In database {database}: {add}ALTER TABLE {table} REPLICA IDENTITY DEFAULT;",
        fix=Fix(FixKind.IDENTITY_DEFAULT, database, names) if table.keyed else None,
    )


@check(
    "schema.identity-full",
    none="no large table without a key to find its rows by",
    why="Apply looks for each changed row in the whole table: many updates of many rows take it "
    "hours, in which the slot keeps WAL and a rollback waits with the applications stopped.",
)
async def identity_full(look: Survey) -> AsyncIterator[Result]:
    """A table of many rows has REPLICA IDENTITY FULL, and no index to find them by."""
    source, _ = await look.majors()

    def say(database: str, table: catalog.FullIdentity) -> Result | None:
        few = table.rows is not None and table.rows < _MANY_ROWS
        if few or (table.indexed and source >= _FULL_BY_INDEX_SINCE):
            return None
        writes = counted(table.writes, "update or delete", "updates and deletes")
        count = f": ANALYZE {table}; counts its rows. If they are many" * (table.rows is None)
        below = ", which below 16 uses no other index than the primary key" * table.indexed
        return warn(
            f"{database}/{table.schema}.{table.name}",
            f"REPLICA IDENTITY FULL over {_size(table.rows, table.size_bytes)}; {writes} so far, "
            f"each a read of the whole table by apply{below}.",
            f"In database {database}{count}, with columns that tell rows apart: ALTER TABLE "
            f"{table} ADD PRIMARY KEY (…); or for each statement that changes many of its rows, "
            "wait until blue prime has followed.",
        )

    async for result in each(look, catalog.identity_full, say):
        yield result


@check(
    "schema.generated",
    none="no generated column tells rows apart",
    why="Generated columns are not published: what tells rows apart would be missing, so apply "
    "stops, or UPDATE and DELETE fail on production.",
)
async def generated(look: Survey) -> AsyncIterator[Result]:
    """A generated column is part of a replica identity."""
    target = int(look.plan.upgrade.target_version.split(".")[0])

    def say(database: str, table: preflight_queries.GeneratedIdentity) -> Result | None:
        if table.in_full and target < _REFUSES_UNPUBLISHED_IDENTITY:
            return None
        kind = "REPLICA IDENTITY FULL" if table.in_full else "its replica identity"
        return block(
            f"{database}/{table.schema}.{table.name}",
            f"{kind} includes generated columns: {', '.join(table.columns)}.",
            f"In database {database}, with columns that are not generated and NOT NULL: ALTER "
            f"TABLE {table} ADD CONSTRAINT plain_key UNIQUE (…); ALTER TABLE {table} REPLICA "
            "IDENTITY USING INDEX plain_key;",
        )

    async for result in each(look, preflight_queries.generated_identities, say):
        yield result
