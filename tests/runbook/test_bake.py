"""The steps that wait for what a person, or the watch, has to bring: said of what is so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Watch
from runbook.failures import StepFailed
from runbook.postgres import activity
from runbook.postgres.activity import Activity
from runbook.procedure.steps.protect.verify import Bake
from runbook.procedure.steps.traffic import ResumeTraffic
from runbook.protection import verdicts
from runbook.protection.dashboard import Dashboard, Protection
from runbook.protection.verdicts import SEEN_S
from runbook.watch.listing import Listing, WatchContext
from runbook.watch.probes import clusters

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


class Seen:
    """A watch whose waits take no time, one look a second."""

    def __init__(self) -> None:
        self.evidences: list[str] = []
        self.waits: list[str] = []

    def evidence(self, text: str, *, key: str = "", value: Any = None) -> None:
        self.evidences.append(text)

    def progress(self, text: str, fraction: float | None = None, *, to_do: bool = False) -> None:
        self.waits.append(text)

    async def until(self, limit_s: float, *, every_s: float, what: str) -> AsyncIterator[float]:
        for waited in range(int(limit_s) + 1):
            yield float(waited)


def context(facts: dict[str, Any], *, roles: tuple[str, ...] = ("app",)) -> RunContext:
    limits = SimpleNamespace(connect_s=5, fast_poll_s=1, start_s=3)
    plan = SimpleNamespace(
        limits=limits,
        protection=SimpleNamespace(bake_s=0, fresh_s=10.0),
        traffic=SimpleNamespace(application_roles=roles),
        cluster=SimpleNamespace(region="us-east-1", identifier="orders"),
    )

    @asynccontextmanager
    async def connect(role: Role) -> AsyncIterator[None]:
        yield None

    async def find(role: Role) -> None:
        return None

    made = SimpleNamespace(
        plan=plan, fact=facts.get, connect=connect, find=find, bound=str, now=lambda: NOW
    )
    return cast(RunContext, made)


BAKE = Bake(publisher=Role.NEW_BLUE, subscriber=Role.BLUE_PRIME)


def put_up(protected: bool | None, text: str, *, lost: bool = False, age_s: float = 0.0) -> Any:
    at = NOW - timedelta(seconds=age_s)
    return Dashboard(
        protection=Protection(protected, text, (text,), at, lost=lost), at=at
    ).as_json()


WELL = put_up(True, "a rollback now would lose nothing")


async def test_a_bake_ends_once_the_protection_is_seen() -> None:
    watch, one = Seen(), context({})
    one.live = lambda: WELL if len(watch.waits) == 2 else put_up(None, "looking")  # type: ignore[method-assign]
    await BAKE.verify(one, cast(Watch, watch))
    assert watch.waits == ["not protected yet: looking"] * 2
    assert watch.evidences == [
        "new blue serves, blue prime follows; branch to rollback or to commit"
    ]


@pytest.mark.parametrize(
    ("verdict", "looks", "words"),
    [
        (put_up(False, "slot x feeds nobody"), int(SEEN_S), "slot x feeds nobody"),
        (put_up(False, "slot x is missing", lost=True), 0, "slot x is missing"),
        (put_up(None, "blue prime cannot be asked"), int(SEEN_S), "blue prime cannot be asked"),
        (put_up(True, "long ago", age_s=60.0), int(SEEN_S), "not looked at lately"),
        (None, int(SEEN_S), "not looked at yet"),
    ],
)
async def test_a_bake_never_calls_followed_what_is_not(
    verdict: Any, looks: int, words: str
) -> None:
    watch, one = Seen(), context({})
    one.live = lambda: verdict  # type: ignore[method-assign]
    with pytest.raises(StepFailed, match=f"not protected: {words}"):
        await BAKE.verify(one, cast(Watch, watch))
    assert (len(watch.waits), watch.evidences) == (looks, [])


async def test_a_verdict_from_before_the_proof_is_not_the_one_that_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was put up before is of the state before: another setting may be wrong by now."""
    watch, one = Seen(), context({})
    one.live = lambda: put_up(True, "as it was", age_s=3.0)  # type: ignore[method-assign]
    with pytest.raises(StepFailed, match="not protected"):
        await verdicts.await_protected(one, cast(Watch, watch), since=NOW, now="")


RESUME = ResumeTraffic(on=Role.NEW_BLUE, captured=True, phase="upgrade")


@pytest.mark.parametrize(("sessions", "came", "asked"), [([0, 0, 4], True, 2), ([0] * 9, False, 3)])
async def test_whoever_starts_the_applications_by_hand_is_told_to_until_they_are_seen(
    monkeypatch: pytest.MonkeyPatch, sessions: list[int], came: bool, asked: int
) -> None:
    async def look(connection: object, roles: tuple[str, ...]) -> Activity:
        assert roles == ("app",)
        return Activity(sessions.pop(0), 0, False)

    monkeypatch.setattr(activity, "look", look)
    watch = Seen()
    assert await RESUME._await_started(context({}), cast(Watch, watch)) is came
    assert len(watch.waits) == asked
    assert all("START THE APPLICATIONS NOW" in text for text in watch.waits)


async def test_that_no_cluster_is_listed_is_a_doubt_and_not_a_loss() -> None:
    with pytest.raises(StepFailed, match="lists no cluster of this run") as failed:
        clusters.views(
            cast(WatchContext, context({"switchover": {}})),
            Listing((), {}, frozenset({"new blue"}), NOW),
        )
    assert "AWS_ENDPOINT_URL" in failed.value.todo
