"""Puts the simulated edges in the place of the real ones, all at the boundary of two packages.

AWS: `runbook.aws.Clients`. PostgreSQL: the opening of a connection, queries by name, the functions
that build statements or that are nothing but SQL. Besides: the clock, the operator's commands and
the preflight, whose many questions are not what is asked about here.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from time import monotonic
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import psycopg

import runbook
import state
from runbook import preflight
from runbook.aws import budget
from runbook.aws.clients import Clients
from runbook.base.context import RunContext
from runbook.postgres import (
    connect,
    fence_sql,
    identity,
    maintenance,
    objects,
    oids,
    queries,
    replication,
    schema,
    sequences,
)
from runbook.postgres.comparison import fenced
from runbook.postgres.comparison.fenced import Comparison, How, TableResult
from runbook.proofs import observations, rights, unreplicated
from runbook.recovery import database_state
from runbook.run import session
from state import backups, lock, times
from tests.guards.clients import SimulatedClients
from tests.guards.clock import BEGAN, Killed
from tests.guards.faults import AT_CHANGE, Fault
from tests.guards.repairing import REPAIRS
from tests.guards.servers import SimulatedConnection, SimulatedStatement

if TYPE_CHECKING:
    from tests.guards.process import Process

CURRENT = SimpleNamespace(process=None, started=0)
"""The process that is alive now, and how many were started."""


def _process() -> Process:
    found: Process = CURRENT.process
    return found


# Connections and queries.


async def _attempt(
    target: connect.Target, password: Any, database: str, ends: float, *, read_only: bool
) -> SimulatedConnection:
    process = _process()
    process.live()
    process.world.tick()
    cluster = process.world.reached(target.host)
    if cluster is None or process.world.clock.now < process.world.faults.blind_until:
        raise psycopg.OperationalError(f"connection to {target.host} failed")
    opened = SimulatedConnection(process, cluster, database, target.host)
    await connect.prove(opened, target)  # type: ignore[arg-type]
    return opened


async def _signs(connection: SimulatedConnection, *, system: bool) -> identity.Signs:
    major = connection.info.server_version // 10000
    return identity.Signs(major, False, connection.instance(), "" if system else None)


async def _no_identifier(_: SimulatedConnection) -> str:
    return ""


async def _fetch(connection: SimulatedConnection, kind: Any, name: str, params: Any = None) -> Any:
    return [kind(**row) for row in connection.query(name, params)]


async def _fetch_values(connection: SimulatedConnection, name: str, params: Any = None) -> Any:
    return connection.query(name, params)


async def _digest(connection: SimulatedConnection, *, side: str, publication: str) -> str:
    return " ".join(connection.query("schema_stamp", None))


async def _no_pairs(here: SimulatedConnection, there: SimulatedConnection) -> dict[Any, Any]:
    """Return none, as of a clone: its tables have the numbers of those that it was made from."""
    here.alive()
    there.alive()
    return {}


# Statements.


def _builder(name: str, real: Callable[..., Any]) -> Callable[..., SimulatedStatement]:
    def build(*args: Any, **more: Any) -> SimulatedStatement:
        return SimulatedStatement(name, real(*args, **more), args, more)

    return build


_BUILDERS = (
    "create_replication_role",
    "create_publication",
    "drop_publication",
    "drop_role",
    "drop_slot",
    "terminate_slot_user",
    "publish_strays",
    "create_subscription",
    "set_subscription_connection",
    "enable_subscription",
    "disable_subscription",
    "detach_slot",
)


def _drop_subscription(real: Callable[..., Any]) -> Callable[..., tuple[SimulatedStatement, ...]]:
    parts = ("disable_subscription", "detach_slot", "drop_subscription")

    def build(name: str) -> tuple[SimulatedStatement, ...]:
        return tuple(
            SimulatedStatement(part, one, (name,), {})
            for part, one in zip(parts, real(name), strict=True)
        )

    return build


def _roles(name: str, real: Callable[..., Any]) -> Callable[..., tuple[SimulatedStatement, ...]]:
    def build(roles: Sequence[str]) -> tuple[SimulatedStatement, ...]:
        each = list(roles)
        return tuple(
            SimulatedStatement(name, one, (role,), {})
            for role, one in zip(each, real(each), strict=True)
        )

    return build


# Functions that are nothing but SQL.


def _changing(name: str) -> Callable[..., Awaitable[Any]]:
    async def change(connection: SimulatedConnection, *args: Any, **more: Any) -> Any:
        return await connection.change(name, args, more, name)

    return change


async def _create_slot(connection: SimulatedConnection, name: str, *, deadline_s: float) -> Any:
    text = replication.create_slot_statement(name).text()
    return await connection.change("create_slot", (name,), {"deadline_s": deadline_s}, text)


async def _publication_exists(connection: SimulatedConnection, name: str) -> bool:
    connection.alive()
    return name in connection.here.publications


async def _role_exists(connection: SimulatedConnection, name: str) -> bool:
    connection.alive()
    return name in connection.cluster.roles


async def _streaming_since(connection: SimulatedConnection, slot: str) -> datetime | None:
    connection.alive()
    found = connection.cluster.slots.get(slot)
    if found is None or not found.active or found.since is None:
        return None
    return BEGAN + timedelta(seconds=found.since)


async def _terminate(connection: SimulatedConnection, roles: Sequence[str]) -> list[Any]:
    await connection.change("terminate_sessions", (roles,), {}, "")
    return []


async def _results(connection: SimulatedConnection, values: Sequence[Any]) -> list[Any]:
    await connection.change("set_sequences", (values,), {}, "")
    return [sequences.Applied(each.schema, each.name, True, "") for each in values]


async def _held(connection: SimulatedConnection, slot: str) -> None:
    connection.alive()


async def _unanalyzed(connection: SimulatedConnection) -> list[str]:
    connection.alive()
    return [] if connection.here.analyzed else ["public.orders"]


async def _untried(connection: SimulatedConnection) -> list[str]:
    connection.alive()
    return []


def _working(name: str) -> Callable[..., Awaitable[maintenance.Done]]:
    async def work(connection: SimulatedConnection, *_: Any, **more: Any) -> maintenance.Done:
        await connection.change(name, (), {}, name)
        return maintenance.Done(("public.orders",), {})

    return work


async def _compare(pub_connect: Any, sub_connect: Any, **_: Any) -> Comparison:
    left, right = await pub_connect(), await sub_connect()
    left.alive()
    right.alive()
    ours, theirs = left.here.rows, right.here.rows
    same = set(ours) == set(theirs)
    row = TableResult("public", "orders", len(ours), len(theirs), How.HASHED, same)
    return Comparison(left.database, (row,), 0.1)


async def _server_items(connection: SimulatedConnection, *, common: int) -> objects.ServerItems:
    connection.alive()
    return objects.ServerItems((), True)


async def _no_items(connection: SimulatedConnection, *, common: int) -> list[objects.Item]:
    connection.alive()
    return []


async def _no_stamp(connection: SimulatedConnection) -> str:
    connection.alive()
    return ""


async def _no_origins(connection: SimulatedConnection) -> unreplicated.OriginPositions:
    connection.alive()
    return unreplicated.OriginPositions(connection.cluster.wal)


# What adoption asks the databases besides.


async def _able_and_locked(connection: SimulatedConnection, names: Sequence[str]) -> Any:
    connection.alive()
    there = {name: role.login for name, role in connection.cluster.roles.items() if name in names}
    able = frozenset(name for name, login in there.items() if login)
    return able, frozenset(there) - able


async def _own_slots(connection: SimulatedConnection, prefix: str) -> Any:
    connection.alive()
    return tuple(
        database_state.OwnSlot(
            name, int(number), slot.database, slot.since is not None, slot.confirmed
        )
        for name, slot in sorted(connection.cluster.slots.items())
        for before, _, number in [name.rpartition("_")]
        if before == prefix
    )


async def _no_others(world: RunContext, role: Any) -> int:
    return 0


# The operator's commands.


async def _command(*argv: str, **_: Any) -> Any:
    process = _process()
    process.live()
    world = process.world
    fault = world.faults.take(*AT_CHANGE)
    if fault is Fault.KILL_AFTER_INTENT:
        raise Killed
    failed = fault in (Fault.REFUSED, Fault.CALL_LOST, Fault.ANSWER_LOST)
    if fault not in (Fault.REFUSED, Fault.CALL_LOST):
        process.guard.before_command(argv)
        match argv:
            case ("app", word):
                world.application.running = word == "start"
            case ("lead", host, _port):
                world.lead = host
        world.tick(changed=True)
        process.guard.after_change()
    if fault is Fault.KILL_AFTER_CALL:
        raise Killed

    async def wait() -> int:
        return 1 if failed else 0

    return SimpleNamespace(wait=wait, returncode=1 if failed else 0)


async def _no_preflight(world: Any, *, progress: Any = None) -> list[Any]:
    return []


async def _nothing_refused(world: Any, *_: Any, **more: Any) -> dict[str, Any]:
    return {}


class _Time:
    """The module `time`, by the simulated clock; a simulated machine does not sleep."""

    CLOCK_MONOTONIC = CLOCK_BOOTTIME = 1

    def monotonic(self) -> float:
        return _process().world.clock.now

    def clock_gettime(self, _: int) -> float:
        return _process().world.clock.now

    def time(self) -> float:
        return _process().world.clock.wall().timestamp()


async def _not_observed(*_: Any) -> None:
    """Keep nothing: what Aurora itself does is not simulated."""


def _run_id() -> str:
    return f"r{_process().world.serial():05}"


def _instead() -> list[tuple[Any, Any]]:
    """Return each thing of the real edges with what stands in for it."""
    publisher = importlib.import_module("runbook.postgres.replication.publisher")
    pairs = [
        *REPAIRS,
        (budget.of_process, lambda: _process().budget),
        (Clients, lambda *_: SimulatedClients(_process())),
        (connect._attempt, _attempt),
        (identity.signs, _signs),
        (identity.system_identifier, _no_identifier),
        (queries.fetch, _fetch),
        (queries.fetch_values, _fetch_values),
        (fenced.compare_databases, _compare),
        (maintenance.unanalyzed, _unanalyzed),
        (maintenance.untried, _untried),
        (maintenance.analyze, _working("analyze")),
        (maintenance.refresh_materialized_views, _working("refresh")),
        (schema.digest, _digest),
        (oids.pairs, _no_pairs),
        (objects.of_server, _server_items),
        (objects.of_database, _no_items),
        (objects.stamp, _no_stamp),
        (sequences.results, _results),
        (fence_sql.lock_roles, _roles("lock", fence_sql.lock_roles)),
        (fence_sql.unlock_roles, _roles("unlock", fence_sql.unlock_roles)),
        (fence_sql.terminate_sessions, _terminate),
        (replication.drop_subscription, _drop_subscription(replication.drop_subscription)),
        (replication.publication_exists, _publication_exists),
        (replication.role_exists, _role_exists),
        (replication.streaming_since, _streaming_since),
        (publisher.create_slot, _create_slot),
        (replication.hold_strays, _held),
        (unreplicated.mark, _no_origins),
        (observations.lock_of_old_blue, _not_observed),
        (observations.names_of_servers, _not_observed),
        (replication.set_password, _changing("set_password")),
        (replication.emit_barrier, _changing("barrier")),
        (database_state._roles, _able_and_locked),
        (database_state._slots, _own_slots),
        (database_state.other_sessions, _no_others),
        (preflight.run, _no_preflight),
        (rights.prove, _nothing_refused),
        (session.new_run_id, _run_id),
        # All simulated processes have this one's pid; only who acts now is looked for by it.
        (lock.process_start, lambda pid: f"process {_process().number}"),
        (backups.keep, lambda db, path: None),
        (times.now, lambda: _process().world.clock.wall()),
        (times.unset, lambda: _process().world.clock.now),
        (monotonic, lambda: _process().world.clock.now),
        (time, _Time()),
    ]
    for built in (
        *(getattr(replication, name) for name in _BUILDERS),
        fence_sql.set_database_read_only,
    ):
        pairs.append((built, _builder(built.__name__, built)))
    return pairs


@contextmanager
def simulated() -> Iterator[None]:
    """Put the simulated edges in place, wherever the product has them, while a block lasts."""
    modules = [
        importlib.import_module(found.name)
        for package in (runbook, state)
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    with ExitStack() as stack:
        for real, instead in _instead():
            for module in modules:
                for name, value in list(vars(module).items()):
                    if value is real:
                        stack.enter_context(patch.object(module, name, instead))
        stack.enter_context(
            patch.object(RunContext, "now", lambda _: _process().world.clock.wall())
        )
        stack.enter_context(patch.object(asyncio, "create_subprocess_exec", _command))
        yield
