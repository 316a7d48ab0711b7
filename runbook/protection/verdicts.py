"""The verdict on the protection as everybody asks for it: kept, put up, and known still.

The watch alone makes one (`assess.py`) and journals it. Whoever asks here gets that one, or that it
is not known any more: a verdict is about one capture, and for a short time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from runbook.base.clocks import stale
from runbook.base.context import RunContext
from runbook.base.pair import VERIFIED, current_pair, detached
from runbook.base.step import Watch
from runbook.failures import StepFailed
from runbook.ownership.holder import LEFT_BEHIND
from runbook.proofs import diverged, unreplicated
from runbook.proofs.diverged import DIFFERENT
from runbook.protection import dashboard as boards
from runbook.protection.assess import JournalFacts, by_journal, row_alarms
from runbook.protection.dashboard import Dashboard, Production, Protection
from state.records import Json

FACT = "protection"
"""The latest verdict, as of when it last changed."""

SEEN_S = 60.0
"""How long a step waits for the watch to see the protection."""


def kept(context: RunContext, *, asked: bool = False) -> JournalFacts:
    """Return what the journal says now. `asked`: whether the switchover was called."""
    sides = current_pair(context)
    capture = context.fact("capture")
    return JournalFacts(
        left_behind=str(context.fact(LEFT_BEHIND) or ""),
        asked=asked,
        switched=context.fact("switchover") is not None,
        sides=sides,
        slots=dict(capture["slots"]) if capture else None,
        detached=detached(context, sides.subscriber),
        dropped=context.fact("slots") == [],
        verified=bool(context.fact(VERIFIED)),
        different=tuple(context.fact(DIFFERENT) or ()),
        differing=diverged.left(context),
        uncarried=unreplicated.found(context),
    )


def of_capture(context: RunContext) -> Mapping[str, Json]:
    """Return what tells the present capture from any other: slot -> where it began to keep."""
    return dict((context.fact("capture") or {}).get("from") or {})


def as_fact(context: RunContext, protection: Protection, *, lost: bool) -> dict[str, Json]:
    """Return a verdict as the journal keeps it."""
    return {
        "protected": protection.protected,
        "text": protection.text,
        "reasons": list(protection.reasons),
        "causes": list(protection.causes),
        "lost": lost,
        "of": of_capture(context),
        "at": context.now().isoformat(),
    }


def journaled(context: RunContext) -> Mapping[str, Json]:
    """Return the latest verdict of the present capture, or an empty mapping where there is none.

    One on a former capture says nothing of this one: the other direction, or slots that were lost.
    """
    found = context.fact(FACT) or {}
    return found if dict(found.get("of") or {}) == of_capture(context) else {}


def is_protected(context: RunContext) -> bool:
    """Return whether the run was last seen to be protected, and nothing says otherwise since."""
    if not journaled(context).get("protected") or detached(
        context, current_pair(context).subscriber
    ):
        return False
    unlike = context.fact(DIFFERENT) or diverged.left(context) or unreplicated.found(context)
    return not unlike and context.fact("slots") != []


def is_lost(context: RunContext) -> bool:
    """Return whether writes were last seen to be missing on the subscriber for good."""
    return bool(journaled(context).get("lost"))


def last_known(context: RunContext, dashboard: Dashboard) -> Protection:
    """Return the last verdict that was put up, less what the journal has learned since."""
    last = dashboard.protection
    if last.looking:
        last = replace(last, protected=last.before, at=last.before_at, looking=False)
    known = kept(context)
    at = last.at or context.now()
    if (decided := by_journal(known, at)) is not None:
        return decided if last.protected is True else last
    found = row_alarms(known, at)
    if last.protected is not True or not (known.different or found):
        return last
    words = (*known.different, *(alarm.words for alarm in found))
    return replace(last, protected=False, text=f"rows differ: {words[0]}", reasons=words)


def as_seen(context: RunContext, dashboard: Dashboard, *, watched: bool) -> Protection:
    """Return the verdict for whoever only reads: not known now, unless it is fresh.

    `watched` says that the process that put it up still lives. What was seen last, and when, stands
    in `before` and `before_at`.
    """
    last = last_known(context, dashboard)
    if watched and not stale(last.at, context.now(), context.plan.protection.fresh_s):
        return last
    return replace(last, protected=None, looking=False, before=last.protected, before_at=last.at)


def unreached(context: RunContext, *, fresh: bool = True) -> Production | None:
    """Return the cluster that serves, if it was looked for (lately, if `fresh`) in vain."""
    value = context.live()
    if value is None:
        return None
    found = boards.from_json(value).production
    late = stale(found.at, context.now(), context.plan.protection.fresh_s)
    return found if found.unreached and not (fresh and late) else None


def board_as_seen(context: RunContext, *, watched: bool) -> Dashboard | None:
    """Return the figures that were put up last, for whoever only reads; None where none ever were.

    Every output that does not watch by itself takes them from here: the same ones, with the same
    verdict.
    """
    value = context.live()
    if value is None:
        return None
    dashboard = boards.from_json(value)
    return replace(dashboard, protection=as_seen(context, dashboard, watched=watched))


def present(context: RunContext) -> Protection:
    """Return the verdict that the watch of this run has put up, if it is fresh; else not known."""
    value = context.live()
    if value is None:
        return Protection(None, "not looked at yet")
    found = boards.from_json(value).protection
    if stale(found.at, context.now(), context.plan.protection.fresh_s):
        return Protection(None, "not looked at lately", at=found.at)
    return found


async def await_protected(context: RunContext, watch: Watch, *, since: datetime, now: str) -> None:
    """Wait until the watch has seen the protection, by a verdict made after `since`.

    Raises `StepFailed` with its reasons where it does not come, or cannot; `now` says in words what
    is true then.
    """
    limits = context.plan.limits
    found = present(context)
    async for waited in watch.until(
        SEEN_S + limits.connect_s, every_s=limits.fast_poll_s, what="the protection"
    ):
        found = present(context)
        fresh = found.at is not None and found.at >= since
        if fresh and found.protected:
            return
        if (fresh and found.lost) or waited >= SEEN_S:
            break
        watch.progress(f"not protected yet: {found.text if fresh else 'looking'}")
    reasons = "; ".join(found.reasons) or found.text
    raise StepFailed(
        f"The run is not protected: {reasons}.",
        now=now,
        todo="m shows what can be repaired here. Then run the step again.",
    )
