"""What repairs ask the databases besides, and the one that empties a cluster, on simulated edges.

The schemas of both sides are alike here, so that a lost slot's repair is left.
"""

from __future__ import annotations

from typing import Any

from psycopg.sql import SQL

from runbook.base.pair import ReplicationPair, current_pair, publication_name
from runbook.base.step import Effect
from runbook.failures import Finding
from runbook.postgres import catalog, replication
from runbook.postgres.schema_ddl import Parts
from runbook.postgres.statement import Statement
from runbook.procedure.steps.shared.effects import SqlEffect, no, yes
from runbook.repair import grant_read, recreate_table, stopped, stopping, tables
from tests.guards.servers import SimulatedConnection, SimulatedStatement


async def _alike(world: Any, database: str) -> tuple[Parts, Parts]:
    sides = current_pair(world)
    return Parts(sides.publisher.value), Parts(sides.subscriber.value)


async def _none_failing(world: Any, database: str) -> None:
    return None


async def _none_left(world: Any, database: str) -> list[Any]:
    return []


async def _no_sizes(connection: SimulatedConnection) -> list[Any]:
    connection.alive()
    return []


async def _published(connection: SimulatedConnection, name: str) -> list[tuple[str, str]]:
    connection.alive()
    return [("public", "orders")] if name in connection.here.publications else []


async def _ready(world: Any, watch: Any, database: str) -> str:
    watch.evidence(f"{database}: 1 table is taken in and ready")
    return ""


async def _empty(world: Any, sides: ReplicationPair, database: str) -> Effect:
    name = publication_name(world)
    truncate = Statement(SQL("TRUNCATE ONLY public.orders"))

    async def probe(connection: Any) -> Finding:
        if await replication.subscription(connection, name) is not None:
            return yes("it is subscribed, and copied")
        rows = connection.here.rows
        return no("public.orders has rows") if rows else yes("every table is empty")

    statement: Any = SimulatedStatement("empty", truncate, (), {})
    return SqlEffect(
        world,
        sides.subscriber,
        database,
        [statement],
        key=f"{sides.subscriber.slug}/{database}/rebuild/empty",
        title=f"empty every table of {database} on {sides.subscriber.value}",
        probe=probe,
    )


class _MayRead(Effect):
    """A grant that is there already."""

    key = "read"
    title = "let the replication role read the tables"

    def preview(self) -> str:
        return "GRANT pg_read_all_data"

    async def probe(self) -> Finding:
        return yes("it may read every table")

    async def perform(self) -> dict[str, Any]:
        raise AssertionError("it is there already")


REPAIRS: tuple[tuple[Any, Any], ...] = (
    (stopping.both, _alike),
    (stopped.failing_at, _none_failing),
    (tables.not_taken_in, _none_left),
    (tables.await_ready, _ready),
    (catalog.published_tables, _no_sizes),
    (replication.published, _published),
    (recreate_table._empty, _empty),
    (grant_read.may_read, lambda world: _MayRead()),
)
"""Each thing of the real edges with what stands in for it."""
