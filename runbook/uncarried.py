"""Rows that have come to the publisher by a replication origin: the subscription is not sent them.

That they are missing shows in no lag. So it is kept in the journal once it was seen, also when what
brought them is gone, until a comparison of all rows has passed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from runbook.sides import held
from runbook.world import World
from state.records import Json

FACT = "uncarried"
"""The fact that names what has brought such rows, on which publisher, and up to which position in
its WAL all rows were proved to be equal."""


class Evidence(Protocol):
    """Keeps what was seen: a step's watch, or the journal with run and step given beforehand."""

    def __call__(self, text: str, *, key: str = "", value: Json = None) -> object: ...


def found(world: World) -> tuple[str, ...]:
    """Return what has brought rows to the present publisher that were not compared since."""
    return tuple(_kept(world).get("found", ()))


def proved_up_to(world: World) -> int:
    """Return from where in the publisher's WAL on such rows count: what was before is equal."""
    begins = ((world.fact("capture") or {}).get("from") or {}).values()
    return max(min(begins, default=0), int(_kept(world).get("past", 0)))


def keep(world: World, evidence: Evidence, words: Collection[str]) -> None:
    """Keep what has brought rows, beside what is known already."""
    known = found(world)
    new = [each for each in words if each not in known]
    if new:
        _keep(world, evidence, "; ".join(new), [*known, *new], int(_kept(world).get("past", 0)))


def proved(world: World, evidence: Evidence, past: int) -> None:
    """Keep that all rows are equal, up to a position in the publisher's WAL (bytes)."""
    if found(world):
        _keep(world, evidence, "what came by replication origins is equal now", [], past)


def _kept(world: World) -> dict[str, Json]:
    kept = world.fact(FACT) or {}
    return kept if kept.get("publisher") == held(world).publisher.value else {}


def _keep(world: World, evidence: Evidence, text: str, words: list[str], past: int) -> None:
    value = {"publisher": held(world).publisher.value, "past": past, "found": words}
    evidence(text, key=FACT, value=value)
