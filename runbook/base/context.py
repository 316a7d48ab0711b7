"""The world as a run sees it: roles, resource ids, and the facts looked up live behind them.

Names, ARNs and endpoints of clusters move at the switchover and at renames; `DbClusterResourceId`
never does. So the journal binds a role to a resource id once, and everything else is asked anew.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from psycopg import AsyncConnection

from runbook.aws import Aws
from runbook.aws.facts import Cluster, Instance
from runbook.aws.rds import Rds
from runbook.base import clocks, server_names, step_keys
from runbook.base.downtime import Downtime, latest, stopped_by_hand
from runbook.base.kept import JournalReader
from runbook.base.roles import Role
from runbook.failures import StepFailed
from runbook.plan.model import Plan
from runbook.plan.target import target_of
from runbook.postgres import connect as pg
from runbook.postgres.catalog import connectable_databases
from runbook.postgres.target import Target
from state.enums import Outcome
from state.rebasing import tried
from state.records import Json, TrackEntry

RUN_TAG = "blueprime:run"
"""On everything that a run creates: the proof that it may delete it again."""

CLUSTER_TAG = "blueprime:cluster"
"""Beside it: the resource id of the cluster that is upgraded, whatever its name is by then."""


async def _sleep(words: str, seconds: float) -> None:
    """Wait, where nobody hears what for nor stops it."""
    await asyncio.sleep(seconds)


async def _wait(words: str, seconds: float) -> bool:
    """Wait for a connection, where nobody hears what for nor stops it."""
    await asyncio.sleep(seconds)
    return True


async def _nothing() -> None:
    """Ask nothing: nobody performs changes in this world."""


class RunContext:
    """What steps look at. It changes nothing.

    `run` is the run's id; `aws` the clients; facts come from the journal. `connect_s` is how long
    a connection is tried for, in place of the plan's limit.
    """

    def __init__(
        self,
        *,
        run: str,
        plan: Plan,
        journal: JournalReader,
        aws: Aws,
        connect_s: float | None = None,
    ) -> None:
        self.run = run
        self.plan = plan
        self.aws = aws
        self._journal = journal
        self._connect_s = connect_s or plan.limits.connect_s
        self.replication_password = secrets.token_urlsafe(32)
        """The replication role's password as this process would set it; it is never stored."""
        self._sessions: dict[Role, pg.Session] = {}
        self._locks: dict[tuple[Role, str], asyncio.Lock] = {}
        self._failures: dict[tuple[Role, str], tuple[float, pg.CannotConnect]] = {}
        self.still_held: Callable[[], Awaitable[None]] = _nothing
        """Raises `Refused` where another journal went on: asked before a change that was refused
        for its state is tried once more, and before a person is asked to make one."""
        self.pause: Callable[[str, float], Awaitable[None]] = _sleep
        """Waits so many seconds, saying what for; raises where the operator stops the wait."""
        self.hold: pg.Hold = _wait
        """Waits so many seconds for a connection, saying what for; tells whether to go on."""

    @property
    def rds(self) -> Rds:
        """Return the client of RDS."""
        return self.aws.rds

    def sql_name(self, suffix: str = "") -> str:
        """Return the name of a slot, publication, subscription or role of this run.

        Slot names allow `[a-z0-9_]` only, so all of them keep to that.
        """
        return "_".join(filter(None, ("blueprime", self.run, suffix)))

    @property
    def tags(self) -> dict[str, str]:
        """Return the tags that mark a resource as this run's own."""
        return {RUN_TAG: self.run, CLUSTER_TAG: self.plan.cluster.resource_id}

    def fact(self, key: str) -> Json | None:
        """Return the latest value kept as evidence under a key, or None."""
        return self._journal.fact(self.run, key)

    def live(self) -> dict[str, Json] | None:
        """Return the figures that the run's watch has put up last, or None."""
        return self._journal.live(self.run)

    def done(self, key: str) -> Mapping[str, Json] | None:
        """Return what the outcome of an effect kept, if it succeeded in this run, or None."""
        for attempt in reversed(tried(self._journal, self.run)):
            for effect in reversed(attempt.effects):
                if effect.key == key and effect.outcome in (Outcome.SUCCEEDED, Outcome.ADOPTED):
                    return effect.detail
        return None

    @property
    def stay(self) -> int:
        """The id of the present stay on a track."""
        return self._journal.entries(self.run)[-1].id

    def begun(self, step: str) -> bool:
        """Return whether a change of a step was asked for in this run, whatever came of it."""
        attempts = tried(self._journal, self.run)
        return any(attempt.step == step and attempt.effects for attempt in attempts)

    def accepted(self, gate: str) -> bool:
        """Return whether a person passed a gate on the present stay on the track."""
        entry = self._journal.entries(self.run)[-1]
        return any(
            decision.gate == gate and decision.entry == entry.id
            for decision in self._journal.decisions(self.run)
        )

    def outage_ended(self) -> Downtime | None:
        """Return the latest outage of the applications, where it ended on the present stay.

        None where neither a step or a person stopped them on it, nor production died.
        """
        entry, found = self._journal.entries(self.run)[-1], latest(self._journal, self.run)
        return (
            found if found.ended_at is not None and (found.died or self._stopped(entry)) else None
        )

    def _stopped(self, entry: TrackEntry) -> bool:
        """Return whether the applications were stopped on a stay, by a step or by hand."""
        by_step = any(
            attempt.entry == entry.id and attempt.step == step_keys.STOP_TRAFFIC and attempt.effects
            for attempt in self._journal.attempts(self.run)
        )
        return by_step or stopped_by_hand(self._journal, self.run, entry.id) is not None

    def passed_since(self, key: str) -> float | None:
        """Return the seconds since an effect was there; None: it is not.

        What the clock was set meanwhile is no time that passed.
        """
        for attempt in reversed(tried(self._journal, self.run)):
            for effect in reversed(attempt.effects):
                if effect.key == key and effect.outcome in (Outcome.SUCCEEDED, Outcome.ADOPTED):
                    set_s = clocks.set_meanwhile(self.fact(clocks.FACT), since_effect=effect.id)
                    at = effect.outcome_at or effect.intent_at
                    passed = (self.now() - at).total_seconds()
                    return max(0.0, passed - set_s)
        return None

    def now(self) -> datetime:
        """Return the wall clock's time, in UTC."""
        return datetime.now(UTC)

    def bound(self, role: Role) -> str | None:
        """Return the resource id that the run bound to a role, or None."""
        if role.identity is Role.BLUE:
            return self.plan.cluster.resource_id
        value = self.fact(f"role.{role.identity.slug}")
        return None if value is None else str(value["resource_id"])

    def resource_id(self, role: Role) -> str:
        """Return the resource id of a role; fail in words if the run has none yet.

        Raises `StepFailed`.
        """
        bound = self.bound(role)
        if bound is None:
            raise StepFailed(
                f"This run knows no {role.value} cluster.",
                now="Nothing was changed.",
                todo="Run the steps before this one first.",
            )
        return bound

    async def find(self, role: Role) -> Cluster | None:
        """Return the cluster of a role as it is now, or None where AWS has none of that id."""
        bound = self.bound(role)
        return None if bound is None else await self.rds.cluster_by_resource_id(bound)

    async def cluster(self, role: Role) -> Cluster:
        """Return the cluster of a role as it is now; fail in words if it is gone.

        Raises `StepFailed`.
        """
        resource_id = self.resource_id(role)
        cluster = await self.find(role)
        if cluster is None:
            raise StepFailed(
                f"AWS has no cluster with the resource id {resource_id} ({role.value}).",
                now="Nothing was changed by this look.",
                todo="Look in the console whether it was deleted; if so, this run cannot use it.",
            )
        return cluster

    async def instances(self, role: Role) -> list[Instance]:
        """Return the instances of a role's cluster, the writer first."""
        cluster = await self.cluster(role)
        instances = await self.instances_of(cluster)
        writers = {member.identifier for member in cluster.members if member.writer}
        return sorted(instances, key=lambda i: (i.identifier not in writers, i.identifier))

    async def instances_of(self, cluster: Cluster) -> list[Instance]:
        """Return the instances of a cluster, by name."""
        return await self.rds.instances(cluster.identifier)

    async def answers(self, role: Role) -> bool:
        """Return whether a role's cluster has an instance to connect to that is not going."""
        if await self.find(role) is None:
            return False
        return any(instance.status != "deleting" for instance in await self.instances(role))

    async def target(self, role: Role) -> Target:
        """Return where to connect for a role, with what proves that it is the right server."""
        names = partial(server_names.of, self, role)
        cluster = await self.cluster(role)
        plan = self.plan
        return target_of(
            cluster,
            plan.credentials,
            plan.connection,
            role.value,
            look_again=names,
            systems_of_others=server_names.systems_of_others(self, role),
            may_recover=self._may_recover(role),
            former=server_names.endpoints_of(self, role),
        )

    def _may_recover(self, role: Role) -> bool:
        """Return whether a role's cluster may refuse every write: blue, from the pivot on."""
        pivot = self.fact("switchover") is not None
        return role is Role.OLD_BLUE or (role is Role.BLUE and pivot)

    @asynccontextmanager
    async def connect(self, role: Role, database: str = "") -> AsyncIterator[AsyncConnection]:
        """Lend a connection that has proved to be on the role's cluster, to one user at a time.

        Within one step the endpoint is looked up once and connections are kept: inside the fence
        every second counts. Each loan proves anew that the connection lives and where it is.
        Whoever waited for one that could not be made has waited for as long: it fails as well.

        Raises `CannotConnect`: whoever waited for a connection that cannot be made, too.
        """
        name = database or self.plan.credentials.maintenance_database
        began = time.monotonic()
        async with self._locks.setdefault((role, name), asyncio.Lock()):
            failed_at, error = self._failures.get((role, name), (began, None))
            if error is not None and failed_at > began:
                raise pg.CannotConnect(str(error), cause=error.cause)
            session = await self._session(role)
            try:
                connection = await session.on(name)
            except pg.CannotConnect as error:
                self._failures[role, name] = time.monotonic(), error
                raise
            yield connection

    async def _session(self, role: Role) -> pg.Session:
        async with self._locks.setdefault((role, ""), asyncio.Lock()):
            if role not in self._sessions:
                target = await self.target(role)
                self._sessions[role] = pg.Session(
                    target,
                    self.password_for(target),
                    deadline_s=self._connect_s,
                    hold=self.hold,
                )
            return self._sessions[role]

    def password_for(self, target: Target) -> pg.Password:
        """Return what fetches the password of the plan's user when it is needed."""
        return self.aws.password(self.plan.credentials, host=target.host, port=target.port)

    def takes_former_password(self, role: Role) -> bool:
        """Return whether the role's cluster was last entered with another than the plan's."""
        session = self._sessions.get(role)
        return session is not None and session.outdated

    def certified_as(self, role: Role) -> frozenset[str]:
        """Return the former endpoints of the role's cluster for which its certificate still is."""
        session = self._sessions.get(role)
        return frozenset() if session is None else frozenset(session.target.certified_as)

    def goes_by(self, role: Role) -> str:
        """Return that the role's cluster trails: it goes by a former name; empty: it does not."""
        session = self._sessions.get(role)
        if session is None:
            return ""
        names, hosts = session.target.known_since, session.target.certified_as
        said = (
            f"the server of {role.value} still calls itself {', '.join(sorted(names))}: its "
            "instance's former name, which is known by its resource id",
            f"the certificate of {role.value} is still for {', '.join(sorted(hosts))}, which this "
            "cluster bore before: former_names of the plan takes it",
        )
        return "; ".join(words for words, found in zip(said, (names, hosts), strict=True) if found)

    async def forget_connections(self) -> None:
        """Close what `connect` kept, so that the next step looks its endpoints up anew.

        A connection that is on loan is closed when it comes back.
        """
        forgotten, self._sessions = self._sessions, {}
        for role, session in forgotten.items():
            for database in session.databases:
                async with self._locks[role, database]:
                    await session.drop(database)

    def connector(
        self, target: Target, database: str, *, read_only: bool = False
    ) -> Callable[[], Awaitable[AsyncConnection]]:
        """Return what opens further connections of their own to a database of a target."""

        async def connect() -> AsyncConnection:
            return await pg.connect(
                target,
                self.password_for(target),
                database,
                deadline_s=self.plan.limits.connect_s,
                read_only=read_only,
                hold=self.hold,
            )

        return connect

    async def databases(self, role: Role) -> list[str]:
        """Return every database of the role's cluster that accepts connections."""
        async with self.connect(role) as connection:
            return await connectable_databases(connection)
