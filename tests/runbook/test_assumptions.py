"""What a night shows of each assumption: confirmed, refuted, or not seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runbook.assumptions.judge import Verdict, judged
from runbook.assumptions.observation import PREFIX
from runbook.assumptions.page import table
from runbook.assumptions.table import ASSUMPTIONS
from runbook.base.kept import JournalReader
from state.enums import Outcome, Status, Track
from state.records import Attempt, Effect, Evidence

START = datetime(2026, 12, 1, 3, tzinfo=UTC)
DENIED = "permission denied for database orders"


@dataclass
class Kept(JournalReader):
    """A journal that holds what a test says."""

    tried: list[Attempt] = field(default_factory=list)
    seen: list[Evidence] = field(default_factory=list)

    def attempts(self, run: str) -> list[Attempt]:
        return self.tried

    def evidences(
        self, run: str, step: str | None = None, *, key: str | None = None
    ) -> list[Evidence]:
        return self.seen


def attempt(
    step: str,
    *effects: tuple[str, str],
    track: Track = Track.UPGRADE,
    failed: str = "",
    seconds: float = 5,
    after: float = 0,
) -> Attempt:
    """Return a try of a step, its effects as key and error; an empty one is a success."""
    began = START + timedelta(seconds=after)
    ended = began + timedelta(seconds=seconds)
    made = tuple(
        Effect(
            id=number,
            attempt=1,
            key=key,
            title=f"do {key}",
            preview="",
            intent_at=began,
            outcome=Outcome.FAILED if error else Outcome.SUCCEEDED,
            outcome_at=ended,
            detail={"error": error} if error else {},
            decided="",
        )
        for number, (key, error) in enumerate(effects)
    )
    return Attempt(
        id=1,
        run="r",
        entry=1,
        track=track,
        step=step,
        number=1,
        status=Status.FAILED if failed else Status.SUCCEEDED,
        started_at=began,
        ended_at=ended,
        message=failed,
        effects=made,
    )


def fact(key: str = "", value: Any = None, text: str = "", *, step: str = "s") -> Evidence:
    return Evidence(1, "r", None, step, key, text, value, START)


def observation(name: str, *, holds: bool) -> Evidence:
    return fact(PREFIX + name, {"holds": holds, "seen": "seen"})


LOCKED = attempt("stop-traffic", ("blue/lock-roles", ""))
NEWER = fact(step="preflight", text="warn: 18.4: AWS's guide does not say yet whether")
RESTARTED = [
    fact("capture", {}),
    fact("marks.new-blue", {"postmaster_started": (START + timedelta(hours=1)).isoformat()}),
]
OBSERVED = (
    "certificates-follow-names",
    "lock-of-old-blue-is-invisible",
    "servers-take-their-new-names",
    "slot-on-blue-prime",
)

SHOWN: dict[str, tuple[Kept, Kept]] = {
    "blue-green-from-18": (
        Kept([attempt("await-green")], [NEWER]),
        Kept([attempt("await-green", failed="The deployment is INVALID_CONFIGURATION")], [NEWER]),
    ),
    "logins-are-no-ddl": (
        Kept([LOCKED, attempt("switchover")]),
        Kept([LOCKED, attempt("switchover", failed="Replication degraded on green")]),
    ),
    "switchover-within-a-minute": (
        Kept([attempt("switchover", seconds=41)]),
        Kept([attempt("switchover", seconds=141)]),
    ),
    "counters-survive-the-switchover": (
        Kept(seen=[fact("fence", {"proved": True, "on": "new blue"}, step="create-slots")]),
        Kept(
            seen=[
                fact(
                    text="not told by counters (were reset): by the rows' own stamps",
                    step="create-slots",
                ),
                fact("fence", {"proved": True, "on": "new blue"}, step="create-slots"),
            ]
        ),
    ),
    "master-makes-publications-and-slots": (
        Kept([attempt("create-slots", ("blueprime_x/orders/publication", ""))]),
        Kept([attempt("create-slots", ("blueprime_x/orders/publication", DENIED))]),
    ),
    "deployment-goes-within-minutes": (
        Kept([attempt("delete-deployment", seconds=90)]),
        Kept([attempt("delete-deployment", seconds=900)]),
    ),
    "old-blue-stands-still": (
        Kept(seen=[fact(text="old blue is unchanged since the freeze (after the clone): no row")]),
        Kept([attempt("clone", failed="Old blue has changed since the freeze: table t")]),
    ),
    "clone-within-minutes": (
        Kept([attempt("clone", seconds=400)]),
        Kept([attempt("clone", seconds=4000)]),
    ),
    "blue-prime-reaches-new-blue": (
        Kept([attempt("subscribe")]),
        Kept([attempt("subscribe", failed="could not connect to the publisher")]),
    ),
    "master-makes-subscriptions": (
        Kept([attempt("subscribe", ("blue-prime/orders/subscription", ""))]),
        Kept([attempt("subscribe", ("blue-prime/orders/subscription", DENIED))]),
    ),
    "apply-despite-read-only": (
        Kept([attempt("verify-protection")]),
        Kept([attempt("verify-protection", failed="cannot INSERT in a read-only transaction")]),
    ),
    "repairs-may-copy-rows": (
        Kept([attempt("repair", ("blueprime_x/read", ""))]),
        Kept([attempt("repair", ("blueprime_x/read", DENIED))]),
    ),
    "slots-survive-a-failover": (
        Kept([attempt("drain", track=Track.ROLLBACK)], RESTARTED),
        Kept([attempt("drain", track=Track.ROLLBACK, failed="The slot a is gone")], RESTARTED),
    ),
    "blue-prime-publishes": (
        Kept([attempt("create-slots", track=Track.ROLLBACK)]),
        Kept([attempt("create-slots", track=Track.ROLLBACK, failed="wal_level is replica")]),
    ),
    "rename-within-minutes": (
        Kept([attempt("switch-endpoint", track=Track.ROLLBACK, seconds=240)]),
        Kept([attempt("switch-endpoint", track=Track.ROLLBACK, seconds=600)]),
    ),
    **{
        name: (
            Kept(seen=[observation(name, holds=True)]),
            Kept(seen=[observation(name, holds=False), observation(name, holds=True)]),
        )
        for name in OBSERVED
    },
}
"""For each assumption a night that confirms it, and one that speaks against it."""

NEVER_AGAINST = {"tags-within-seconds"}
"""A tag that is not shown is told from nothing else that a night keeps."""


def verdict(journal: JournalReader, name: str) -> Verdict:
    return next(each.verdict for each in judged(journal, "r") if each.assumption.id == name)


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_a_night_confirms_or_refutes(name: str) -> None:
    confirming, refuting = SHOWN[name]
    assert verdict(confirming, name) is Verdict.CONFIRMED
    assert verdict(refuting, name) is Verdict.REFUTED


def test_each_assumption_is_tried() -> None:
    assert {each.id for each in ASSUMPTIONS} == SHOWN.keys() | NEVER_AGAINST
    tagged = Kept(seen=[fact("holder", {"set": True})])
    assert verdict(tagged, "tags-within-seconds") is Verdict.CONFIRMED


def test_what_no_night_has_come_to_is_not_seen() -> None:
    assert {each.verdict for each in judged(Kept(), "r")} == {Verdict.NOT_SEEN}


def test_a_failure_of_another_kind_settles_nothing() -> None:
    throttled = Kept(
        [
            attempt("subscribe", ("blue-prime/orders/subscription", "Throttling"), failed="Rate"),
            attempt("create-slots", track=Track.ROLLBACK, failed="stopped by a person"),
        ]
    )
    assert {each.verdict for each in judged(throttled, "r")} == {Verdict.NOT_SEEN}


def test_the_page_has_the_table() -> None:
    page = Path(__file__).parents[2].joinpath("docs", "aurora.md").read_text("utf-8")
    assert table() in page
