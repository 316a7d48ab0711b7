"""The simulated PostgreSQL: connections, statements, and what goes wrong with them.

The boundary is `runbook.postgres`: queries go by the names of their `.sql` files (`answers`),
statements by the functions that build them (`changes`). No SQL is read here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg

from runbook.postgres.statement import Statement
from tests.guards.answers import QUERIES
from tests.guards.changes import CHANGES, Refusal
from tests.guards.clock import Killed
from tests.guards.faults import AT_CHANGE, Fault
from tests.guards.things import Cluster, Database

if TYPE_CHECKING:
    from tests.guards.process import Process

Row = dict[str, Any]


def lost() -> psycopg.OperationalError:
    return psycopg.OperationalError("server closed the connection unexpectedly")


class SimulatedStatement:
    """A statement as its builder meant it, with the real one's text."""

    transactional = True

    def __init__(self, name: str, real: Statement, args: Sequence[Any], more: Row) -> None:
        self.name, self.real, self.args, self.more = name, real, args, more

    def text(self) -> str:
        return self.real.text()

    async def execute(self, connection: SimulatedConnection) -> None:
        """Change what it is there to change."""
        await connection.change(self.name, self.args, self.more, self.text())


class SimulatedConnection:
    """A session of blueprime's own on one database of one cluster."""

    def __init__(self, process: Process, cluster: Cluster, database: str, host: str) -> None:
        self._process = process
        self._world = process.world
        self.cluster = cluster
        self.database = database
        self.generation = cluster.generation
        self.closed = False
        version = cluster.major * 10000
        self.info = SimpleNamespace(
            password="",
            dbname=database,
            host=host,
            port=5432,
            server_version=version,
            encoding="utf-8",
        )
        self._together: list[tuple[str, Sequence[Any], Row, str]] | None = None

    async def close(self) -> None:
        self.closed = True

    def alive(self) -> None:
        """Raise what psycopg raises where the connection is gone."""
        self._process.live()
        self._world.tick()
        gone = self.cluster.resource_id not in self._world.clusters
        blind = self._world.clock.now < self._world.faults.blind_until
        if self.closed or gone or blind or self.generation != self.cluster.generation:
            raise lost()

    @property
    def here(self) -> Database:
        return self.cluster.databases[self.database]

    def instance(self) -> str:
        """Return the name of the instance that the connection is on."""
        self.alive()
        members = self._world.members(self.cluster)
        return members[0].name if members else ""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Keep changes until the end of the block, then make all of them at once."""
        self._together = []
        try:
            yield
            changes, self._together = self._together, None
        finally:
            self._together = None
        if changes:
            self._make(changes)

    async def change(self, name: str, args: Sequence[Any], more: Row, text: str) -> Any:
        """Make a change, at once or at the end of the transaction that is open."""
        if self._together is not None:
            self._together.append((name, args, more, text))
            return None
        return self._make([(name, args, more, text)])

    def _make(self, changes: list[tuple[str, Sequence[Any], Row, str]]) -> Any:
        self.alive()
        process, world = self._process, self._world
        fault = world.faults.take(*AT_CHANGE)
        if fault is Fault.KILL_AFTER_INTENT:
            raise Killed
        if fault is Fault.REFUSED or self.cluster.locked:
            raise Refusal("the server does not do it now")
        if fault is Fault.CALL_LOST:
            raise lost()
        answer = None
        for name, args, more, text in changes:
            process.guard.before_statement(
                self.cluster, self.database, name, (*args, *more.values()), text
            )
            answer = CHANGES[name](self, *args, **more)
            self.cluster.xid += 1
        world.tick(changed=True)
        process.guard.after_change()
        if fault is Fault.KILL_AFTER_CALL:
            raise Killed
        if fault in (Fault.ANSWER_LOST, Fault.LATE, Fault.BLIND):
            self.closed = True
            raise lost()
        return answer

    def query(self, name: str, params: Any) -> list[Any]:
        """Answer a named query with rows as dicts, or as values where it has one column."""
        self.alive()
        if name not in QUERIES:
            # A look that fails is shown as unknown, and would hide that nothing was looked at.
            self._process.guard.cannot(f"the simulated server does not know the query {name}")
        return QUERIES[name](self, params)
