"""Moments of the invented night in which something has gone wrong."""

from __future__ import annotations

from dataclasses import replace

from runbook.base.alert import Alert, Cause
from runbook.base.downtime import Downtime
from runbook.base.offer import Pending
from runbook.failures import Answer, Finding
from runbook.protection.dashboard import Dashboard, Fence, Protection, TrafficView, Trend
from state.enums import HandoverKind, Outcome, Status
from state.errors import JournalUnusable
from state.records import Handover
from tests.tui import scenes
from tests.tui.fake import FakeRun, Tried, ago

EXPIRED = "The AWS credentials have expired (ExpiredToken at rds:DescribeDBClusters)."
LOST = "orders.cluster-c1.us-east-1.rds.amazonaws.com:5432 does not answer (timed out after 3 s)"


def switchover_returned() -> FakeRun:
    """AWS called the switchover off; the applications are still down."""
    run = scenes.before_switchover()
    run.tried["switchover"] = Tried(
        Status.FAILED,
        48.0,
        "AWS called the switchover off (SWITCHOVER_FAILED): replica lag was too high.\n"
        "Blue bears the name orders and holds every write; the applications are still stopped.\n"
        "Branch to abort, which lets them in first; or wait for the lag and run the step again.",
        outcomes=(Outcome.FAILED,),
    )
    run.figures = replace(
        run.figures,
        clusters=(
            scenes.cluster("blue", "orders", "16.14", serves=True, frozen=True),
            scenes.cluster("green", "orders-green-k2f9qa", "18.4", frozen=True),
        ),
        green_lags=(replace(scenes.LAGS[0], slot="rds_orders"), replace(scenes.LAGS[1])),
        downtime=Downtime(ago(97.2), track="upgrade"),
        deployment="SWITCHOVER_FAILED",
        protection=Protection(False, "blue serves; abort loses nothing", at=ago(1)),
    )
    return run


def credentials_expired() -> FakeRun:
    """The credentials ended while blue prime was being made; the databases still answer."""
    run = scenes.failed()
    run.tried["clone"] = Tried(
        Status.FAILED,
        34.0,
        f"{EXPIRED}\n"
        "It did not happen. What AWS was doing goes on.\n"
        "Log in again (e.g. `aws sso login`) in another terminal, then run the step again.",
        outcomes=(Outcome.FAILED,),
    )
    run.figures = replace(
        run.figures,
        clusters=tuple(replace(view, error=EXPIRED, at=ago(64)) for view in run.figures.clusters),
        at=ago(1),
    )
    return run


def everything_lost() -> FakeRun:
    """Neither AWS nor the database answers, and it was protected when they last did."""
    run = scenes.protected()
    unreachable = "rds.us-east-1.amazonaws.com cannot be reached"
    run.figures = replace(
        run.figures,
        clusters=tuple(
            replace(view, error=unreachable, at=ago(372)) for view in run.figures.clusters
        ),
        lags=tuple(
            replace(lag, bytes=None, seconds=None, active=None, state="unknown", reason=LOST)
            for lag in scenes.LAGS
        ),
        traffic=TrafficView(Fence.OPEN, None, 24, 214.0, LOST, ago(372)),
        protection=Protection(
            None,
            f"lag of orders is unknown: {LOST}",
            (
                f"lag of orders is unknown: {LOST}",
                f"blue prime cannot be asked: {unreachable}",
                "the schemas were not compared lately",
            ),
            ago(1),
        ),
    )
    return run


def unprotected() -> FakeRun:
    """A slot was lost while baking: the way back is not whole any more."""
    run = scenes.protected()
    reason = "slot bp_k2f9qa_1 of orders is lost"
    run.figures = replace(
        run.figures,
        lags=(
            replace(
                scenes.LAGS[0],
                bytes=None,
                seconds=None,
                active=None,
                state="lost",
                reason="the slot is lost (wal_removed)",
            ),
            scenes.LAGS[1],
        ),
        protection=Protection(False, reason, (reason,), ago(1)),
        alarms=(Alert(Cause.SLOT, "orders", "slot", reason, True, ago(1), ago(75)),),
    )
    run.history += scenes.events(("protection", f"not protected: {reason}"))
    run.offered = [
        replace(
            scenes.WAYS[2],
            available=False,
            recommended=False,
            why_not="a slot is gone: blue prime misses the writes since then",
        ),
        scenes.WAYS[3],
    ]
    return run


def warned() -> FakeRun:
    """Protected, and falling behind; a slot comes near its limit, a sequence to its end."""
    run = scenes.protected()
    warnings = (
        Alert(
            Cause.SLOT,
            "orders",
            "slot bp_k2f9qa_1",
            "slot bp_k2f9qa_1 is lost in about 2 h at the present rate: max_slot_wal_keep_size is "
            "reached then",
            False,
            ago(1),
            ago(340),
        ),
        Alert(
            Cause.SEQUENCE,
            "billing",
            "new-blue invoice",
            'sequence "public"."invoice_id_seq" in billing of new blue has 3.1 % of its range left',
            False,
            ago(20),
            ago(4000),
        ),
    )
    run.figures = replace(
        run.figures,
        lags=(
            replace(
                scenes.LAGS[0],
                bytes=48_234_496,
                seconds=14.0,
                trend=Trend.FALLING_BEHIND,
                kept_bytes=312_475_648,
                safe_bytes=7_516_192_768,
                lost_in_s=7100.0,
            ),
            replace(
                scenes.LAGS[1],
                bytes=21_234_496,
                trend=Trend.CATCHING_UP,
                caught_up_in_s=174.0,
                kept_bytes=33_554_432,
            ),
        ),
        alarms=warnings,
        strays_since=ago(3600),
    )
    return run


def watched() -> FakeRun:
    """Another operator's process acts; here it is only looked on."""
    run = scenes.during_downtime()
    run.writable, run.holder = False, scenes.HOLDER
    return run


def handed_over() -> FakeRun:
    """Another machine acts; what stands here is what was known when it was given away."""
    run = scenes.protected()
    run.writable, run.holder = False, None
    run.away = Handover(
        "k2f9qa", HandoverKind.GIVEN, "mira", "db-ops-3", "db-ops-7", "ab" * 32, ago(5400)
    )
    run.figures = replace(run.figures, at=ago(5400))
    return run


def looking() -> FakeRun:
    """Just opened: not everything was looked at yet."""
    run = scenes.protected()
    run.figures = replace(
        run.figures,
        clusters=tuple(replace(view, at=ago(260)) for view in run.figures.clusters),
        lags=tuple(replace(lag, at=ago(260)) for lag in scenes.LAGS),
        protection=Protection(
            None, "looking…", at=ago(0), looking=True, before=True, before_at=ago(260)
        ),
    )
    return run


def journal_failing() -> FakeRun:
    """The disk under the journal is full, in the middle of the outage."""
    run = scenes.before_switchover()
    run.figures = replace(
        run.figures,
        downtime=Downtime(ago(41.5), track="upgrade"),
        journal_error=str(full_disk()),
    )
    return run


def full_disk() -> JournalUnusable:
    """Return what the journal raises when its disk is full."""
    from pathlib import Path

    return JournalUnusable(
        Path("/var/lib/blueprime/journal.db"),
        "The disk is full.",
        now="Nothing was written.",
        todo="Make room, then try again.",
    )


def inside_the_fence() -> FakeRun:
    """Killed inside the fence: three effects unknown, the applications down for twelve minutes."""
    run = scenes.before_switchover()
    steps = [script.key for script in scenes.UPGRADE[:6]]
    run.tried = scenes.done(*steps)
    run.tried["create-slots"] = Tried(
        Status.UNKNOWN,
        1.0,
        "The process that tried it ended meanwhile.",
        outcomes=(Outcome.SUCCEEDED, Outcome.UNKNOWN, Outcome.UNKNOWN),
    )
    run.figures = Dashboard(
        clusters=(
            scenes.cluster("new blue", "orders", "18.4", serves=True, frozen=True),
            scenes.cluster("old blue", "orders-old1", "16.14", frozen=True),
        ),
        traffic=TrafficView(Fence.PROVED, ago(731), 0, 0.0, at=ago(1)),
        protection=Protection(False, "no capture yet; return to old blue", at=ago(1)),
        downtime=Downtime(ago(744.2), track="upgrade"),
        at=ago(1),
    )
    run.history = scenes.events(
        ("decision", "decision: mira said yes to pivot at stop-traffic"),
        ("effect", "intent: create slot bp_k2f9qa_1 in orders"),
        ("effect", "intent: create slot bp_k2f9qa_2 in billing"),
        ("open", "opened by jon"),
    )
    run.history = [
        replace(event, at=ago(731)) if event.kind != "open" else event for event in run.history
    ]
    run.pending = _slots_unknown()
    run.offered = scenes.WAYS
    return run


def _slots_unknown() -> list[Pending]:
    pending = scenes.unknown().pending[0]
    return [
        replace(
            pending,
            step="create-slots",
            effect=replace(
                pending.effect,
                id=8 + index,
                key=f"bp_k2f9qa_{index + 1}",
                title=title,
                preview=call,
                intent_at=ago(731),
                detail={"error": "Its outcome was not seen."},
            ),
            finding=finding,
            offers=offers,
        )
        for index, ((title, call), finding, offers) in enumerate(
            (
                (
                    scenes.UPGRADE[6].effects[1],
                    Finding(Answer.YES, "slot bp_k2f9qa_1 is there, at 0/5A3B1C8"),
                    ("adopt", "branch"),
                ),
                (
                    scenes.UPGRADE[6].effects[2],
                    Finding(Answer.UNKNOWN, f"it could not be looked at: {LOST}"),
                    ("adopt", "retry", "failed", "branch"),
                ),
            )
        )
    ]
