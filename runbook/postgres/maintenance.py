"""What a database needs after a move: statistics, and materialized views that are fresh."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from time import monotonic
from typing import LiteralString

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composed, Identifier

from runbook.postgres.catalog import Table
from runbook.postgres.queries import fetch, one_value
from runbook.postgres.statement import Statement

Progress = Callable[[str, float], Awaitable[None]]
"""Awaited with the object just done and the fraction of all work done, 0 to 1; it may raise."""

_GONE = ("08", "57P")
"""SQLSTATEs of a connection or a server that is going away."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was worked on, and what the server refused, with its reason."""

    done: tuple[str, ...]
    skipped: Mapping[str, str]
    """Object -> reason."""


@dataclass(frozen=True, slots=True)
class _Analyzable(Table):
    size_bytes: int
    unanalyzed: bool
    untried: bool


@dataclass(frozen=True, slots=True)
class _View(Table):
    oid: int
    populated: bool
    reads_from: list[int]


async def unanalyzed(connection: AsyncConnection) -> list[str]:
    """Return tables and materialized views with rows and without statistics, the largest first.

    A major upgrade to a version before 18 loses all statistics.
    """
    found = await fetch(connection, _Analyzable, "analyzable_tables")
    return [str(table) for table in found if table.unanalyzed]


async def untried(connection: AsyncConnection) -> list[str]:
    """Return tables whose ANALYZE calls functions, and has not been seen to succeed on this server.

    From 17 on it runs with a safe search_path, and fails where such a function leans on another
    (https://www.postgresql.org/docs/17/release-17.html).
    """
    found = await fetch(connection, _Analyzable, "analyzable_tables")
    return [str(table) for table in found if table.untried]


async def analyze(
    connection: AsyncConnection, progress: Progress | None = None, *, limit_s: float = 0.0
) -> Done:
    """ANALYZE every table of this database, the largest first; each within the limit, if any.

    Source: https://www.postgresql.org/docs/current/sql-analyze.html
    """
    found = await fetch(connection, _Analyzable, "analyzable_tables")
    whole = sum(table.size_bytes for table in found) or 1
    done: list[str] = []
    skipped: dict[str, str] = {}
    worked = 0
    async with unhurried(connection, limit_s) as warnings:
        for table in found:
            warnings.clear()
            statement = Statement(_on("ANALYZE {table}", table), transactional=False)
            if problem := await _refused(connection, statement) or "; ".join(warnings):
                skipped[str(table)] = problem
            else:
                done.append(str(table))
            worked += table.size_bytes
            if progress:
                await progress(str(table), worked / whole)
    return Done(tuple(done), skipped)


async def refresh_materialized_views(
    connection: AsyncConnection, *, limit_s: float | None = None
) -> Done:
    """Refresh every populated materialized view, each after those it reads from.

    `limit_s`: how many seconds all of them together may take; what does not fit is skipped.

    Source: https://www.postgresql.org/docs/current/sql-refreshmaterializedview.html
    """
    ends = None if limit_s is None else monotonic() + limit_s
    views = {view.oid: view for view in await fetch(connection, _View, "materialized_views")}
    order = TopologicalSorter({oid: view.reads_from for oid, view in views.items()})
    chosen = [views[oid] for oid in order.static_order() if views[oid].populated]
    done: list[str] = []
    skipped: dict[str, str] = {}
    async with unhurried(connection):
        for view in chosen:
            statement = Statement(_on("REFRESH MATERIALIZED VIEW {table}", view))
            if await _time_is_up(connection, ends):
                skipped[str(view)] = f"the {limit_s:.0f} s for all of them were over"
            elif problem := await _refused(connection, statement):
                skipped[str(view)] = problem
            else:
                done.append(str(view))
    return Done(tuple(done), skipped)


@asynccontextmanager
async def unhurried(connection: AsyncConnection, limit_s: float = 0.0) -> AsyncIterator[list[str]]:
    """Give each statement another limit (0: none); collect what the server warns of meanwhile."""
    warnings: list[str] = []

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            warnings.append(diagnostic.message_primary or "")

    before = await one_value(connection, "SELECT current_setting('statement_timeout')")
    await connection.execute(
        "SELECT pg_catalog.set_config('statement_timeout', %s, false)",
        (str(round(limit_s * 1000)),),
    )
    connection.add_notice_handler(note)
    try:
        yield warnings
    finally:
        connection.remove_notice_handler(note)
        if not connection.closed:
            await connection.execute("SELECT set_config('statement_timeout', %s, false)", (before,))


async def _time_is_up(connection: AsyncConnection, ends: float | None) -> bool:
    """Give the next statement of the session what is left until `ends`; tell if that is nothing."""
    if ends is None:
        return False
    left_ms = int((ends - monotonic()) * 1000)
    if left_ms > 0:
        await connection.execute(
            "SELECT pg_catalog.set_config('statement_timeout', %s, false)", (str(left_ms),)
        )
    return left_ms <= 0


async def _refused(connection: AsyncConnection, statement: Statement) -> str:
    """Run a statement; return the server's reason where it refuses this one object."""
    try:
        await statement.execute(connection)
    except psycopg.Error as error:
        if error.sqlstate is None or error.sqlstate.startswith(_GONE):
            raise
        return error.diag.message_primary or str(error)
    return ""


def _on(template: LiteralString, table: Table) -> Composed:
    return SQL(template).format(table=Identifier(table.schema, table.name))
