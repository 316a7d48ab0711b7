"""What the databases of one cluster tell of a run: slots, subscriptions, who may log in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from psycopg import AsyncConnection

from runbook.base.context import RunContext
from runbook.base.pair import publication_name, replication_role
from runbook.base.roles import Role
from runbook.postgres import activity, catalog, existence, replication
from runbook.postgres.comparison import fenced
from runbook.postgres.replication import Subscription
from runbook.postgres.target import APPLICATION_NAME
from runbook.proofs import write_fence


class Traffic(StrEnum):
    """Whether applications may write on a cluster, as far as can be seen."""

    OPEN = "open"
    """Sessions of theirs are there."""
    LET_IN = "let in"
    """They may log in; none is seen."""
    CLOSED = "closed"
    """None of their roles may log in."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class OwnSlot:
    """A slot of the run."""

    name: str
    number: int
    database: str
    used: bool
    """Whether anything was ever read from it, by the server's own statistics."""
    confirmed: int | None
    """Up to where its reader has confirmed, as a WAL position in bytes."""


@dataclass(frozen=True, slots=True)
class Side:
    """One look at one cluster."""

    databases: tuple[str, ...]
    read_only: Mapping[str, bool]
    """Whether ALTER DATABASE ... SET makes it so, for each database."""
    able: frozenset[str]
    """Application roles that may log in."""
    locked: frozenset[str]
    """Application roles that exist and may not."""
    sessions: int
    replication_role: bool
    publications: frozenset[str]
    """The databases that have the run's publication."""
    slots: tuple[OwnSlot, ...]
    subscriptions: Mapping[str, Subscription]
    """The run's subscription in each database that has one."""

    @property
    def captured(self) -> bool:
        """Whether anything of a capture of the run is here, a part of it or all."""
        return bool(self.slots or self.publications or self.replication_role)

    def traffic(self, *, roles_locked: bool) -> Traffic:
        """Return whether applications may write here.

        `roles_locked`: whether this run's plan takes LOGIN from their roles to stop them. If not,
        that they may log in says nothing.
        """
        if self.sessions:
            return Traffic.OPEN
        if not roles_locked or not (self.able or self.locked):
            return Traffic.UNKNOWN
        return Traffic.LET_IN if self.able else Traffic.CLOSED


async def look(context: RunContext, role: Role) -> Side:
    """Look at a role's cluster. Raises what connecting raises."""
    names = list(context.plan.traffic.application_roles)
    async with write_fence.connections(context, role) as opened:
        first = next(iter(opened.values()))
        seen = await activity.look(first, names)
        able, locked = await _roles(first, names)
        read_only: dict[str, bool] = {}
        publications: set[str] = set()
        subscriptions: dict[str, Subscription] = {}
        for database, connection in opened.items():
            state = await catalog.read_only_state(connection)
            read_only[database] = state.database_setting == "on"
            if await replication.publication_exists(connection, publication_name(context)):
                publications.add(database)
            found = await replication.subscription(connection, publication_name(context))
            if found is not None:
                subscriptions[database] = found
        return Side(
            databases=tuple(opened),
            read_only=read_only,
            able=able,
            locked=locked,
            sessions=seen.sessions,
            replication_role=await replication.role_exists(first, replication_role(context)),
            publications=frozenset(publications),
            slots=await _slots(first, context.sql_name()),
            subscriptions=subscriptions,
        )


async def other_sessions(context: RunContext, role: Role) -> int:
    """Count the sessions of other blueprimes on a cluster: one may hold the run."""
    async with context.connect(role) as connection:
        return await existence.other_sessions(connection, APPLICATION_NAME)


async def _roles(
    connection: AsyncConnection, names: Sequence[str]
) -> tuple[frozenset[str], frozenset[str]]:
    cursor = await connection.execute(
        "SELECT rolname, rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = ANY (%s)",
        (list(names),),
    )
    rows = await cursor.fetchall()
    return frozenset(name for name, can in rows if can), frozenset(n for n, can in rows if not can)


async def _slots(connection: AsyncConnection, prefix: str) -> tuple[OwnSlot, ...]:
    # From 14 on what was decoded is counted; where the count was reset a used slot looks unused.
    counted = connection.info.server_version >= 140000
    cursor = await connection.execute(
        "SELECT s.slot_name, s.database, s.active OR t.total_txns > 0,"
        " (s.confirmed_flush_lsn - '0/0')::bigint"
        " FROM pg_catalog.pg_replication_slots AS s"
        " LEFT JOIN pg_catalog.pg_stat_replication_slots AS t USING (slot_name)"
        " WHERE s.slot_type = 'logical' ORDER BY s.slot_name"
        if counted
        else "SELECT slot_name, database, active, (confirmed_flush_lsn - '0/0')::bigint"
        " FROM pg_catalog.pg_replication_slots WHERE slot_type = 'logical' ORDER BY slot_name"
    )
    found = []
    for name, database, used, confirmed in await cursor.fetchall():
        number = str(name).removeprefix(f"{prefix}_")
        if number != name and number.isdecimal():
            found.append(OwnSlot(name, int(number), database, bool(used), confirmed))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Rows:
    """Whether two clusters hold the same rows. None: not all could be compared in time."""

    same: bool | None
    words: str


async def same_rows(context: RunContext, left: Role, right: Role, databases: Sequence[str]) -> Rows:
    """Compare the rows of two clusters, within the time that the plan gives the fence."""
    first, second = await context.target(left), await context.target(right)
    differ: list[str] = []
    uncertain: list[str] = []
    for database in databases:
        result = await fenced.compare_databases(
            context.connector(first, database),
            context.connector(second, database),
            budget_s=context.plan.fence.limit_s / len(databases),
            parallel=context.plan.compare.parallel,
        )
        differ += [f"{database}: {t.schema}.{t.table}" for t in result.different]
        uncertain += [f"{database}: {t.schema}.{t.table}" for t in result.unproved]
    if differ:
        return Rows(False, f"{left.value} and {right.value} differ in {', '.join(differ[:3])}")
    if uncertain:
        return Rows(None, f"not compared in time: {', '.join(uncertain[:3])}")
    return Rows(True, f"every row of {left.value} equals {right.value}'s")
