"""Who feeds whom: the two sides of the way that is held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runbook.base import step_keys
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.postgres import replication

VERIFIED = "verified"
"""The fact that says when a known position was confirmed past on the way that is held; emptied when
a capture is made, or held again."""


@dataclass(frozen=True, slots=True)
class ReplicationPair:
    """The cluster whose slots keep every write, and the one that applies them."""

    publisher: Role
    subscriber: Role

    @classmethod
    def of(cls, publisher: Role) -> ReplicationPair:
        """Return the sides of the way that a capture on `publisher` holds open."""
        other = Role.NEW_BLUE if publisher is Role.BLUE_PRIME else Role.BLUE_PRIME
        return cls(publisher, other)

    @classmethod
    def to(cls, subscriber: Role) -> ReplicationPair:
        """Return the pair in which a cluster follows."""
        return cls.of(cls.of(subscriber).subscriber)

    @property
    def journey(self) -> str:
        """The way that these two hold open, as the subject of a sentence."""
        return "a rollback" if self.publisher is Role.NEW_BLUE else "going forward again"


def current_pair(context: RunContext) -> ReplicationPair:
    """Return the sides of the latest capture; before any, those that an upgrade will have."""
    return ReplicationPair.of(Role((context.fact("capture") or {}).get("publisher", Role.NEW_BLUE)))


def publication_name(context: RunContext) -> str:
    """Return the name of the run's publication, the same in every database."""
    return context.sql_name()


def slot_name(context: RunContext, databases: Sequence[str], database: str) -> str:
    """Return the name of a database's slot: slot names are cluster-wide, lower case and short.

    PostgreSQL allows `[a-z0-9_]` up to 63 bytes, so a database goes by its number in the list
    that the run recorded at its start.
    """
    return context.sql_name(str(sorted(databases).index(database) + 1))


def replication_role(context: RunContext) -> str:
    """Return the role that the subscription logs in with."""
    return context.sql_name()


def capture_fact(publisher: Role) -> str:
    """Return the key under which a publisher's capture is kept, held or not any more.

    The one that is held is kept under `capture` too: from it the sides of the way are told.
    """
    return f"capture.{publisher.slug}"


async def captured_databases(context: RunContext, role: Role) -> list[str]:
    """Return the databases that a publisher's capture covers: as recorded, else as they are now."""
    held_here = current_pair(context).publisher is role
    recorded = context.fact(capture_fact(role)) or (context.fact("capture") if held_here else None)
    if recorded is not None:
        return list(recorded["databases"])
    return await context.databases(role)


def held_databases(context: RunContext) -> list[str]:
    """Return the databases of the capture while its slots keep anything."""
    if context.fact("slots") == []:
        return []
    return list((context.fact("capture") or {}).get("databases", ()))


async def captured_slots(context: RunContext, publisher: Role) -> dict[str, str]:
    """Return the slot of each database that a publisher's capture covers."""
    databases = await captured_databases(context, publisher)
    return {database: slot_name(context, databases, database) for database in databases}


async def subscription(
    context: RunContext, subscriber: Role, database: str
) -> replication.Subscription | None:
    """Return the run's subscription in a database of a cluster, or None."""
    async with context.connect(subscriber, database) as connection:
        return await replication.subscription(connection, publication_name(context))


DETACHED = "detached"
"""The fact that lists which clusters follow nobody any more; emptied when one is subscribed."""


def detached(context: RunContext, role: Role) -> bool:
    """Return whether a cluster was detached and has not been subscribed anew since."""
    return role.value in (context.fact(DETACHED) or ())


def locked_roles(context: RunContext) -> tuple[str, ...]:
    """Return the roles from which this run took LOGIN, or may have.

    A role that had none before stays without.
    """
    roles = set(context.fact("roles.locked") or ())
    if context.begun(step_keys.STOP_TRAFFIC):
        roles |= set(context.fact("roles.able") or ())
    return tuple(sorted(roles))
