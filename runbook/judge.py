"""Whether taking the way that is held would lose nothing: the verdict behind the banner."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from runbook import differing, unlike
from runbook.alarm import Alarm, Cause, Seen
from runbook.board import Board, LagView, Protection, stale
from runbook.holder import LEFT_BEHIND
from runbook.sides import held
from runbook.steps.carry import DIFFERENT
from runbook.steps.detach import detached
from runbook.world import World

NAMED = 3
"""So many reasons of one look are given; the board holds all of them."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What the looks at the subscriber, and at both sides, saw last."""

    workers: Seen = field(default_factory=Seen)
    schemas: Seen = field(default_factory=Seen)
    strays: Seen = field(default_factory=Seen)
    objects: Seen = field(default_factory=Seen)
    """Roles, grants and code: what is not alike there loses no row, and is said on the banner."""
    schemas_fresh_s: float = 0.0
    """How old a comparison of the schemas may be: they are looked at the rarer the larger they are;
    never less than the plan's `fresh_s`."""


def judge(world: World, board: Board, looks: Looks, *, asked: bool = False) -> Protection:
    """Return whether taking the way now would lose nothing; anything not known is not good.

    `asked` says that the switchover was called, whether or not it was seen to be done.

    Protected means: every slot is there and not lost, every subscription enabled with its worker
    alive, lag under the plan's limits and fresh, no schema drift, no write on the subscriber but
    the apply workers', no table known to differ.
    """
    now = world.now()
    if holder := world.fact(LEFT_BEHIND):
        return Protection(None, f"this journal was left behind: {holder} holds the run", (), now)
    if world.fact("switchover") is None:
        if asked:
            return Protection(False, "the switchover was asked for, its end not seen yet", (), now)
        return Protection(False, "blue serves; abort loses nothing", (), now)
    capture = world.fact("capture")
    if not capture:
        return Protection(False, "no capture yet; return to old blue", ("no capture",), now)
    sides = held(world)
    if detached(world, sides.subscriber):
        words = f"{sides.subscriber.value} follows nobody any more"
        return Protection(False, words, ("detached",), now)
    if world.fact("slots") == []:
        return Protection(False, "no way back is held", ("the capture was dropped",), now)
    gone = [
        _alarm(Cause.SLOT, lag, f"slot {lag.slot} of {lag.database} is {lag.state}", now)
        for lag in board.lags
        if lag.state in ("missing", "lost")
    ]
    if gone:
        return _broken(gone, now, lost=True)
    if different := world.fact(DIFFERENT):
        # No lag and no drift can take that back: only a comparison that passes does.
        words = f"rows differed at the last comparison: {', '.join(different[:3])}"
        return Protection(False, words, tuple(different), now)
    lags, unknowns = lag_alarms(world, board, now)
    limit = world.plan.protection.fresh_s
    reasons: list[Alarm] = []
    for seen, fresh_s, late in (
        (looks.workers, limit, "the subscriptions were not looked at lately"),
        (looks.strays, limit, "stray writes were not looked for lately"),
        (looks.schemas, max(limit, looks.schemas_fresh_s), "the schemas were not compared lately"),
    ):
        if seen.at is None or stale(seen.at, now, fresh_s):
            unknowns.append(late)
        elif seen.unknown:
            unknowns.append(seen.unknown)
        else:
            reasons += seen.breaking[:NAMED]
    reasons += [*differing_alarms(world, now)[:NAMED], *lags]
    if reasons:
        return _broken(reasons, now)
    if unknowns:
        return Protection(None, unknowns[0], tuple(unknowns), now)
    return Protection(
        True,
        unlike.banner(sides.journey, sides.subscriber.value, looks.objects),
        tuple(alarm.words for alarm in looks.objects.alarms),
        now,
        causes=tuple(alarm.key for alarm in looks.objects.alarms),
    )


def lag_alarms(world: World, board: Board, now: datetime) -> tuple[list[Alarm], list[str]]:
    """Return what is wrong with the slots, and what about them is not known."""
    limit = world.plan.protection
    alarms: list[Alarm] = []
    unknowns: list[str] = []
    if not board.lags:
        unknowns.append("no lag was measured")
    for lag in board.lags:
        if lag.bytes is None or stale(lag.at, now, limit.fresh_s):
            unknowns.append(f"lag of {lag.database} is unknown: {lag.reason or 'stale'}")
        elif not lag.active and not lag.moment:
            words = f"slot {lag.slot} of {lag.database} feeds nobody"
            alarms.append(_alarm(Cause.SLOT, lag, words, now))
        elif lag.bytes > limit.lag_limit_bytes:
            words = f"lag of {lag.database} is {lag.bytes} bytes"
            alarms.append(_alarm(Cause.LAG, lag, words, now))
        elif lag.seconds is not None and lag.seconds > limit.lag_limit_s:
            words = f"lag of {lag.database} is {lag.seconds:.0f} s"
            alarms.append(_alarm(Cause.LAG, lag, words, now))
    return alarms, unknowns


def differing_alarms(world: World, now: datetime) -> list[Alarm]:
    """Return the tables that are known to differ and were neither re-copied nor given up."""
    return [
        Alarm(
            Cause.ROWS,
            table.database,
            f"table {table.schema}.{table.table}",
            table.words,
            True,
            now,
        )
        for table in differing.left(world)
    ]


def _alarm(cause: Cause, lag: LagView, words: str, now: datetime) -> Alarm:
    return Alarm(cause, lag.database, f"slot {lag.slot}", words, True, lag.at or now)


def _broken(alarms: list[Alarm], now: datetime, *, lost: bool = False) -> Protection:
    first = alarms[0]
    return Protection(
        False,
        f"capture held, {first.words}" if first.cause is Cause.WORKER else first.words,
        tuple(alarm.words for alarm in alarms),
        now,
        causes=tuple(alarm.key for alarm in alarms),
        lost=lost,
    )
