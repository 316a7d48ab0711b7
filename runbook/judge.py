"""Whether a rollback now would lose nothing: the verdict behind the banner."""

from __future__ import annotations

from datetime import datetime

from runbook import differing
from runbook.board import Board, Protection, age
from runbook.steps.carry import DIFFERENT
from runbook.world import World

DRIFT_EVERY_S = 10.0
"""The pause between two looks for schema drift: one query a database on both sides."""


def judge(
    world: World,
    board: Board,
    subscribed: tuple[bool | None, str],
    drift: tuple[str, ...] | None,
    drift_at: datetime | None,
    *,
    asked: bool = False,
) -> Protection:
    """Return whether a rollback now would lose nothing; anything not known is not good.

    `asked` says that the switchover was called, whether or not it was seen to be done.

    Protected means: every slot is there and not lost, every subscription enabled with its worker
    alive, lag under the plan's limits and fresh, no schema drift, no write on blue prime but the
    apply workers'.
    """
    now = world.now()
    if world.fact("switchover") is None:
        if asked:
            return Protection(False, "the switchover was asked for, its end not seen yet", (), now)
        return Protection(False, "blue serves; abort loses nothing", (), now)
    capture = world.fact("capture")
    if not capture:
        return Protection(False, "no capture yet; return to old blue", ("no capture",), now)
    if world.fact("detached"):
        return Protection(False, "blue prime follows nobody any more", ("detached",), now)
    if world.fact("slots") == []:
        return Protection(False, "no way back is held", ("the capture was dropped",), now)
    gone = [
        f"slot {lag.slot} of {lag.database} is {lag.state}"
        for lag in board.lags
        if lag.state in ("missing", "lost")
    ]
    if gone:
        return Protection(False, gone[0], tuple(gone), now, lost=True)
    if unlike := [f"rows differ: {each}" for each in differing.left(world)]:
        return Protection(False, unlike[0], tuple(unlike), now)
    if different := world.fact(DIFFERENT):
        # No lag and no drift can take that back: only a comparison that passes does.
        words = f"rows differed at the last comparison: {', '.join(different[:3])}"
        return Protection(False, words, tuple(different), now)
    known, reason = subscribed
    if known is False:
        return Protection(False, f"capture held, {reason}", (reason,), now)
    reasons, unknowns = _lag_reasons(world, board, now)
    if known is None:
        unknowns.append(reason)
    limit = world.plan.protection
    drift_age = age(drift_at, now)
    if drift is None or drift_age is None or drift_age > max(3 * DRIFT_EVERY_S, limit.fresh_s):
        unknowns.append("the schemas were not compared lately")
    else:
        reasons += drift[:3]
    if reasons:
        return Protection(False, reasons[0], tuple(reasons), now)
    if unknowns:
        return Protection(None, unknowns[0], tuple(unknowns), now)
    return Protection(True, "a rollback now would lose nothing", (), now)


def _lag_reasons(world: World, board: Board, now: datetime) -> tuple[list[str], list[str]]:
    """Return what is wrong with the slots, and what about them is not known."""
    limit = world.plan.protection
    reasons: list[str] = []
    unknowns: list[str] = []
    if not board.lags:
        unknowns.append("no lag was measured")
    for lag in board.lags:
        seen = age(lag.at, now)
        if lag.bytes is None or seen is None or seen > limit.fresh_s:
            unknowns.append(f"lag of {lag.database} is unknown: {lag.reason or 'stale'}")
        elif not lag.active:
            reasons.append(f"slot {lag.slot} of {lag.database} feeds nobody")
        elif lag.bytes > limit.lag_limit_bytes:
            reasons.append(f"lag of {lag.database} is {lag.bytes} bytes")
        elif lag.seconds is not None and lag.seconds > limit.lag_limit_s:
            reasons.append(f"lag of {lag.database} is {lag.seconds:.0f} s")
    return reasons, unknowns
