"""An invented night, with everything in it that a report has to tell."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from state import ending, insert, writing
from state.enums import Outcome, Result, Status, Track
from state.journal import Journal
from state.records import Sample
from tests.state.invented import start

BEGAN = datetime(2026, 5, 2, 23, 0, 0, 250_000, tzinfo=UTC)


class Clock:
    """A clock that goes on by a tenth of a second with each look at it, and when told to."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=100)
        return self.now

    def passes(self, **time: float) -> None:
        self.now += timedelta(**time)


@contextmanager
def clock() -> Iterator[Clock]:
    clock = Clock()
    with (
        patch.object(writing, "now", clock),
        patch.object(insert, "now", clock),
        patch.object(ending, "now", clock),
        patch.object(ending, "unset", lambda: (clock.now - BEGAN).total_seconds()),
    ):
        yield clock


def live_through(journal: Journal) -> None:
    """Write an upgrade that was rolled back, with a failure and an unknown on its way."""
    with clock() as time:
        run = start(journal, "k2f9", cluster="orders | `prod`").id
        _upgrade(journal, run, time)
        _rollback(journal, run, time)
        journal.close_run(run, Result.ROLLED_BACK)


def _upgrade(journal: Journal, run: str, time: Clock) -> None:
    attempt = journal.begin_attempt(run, "identify").id
    journal.evidence(run, "identify", "orders is 16.14, of 2 instances", attempt=attempt)
    journal.end_attempt(attempt, Status.SUCCEEDED)

    attempt = journal.begin_attempt(run, "create-deployment").id
    effect = journal.intend(
        attempt,
        "bp-k2f9",
        "Create deployment bp-k2f9",
        "rds.CreateBlueGreenDeployment(\n  BlueGreenDeploymentName='bp-k2f9',\n"
        "  MasterUserPassword='hunter2',\n)",
    )
    time.passes(seconds=9)
    journal.settle(effect, Outcome.FAILED, {"error": "Throttling | try `later`\nRate exceeded"})
    journal.end_attempt(attempt, Status.FAILED, "AWS throttled. Nothing was made. Try again.")

    time.passes(minutes=3)
    attempt = journal.begin_attempt(run, "create-deployment").id
    effect = journal.intend(attempt, "bp-k2f9", "Create deployment bp-k2f9", "```\nfenced\n```")
    time.passes(minutes=11)
    journal.mark_unknown(run)
    journal.event(run, "open", "opened by ann")
    journal.resolve(effect, Outcome.ADOPTED, who="ann", reason="the list has it")
    journal.resolve_attempt(attempt, Status.SUCCEEDED, who="ann", reason="it is AVAILABLE")

    journal.decide(run, "switchover", "pivot", who="ann", typed="orders")
    attempt = journal.begin_attempt(run, "switchover").id
    journal.evidence(
        run,
        "switchover",
        "guardrails passed",
        key="downtime.upgrade",
        value={
            "started_at": "2026-05-02T23:15:02.500000Z",
            "ended_at": "2026-05-02T23:15:09.900000Z",
            "seconds": 7.4,
        },
    )
    journal.end_attempt(attempt, Status.SUCCEEDED)
    journal.evidence(run, "create-slots", "", key="slots", value=["bp_k2f9_orders"])
    journal.event(run, "protection", "protected: capture held, blue prime applying")
    journal.event(run, "wait", "a heartbeat that nobody wants to read")
    journal.set_result(run, Result.PROTECTED)
    lags: list[float | None] = [0.0, 1_258_291.2, None]
    journal.samples(
        run,
        [
            Sample(time.now + timedelta(seconds=n), "lag_bytes", "bp_k2f9_orders", lag)
            for n, lag in enumerate(lags)
        ]
        + [Sample(time.now, "lag_seconds", "bp_k2f9_orders", None)],
    )
    time.passes(hours=1, minutes=5)


def _rollback(journal: Journal, run: str, time: Clock) -> None:
    journal.set_result(run, None)
    journal.enter_track(
        run,
        Track.ROLLBACK,
        variant="blue-prime",
        from_step="bake",
        reason="<slow> *since* 23:20",
    )
    attempt = journal.begin_attempt(run, "drop-subscriptions").id
    effect = journal.intend(
        attempt,
        "bp_k2f9_orders",
        "Drop subscription `bp_k2f9|orders` \x1b[31m",
        'ALTER SUBSCRIPTION "bp ``k2f9``" DISABLE;\nDROP SUBSCRIPTION "bp ``k2f9``";',
    )
    journal.settle(effect, Outcome.UNKNOWN, {"error": "the connection was lost"})
    journal.end_attempt(attempt, Status.UNKNOWN, "Whether it happened is not known.")
    attempt = journal.begin_attempt(run, "drop-subscriptions").id
    effect = journal.intend(attempt, "bp_k2f9_orders", "Drop subscription", "")
    journal.settle(effect, Outcome.ADOPTED, {"seen": "it is gone"})
    journal.end_attempt(attempt, Status.SUCCEEDED)
    journal.event(run, "note", "told the team")
    journal.evidence(run, "resume-traffic", "", key="slots", value=[])
    journal.evidence(
        run,
        "resume-traffic",
        "12 writers are back",
        key="downtime.rollback",
        value={"started_at": "2026-05-03T00:21:00.000000Z", "ended_at": None, "seconds": None},
    )
