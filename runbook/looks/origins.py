"""What brings rows to the publisher that the subscription is not sent."""

from __future__ import annotations

from datetime import datetime

from runbook import uncarried
from runbook.alarm import Alarm, Cause, Seen
from runbook.postgres import replication
from runbook.postgres.replication import Origin
from runbook.postgres.statement import quoted
from runbook.roles import Role
from runbook.sides import held
from runbook.steps.capture import publication_name
from runbook.world import World


async def look(world: World) -> tuple[Seen, list[str]]:
    """Return what may bring such rows, and in words what has brought some since the capture."""
    sides, now = held(world), world.now()
    async with world.connect(sides.publisher) as connection:
        there = await replication.origins(connection)
        positions = await replication.origin_positions(connection) if there else {}
    if not there:
        return Seen(now, (), ""), []
    async with world.connect(sides.subscriber) as connection:
        if not await replication.passes_over_origins(connection, publication_name(world)):
            return Seen(now, (), ""), []
    alarms = tuple(_alarm(each, sides.publisher, now) for each in there if each.subscription)
    named = [each for each in there if each.name is not None]
    if positions is None:
        unknown = (
            f"whether rows come to {sides.publisher.value} by {_origin(named[0])} cannot be seen: "
            f"{world.plan.credentials.user} may not read pg_replication_origin_status"
            if named
            else ""
        )
        return Seen(now, alarms, unknown), []
    since = uncarried.proved_up_to(world)
    came = [
        f"rows came to {sides.publisher.value} by {_origin(each)}: they are not on "
        f"{sides.subscriber.value}"
        for each in named
        if positions.get(str(each.name), 0) > since
    ]
    return Seen(now, alarms, ""), came


def _origin(origin: Origin) -> str:
    if origin.subscription is not None:
        return f"the subscription {quoted(origin.subscription)} in {quoted(origin.database or '')}"
    return f"the replication origin {quoted(origin.name or '')}"


def _alarm(origin: Origin, publisher: Role, now: datetime) -> Alarm:
    state = "is enabled" if origin.enabled else "is there, disabled"
    return Alarm(
        Cause.ORIGIN,
        origin.database or "",
        f"subscription {origin.subscription}",
        f"{_origin(origin)} of {publisher.value} {state}: what it brings in does not travel",
        origin.enabled,
        now,
    )
