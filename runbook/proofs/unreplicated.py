"""Rows that have come to the publisher by a replication origin: the subscription is not sent them.

That they are missing shows in no lag. So it is kept in the journal once it was seen, also when what
brought them is gone, until a comparison of all rows has passed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from psycopg import AsyncConnection

from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.postgres import replication
from state.records import Json

FACT = "uncarried"
"""The fact that names what has brought such rows, on which publisher, and from where on such rows
count: where it stood when all rows were last proved to be equal."""


class Evidence(Protocol):
    """Keeps what was seen: a step's watch, or the journal with run and step given beforehand."""

    def __call__(self, text: str, *, key: str = "", value: Json = None) -> object: ...


@dataclass(frozen=True, slots=True)
class OriginPositions:
    """Where a publisher stood when its rows were equal to the subscriber's."""

    at: int = 0
    """Where its WAL ended, in bytes."""
    started: str = ""
    """When the server had started; empty: nobody looked."""
    remote: Mapping[str, int] | None = None
    """How far each of its origins had come in the WAL of where its rows come from; None: that
    could not be read."""

    def origins(self) -> dict[str, Json]:
        """Return what it says of the server's origins, as the journal keeps it."""
        return {
            "started": self.started,
            "remote": dict(self.remote or {}) if self.started else None,
        }


async def mark(connection: AsyncConnection) -> OriginPositions:
    """Return where a server stands now: what is compared afterwards covers it."""
    at = await replication.flushed(connection)
    positions = await replication.origin_positions(connection)
    if positions is None:
        return OriginPositions(at)
    known = {each.name: 0 for each in await replication.origins(connection) if each.name}
    remote = known | {name: position.remote for name, position in positions.items()}
    return OriginPositions(at, await replication.started(connection), remote)


def found(context: RunContext) -> tuple[str, ...]:
    """Return what has brought rows to the present publisher that were not compared since."""
    return tuple(_kept(context).get("found", ()))


def last_equal(context: RunContext) -> OriginPositions:
    """Return from where on rows count that have come by an origin: what was before is equal."""
    capture = context.fact("capture") or {}
    begins = (capture.get("from") or {}).values()
    captured = _mark(min(begins, default=0), capture.get("origins") or {})
    kept = _kept(context)
    compared = _mark(int(kept.get("past", 0)), kept.get("origins") or {})
    return max(captured, compared, key=lambda each: each.at)


def keep(context: RunContext, evidence: Evidence, words: Collection[str]) -> None:
    """Keep what has brought rows, beside what is known already."""
    known = found(context)
    new = [each for each in words if each not in known]
    if new:
        _keep(context, evidence, "; ".join(new), [*known, *new], last_equal(context))


def proved(context: RunContext, evidence: Evidence, past: OriginPositions) -> None:
    """Keep that all rows are equal, up to a mark of the publisher."""
    if found(context):
        _keep(context, evidence, "what came by replication origins is equal now", [], past)
    elif past.remote:
        # What its origins brought while nobody looked is among the rows.
        _keep(context, evidence, "whatever came by replication origins is equal", [], past)


def _mark(at: int, origins: Mapping[str, Json]) -> OriginPositions:
    remote = origins.get("remote")
    return OriginPositions(
        at, str(origins.get("started", "")), None if remote is None else dict(remote)
    )


def _kept(context: RunContext) -> dict[str, Json]:
    kept = context.fact(FACT) or {}
    return kept if kept.get("publisher") == current_pair(context).publisher.value else {}


def _keep(
    context: RunContext, evidence: Evidence, text: str, words: list[str], past: OriginPositions
) -> None:
    value = {
        "publisher": current_pair(context).publisher.value,
        "past": past.at,
        "origins": past.origins(),
        "found": words,
    }
    evidence(text, key=FACT, value=value)
