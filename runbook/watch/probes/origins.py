"""What brings rows to the publisher that the subscription is not sent."""

from __future__ import annotations

from datetime import datetime

from runbook.base.alert import Alert, Cause, ProbeResult
from runbook.base.context import RunContext
from runbook.base.pair import current_pair, publication_name
from runbook.base.roles import Role
from runbook.postgres import replication
from runbook.postgres.replication import Origin, OriginPosition
from runbook.postgres.statement import quoted
from runbook.proofs import unreplicated
from runbook.proofs.unreplicated import OriginPositions


async def look(context: RunContext) -> tuple[ProbeResult, list[str]]:
    """Return what may bring such rows, and in words what has brought some since the capture."""
    sides, now = current_pair(context), context.now()
    async with context.connect(sides.publisher) as connection:
        there = await replication.origins(connection)
        if not there:
            return ProbeResult(now, (), ""), []
        positions = await replication.origin_positions(connection)
        started = await replication.started(connection)
    async with context.connect(sides.subscriber) as connection:
        if not await replication.passes_over_origins(connection, publication_name(context)):
            return ProbeResult(now, (), ""), []
    alarms = tuple(_alarm(each, sides.publisher, now) for each in there if each.subscription)
    named = [each for each in there if each.name is not None]
    if positions is None:
        unknown = (
            f"whether rows come to {sides.publisher.value} by {_origin(named[0])} cannot be seen: "
            f"{context.plan.credentials.user} may not read pg_replication_origin_status"
            if named
            else ""
        )
        return ProbeResult(now, alarms, unknown), []
    mark = unreplicated.last_equal(context)
    came, untold = [], []
    for each in named:
        wrote = _wrote(positions.get(str(each.name)), str(each.name), started, mark)
        if not wrote and await _has_copied_since(context, sides.publisher, each, mark):
            wrote = True
        if wrote is None:
            untold.append(each)
        elif wrote:
            came.append(
                f"rows came to {sides.publisher.value} by {_origin(each)}: they are not on "
                f"{sides.subscriber.value}"
            )
    unknown = "; ".join(
        f"whether rows came to {sides.publisher.value} by {_origin(each)} before that server "
        "started anew is not known: a comparison of all rows tells"
        for each in untold
    )
    return ProbeResult(now, alarms, unknown), came


def _wrote(
    position: OriginPosition | None, name: str, started: str, mark: OriginPositions
) -> bool | None:
    """Return whether an origin has written since a mark; None: that is not known.

    Up to where it has written in the server's own WAL is forgotten by a restart and a failover.
    How far it has come at its source is not: one that stands where it stood has written nothing,
    unless whoever writes by it never says how far it is (then it stands at 0).
    """
    remote, local = (position.remote, position.local) if position else (0, 0)
    if local:
        return local > mark.at
    known = 0 if mark.remote is None else mark.remote.get(name, 0)
    if started == mark.started and remote >= known:
        return False
    if mark.remote is None or name not in mark.remote or remote < known or not remote:
        return None
    return remote > known


async def _has_copied_since(
    context: RunContext, publisher: Role, origin: Origin, mark: OriginPositions
) -> bool:
    """Return whether a subscription that came after the mark has copied rows: they bear an origin
    of their own, which is gone once they are there.
    """
    if origin.subscription is None or mark.remote is None or str(origin.name) in mark.remote:
        return False
    async with context.connect(publisher, origin.database or "") as connection:
        return await replication.has_copied(connection, origin.subscription)


def _origin(origin: Origin) -> str:
    if origin.subscription is not None:
        return f"the subscription {quoted(origin.subscription)} in {quoted(origin.database or '')}"
    return f"the replication origin {quoted(origin.name or '')}"


def _alarm(origin: Origin, publisher: Role, now: datetime) -> Alert:
    state = "is enabled" if origin.enabled else "is there, disabled"
    return Alert(
        Cause.ORIGIN,
        origin.database or "",
        f"subscription {origin.subscription}",
        f"{_origin(origin)} of {publisher.value} {state}: its rows are not replicated",
        origin.enabled,
        now,
    )
