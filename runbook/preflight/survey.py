"""What the checks look at, each thing looked up once however many checks ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import psycopg
from psycopg import AsyncConnection

from runbook.aws.facts import (
    Cluster,
    CustomEndpoint,
    Deployment,
    EngineVersion,
    Instance,
    Parameter,
)
from runbook.aws.versions import numbers
from runbook.base import derived_names
from runbook.base.roles import Role
from runbook.postgres import apply_rights, catalog, membership, preflight_queries, removed
from runbook.postgres import connect as pg
from runbook.postgres.target import Target

if TYPE_CHECKING:
    from runbook.base.context import RunContext
    from runbook.plan.model import Plan

T = TypeVar("T")
P = ParamSpec("P")
Query = Callable[[AsyncConnection], Awaitable[T]]

_DATABASES_AT_ONCE = 4

LOCK_LIMIT = "1s"
"""No look waits longer for a lock: whoever came later for that lock would wait behind it."""

STATEMENT_LIMIT = "30s"

LONG_S = 30.0
"""A transaction open for longer than this is told."""

SETTINGS = (
    "autovacuum_max_workers",
    "max_active_replication_origins",
    "max_logical_replication_workers",
    "max_parallel_workers",
    "max_replication_slots",
    "max_slot_wal_keep_size",
    "max_wal_senders",
    "max_worker_processes",
    "rds.logical_replication",
    "synchronous_commit",
    "wal_level",
)


async def long_transactions(connection: AsyncConnection) -> list[catalog.LongTransaction]:
    """Return the transactions that have been open for longer than `LONG_S`."""
    return await catalog.long_transactions(connection, LONG_S)


async def settings(connection: AsyncConnection) -> dict[str, catalog.Setting]:
    """Return the settings that the checks read."""
    return await catalog.settings(connection, SETTINGS)


_OF_SERVER: tuple[Query[Any], ...] = (
    catalog.connectable_databases,
    catalog.login_roles,
    catalog.prepared_transactions,
    catalog.replication_slots,
    catalog.subscriptions,
    membership.joinable,
    long_transactions,
    preflight_queries.databases,
    preflight_queries.iam_roles,
    preflight_queries.plain_sessions,
    preflight_queries.read_only_overrides,
    preflight_queries.repack_sessions,
    settings,
)
_OF_DATABASE: tuple[Query[Any], ...] = (
    apply_rights.apply_rights,
    catalog.data_kinds,
    catalog.enabled_always_triggers,
    catalog.identity_full,
    catalog.identity_full_without_equality,
    catalog.master_permissions,
    catalog.publications,
    catalog.tables_without_identity,
    preflight_queries.byte_names,
    preflight_queries.cron_jobs,
    preflight_queries.event_triggers,
    preflight_queries.extension_tables,
    preflight_queries.foreign_servers,
    preflight_queries.full_sequences,
    preflight_queries.generated_identities,
    preflight_queries.outdated_extensions,
    preflight_queries.partitioned_tables,
    preflight_queries.path_functions,
    preflight_queries.refused_columns,
    preflight_queries.repack_leftovers,
    preflight_queries.stale_collations,
    preflight_queries.unmaintained,
    removed.refused_objects,
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A look that failed, with the reason."""

    error: Exception


_Answers = dict[Query[Any], Any]


def once(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Let concurrent callers of a method of `Survey` share one look, and its failure."""

    @wraps(method)
    async def shared(*args: P.args, **kwargs: P.kwargs) -> T:
        look = cast(Survey, args[0])
        key = (method.__name__, args[1:])
        task: asyncio.Task[T] | None = look.tasks.get(key)
        if task is None:
            task = look.tasks[key] = asyncio.create_task(method(*args, **kwargs))
        return await asyncio.shield(task)

    return shared


@dataclass(eq=False)
class Survey:
    """One pass over the world, for one preflight."""

    context: RunContext
    tasks: dict[Any, asyncio.Task[Any]] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        """Return the plan that is checked."""
        return self.context.plan

    @property
    def own_deployment(self) -> str:
        """The name of this run's own blue/green deployment."""
        return derived_names.deployment(self.context.run)

    async def aclose(self) -> None:
        """End the looks that are still under way."""
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)

    @once
    async def cluster(self) -> Cluster:
        """Return blue."""
        return await self.context.cluster(Role.BLUE)

    @once
    async def instances(self) -> list[Instance]:
        """Return blue's instances."""
        return await self.context.rds.instances((await self.cluster()).identifier)

    @once
    async def custom_endpoints(self) -> list[CustomEndpoint]:
        """Return the endpoints that somebody added to blue."""
        return await self.context.rds.custom_endpoints((await self.cluster()).identifier)

    @once
    async def deployments(self) -> list[Deployment]:
        """Return the deployments that blue is the source or the target of, whoever made them."""
        return await self.context.rds.deployments_of((await self.cluster()).arn)

    async def own_deployment_stands(self) -> bool:
        """Tell whether this run's deployment exists already, with AWS's own objects on blue."""
        return any(d.name == self.own_deployment for d in await self.deployments())

    async def majors(self) -> tuple[int, int]:
        """Return blue's major version, and the one that the plan upgrades to."""
        blue = await self.cluster()
        return blue.major, numbers(self.plan.upgrade.target_version)[0]

    @once
    async def target_version(self) -> EngineVersion | None:
        """Return the plan's target version as the region offers it."""
        return await self.context.rds.engine_version(self.plan.upgrade.target_version)

    @once
    async def parameters(self, group: str, source: str = "") -> dict[str, Parameter]:
        """Return a cluster parameter group's parameters."""
        return await self.context.rds.cluster_parameters(group, source=source)

    @once
    async def family(self, name: str) -> dict[str, Parameter]:
        """Return what a parameter group family knows."""
        return await self.context.rds.family_parameters(name)

    async def server(self, query: Query[T]) -> T:
        """Return what a query of the whole server says; raise what made it fail."""
        answer = (await self._server())[query]
        if isinstance(answer, Unreadable):
            raise answer.error
        return answer  # type: ignore[no-any-return]

    async def databases(self, query: Query[T]) -> dict[str, T | Unreadable]:
        """Return what a query says in each connectable database, or why it says nothing."""
        return {name: answers[query] for name, answers in (await self._databases()).items()}

    @once
    async def _target(self) -> Target:
        return await self.context.target(Role.BLUE)

    @once
    async def _server(self) -> _Answers:
        return await self._ask(self.plan.credentials.maintenance_database, _OF_SERVER)

    @once
    async def _databases(self) -> dict[str, _Answers]:
        names = await self.server(catalog.connectable_databases)
        slots = asyncio.Semaphore(_DATABASES_AT_ONCE)

        async def answers(name: str) -> _Answers:
            async with slots:
                try:
                    return await self._ask(name, _OF_DATABASE)
                except (psycopg.Error, pg.CannotConnect, pg.WrongServer) as error:
                    return dict.fromkeys(_OF_DATABASE, Unreadable(error))

        return dict(zip(names, await asyncio.gather(*map(answers, names)), strict=True))

    async def _ask(self, database: str, queries: tuple[Query[Any], ...]) -> _Answers:
        connect = self.context.connector(await self._target(), database, read_only=True)
        answers: _Answers = {}
        async with await connect() as connection:
            await connection.execute(
                "SELECT pg_catalog.set_config('lock_timeout', %s, false),"
                " pg_catalog.set_config('statement_timeout', %s, false)",
                (LOCK_LIMIT, STATEMENT_LIMIT),
            )
            for query in queries:
                try:
                    answers[query] = await query(connection)
                # A name that is no UTF-8, in a database without an encoding, cannot be read.
                except (psycopg.Error, UnicodeDecodeError) as error:
                    answers[query] = Unreadable(error)
        return answers
