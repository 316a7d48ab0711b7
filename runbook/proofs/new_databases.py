"""Databases that came to the publisher after the capture: not fed, so taking the way leaves them.

A person gives one up by name, or carries it by hand. The fact `databases.given-up` is struck out
once such a database is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from runbook.base.context import RunContext
from runbook.base.pair import ReplicationPair
from runbook.base.step import Watch
from runbook.failures import Refused
from runbook.postgres.statement import quoted
from runbook.proofs import schema_drift

HELD_DATABASES = (
    "while the way back is held, no database of new blue can be dropped (a slot reads it) or "
    "renamed (the slot's reader is connected to it): the server refuses. A new one is not "
    "replicated. Do all three before the switchover, or after commit or cleanup; until then close "
    "one to clients (REVOKE CONNECT)"
)
"""What whoever runs one database a tenant has to know beforehand."""


def gone_by_name(context: RunContext) -> str:
    """Return what is left behind by taking the way, as accepted by name; empty: nothing."""
    given_up = schema_drift.given_up(context)
    return f"{_named(given_up)}, given up by name" if given_up else ""


def not_fed(context: RunContext) -> str:
    """Return every database that the watch last saw not to be fed, in words; empty: none."""
    seen = [each.database for each in schema_drift.kept(context) if each.kind == "database"]
    found = sorted({*seen, *schema_drift.given_up(context)})
    return f"{_named(found)}, which came after the capture and was never fed" if found else ""


async def refuse_or_name(
    context: RunContext, watch: Watch, sides: ReplicationPair, captured: Collection[str]
) -> None:
    """Name what taking the way would leave behind; refuse where nobody has given it up by name.

    Raises `Refused`.
    """
    there = [name for name in await context.databases(sides.publisher) if name not in captured]
    given_up = [name for name in there if name in schema_drift.given_up(context)]
    if left := [name for name in there if name not in given_up]:
        raise Refused(
            f"{_named(left)} came to {sides.publisher.value} after the capture, and is not on "
            f"{sides.subscriber.value}: {sides.journey} would lose it.",
            now="Nothing was changed.",
            todo="Give it up by name, or see how it is carried by hand: m, or blueprime repair. "
            "Then run the step again.",
        )
    if given_up:
        watch.evidence(
            f"left behind on {sides.publisher.value}, as given up by name: {_named(given_up)}"
        )


def _named(names: Iterable[str]) -> str:
    every = [quoted(name) for name in names]
    return f"database{'s' if len(every) > 1 else ''} {', '.join(every)}"
