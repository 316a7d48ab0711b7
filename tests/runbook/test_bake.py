"""The steps that wait for what a person, or the watch, has to bring: said of what is so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.looks import clusters
from runbook.postgres import activity
from runbook.postgres.activity import Activity
from runbook.roles import Role
from runbook.step import StepFailed, Watch
from runbook.steps.protection import PROTECTED_S, Bake
from runbook.steps.traffic import ResumeTraffic
from runbook.world import World


class Seen:
    """A watch whose waits take no time, one look a second."""

    def __init__(self) -> None:
        self.evidences: list[str] = []
        self.waits: list[str] = []

    def evidence(self, text: str, *, key: str = "", value: Any = None) -> None:
        self.evidences.append(text)

    def progress(self, text: str, fraction: float | None = None) -> None:
        self.waits.append(text)

    async def until(self, limit_s: float, *, every_s: float, what: str) -> AsyncIterator[float]:
        for waited in range(int(limit_s) + 1):
            yield float(waited)


def world(facts: dict[str, Any], *, roles: tuple[str, ...] = ("app",)) -> World:
    limits = SimpleNamespace(connect_s=5, fast_poll_s=1, start_s=3)
    plan = SimpleNamespace(
        limits=limits,
        protection=SimpleNamespace(bake_s=0),
        traffic=SimpleNamespace(application_roles=roles),
        cluster=SimpleNamespace(region="us-east-1", identifier="orders"),
    )

    @asynccontextmanager
    async def connect(role: Role) -> AsyncIterator[None]:
        yield None

    async def find(role: Role) -> None:
        return None

    made = SimpleNamespace(
        plan=plan, fact=facts.get, connect=connect, find=find, bound=str, now=lambda: None
    )
    return cast(World, made)


BAKE = Bake(publisher=Role.NEW_BLUE, subscriber=Role.BLUE_PRIME)


async def test_a_bake_ends_once_the_protection_is_seen() -> None:
    facts: dict[str, Any] = {"protection": {"protected": None, "text": "looking"}}
    watch = Seen()

    def fact(key: str) -> Any:
        found = facts.get(key)
        if len(watch.waits) == 2:
            found = {"protected": True}
        return found

    one = world({})
    one.fact = fact  # type: ignore[method-assign]
    await BAKE.verify(one, cast(Watch, watch))
    assert watch.waits == ["not protected: looking"] * 2
    assert watch.evidences == [
        "new blue serves, blue prime follows; branch to rollback or to commit"
    ]


@pytest.mark.parametrize(
    ("verdict", "looks"),
    [
        ({"protected": False, "text": "slot x feeds nobody"}, int(PROTECTED_S)),
        ({"protected": False, "lost": True, "text": "slot x is missing"}, 0),
        ({"protected": None, "text": "blue prime cannot be asked"}, int(PROTECTED_S)),
    ],
)
async def test_a_bake_never_calls_followed_what_is_not(verdict: dict[str, Any], looks: int) -> None:
    watch = Seen()
    with pytest.raises(StepFailed, match=verdict["text"]):
        await BAKE.verify(world({"protection": verdict}), cast(Watch, watch))
    assert (len(watch.waits), watch.evidences) == (looks, [])


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
    assert await RESUME._await_started(world({}), cast(Watch, watch)) is came
    assert len(watch.waits) == asked
    assert all("START THE APPLICATIONS NOW" in text for text in watch.waits)


async def test_that_no_cluster_is_listed_is_a_doubt_and_not_a_loss() -> None:
    with pytest.raises(StepFailed, match="lists no cluster of this run") as failed:
        await clusters.views(world({"switchover": {}}), [])
    assert "AWS_ENDPOINT_URL" in failed.value.todo
