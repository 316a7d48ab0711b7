"""How long a subscriber needs: by what it applied, not by bytes alone; unknown is not good."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.failures import Refused
from runbook.proofs import drain
from runbook.proofs.drain import NEGLIGIBLE, Pace

POSITIONS = st.lists(st.none() | st.integers(0, 1 << 40), max_size=6)


@given(target=st.integers(0, 1 << 41), seen=POSITIONS)
def test_a_rest_is_known_only_where_it_was_seen_to_shrink_or_is_nothing(
    target: int, seen: list[int | None]
) -> None:
    pace = Pace(target)
    for at, position in enumerate(seen):
        pace.saw(float(at), position)
    known = [each for each in seen if each is not None]
    if not known:
        assert (pace.left, pace.rest_s) == (None, None)
    elif pace.rest_s is None:
        assert pace.left is not None
        assert pace.left > NEGLIGIBLE
        assert known[-1] <= known[0]
    else:
        assert pace.rest_s == 0.0 or known[-1] > known[0]
    assert pace.words


def test_the_words_hold_size_pace_and_rest() -> None:
    pace = Pace(30_000_000)
    assert pace.words == "it is not known how much is left"
    pace.saw(0.0, 10_000_000)
    assert pace.words == "20.0 MB left"
    pace.saw(5.0, 10_000_000)
    assert pace.words == "20.0 MB left, nothing confirmed for 5 s"
    pace.saw(6.0, 10_000_000, 7_000_000)
    pace.saw(7.0, 10_000_000, 7_000_000)
    assert pace.words == "20.0 MB left, nothing confirmed for 7 s, and nothing applied"
    pace.saw(8.0, 10_000_000, 9_000_000)
    assert pace.words == (
        "20.0 MB left, nothing confirmed for 8 s: a long transaction is being applied (2.0 MB "
        "written for it)"
    )
    pace.saw(10.0, 11_000_000)
    assert pace.words == "19.0 MB left at 0.10 MB/s, about 3 min"
    pace.saw(45.0, 11_000_000)
    assert pace.words.startswith("19.0 MB left, nothing confirmed for 35 s")


class Followed:
    """A world whose one subscriber comes on by so many bytes a look, and what is told of it."""

    def __init__(self, step: int | None, *, accepted: bool = False) -> None:
        self.plan = SimpleNamespace(
            protection=SimpleNamespace(lag_limit_s=30.0),
            limits=SimpleNamespace(fast_poll_s=1.0),
            cluster=SimpleNamespace(identifier="orders"),
        )
        self._step, self._accepted, self.looks = step, accepted, 0
        self.facts: dict[str, Any] = {}
        self.texts: list[str] = []

    def fact(self, key: str) -> Any:
        return self.facts.get(key)

    def accepted(self, gate: str) -> bool:
        return self._accepted

    def evidence(self, text: str, *, key: str = "", value: Any = None) -> None:
        self.texts.append(text)
        self.facts[key] = value

    def progress(self, text: str, fraction: float | None = None) -> None:
        self.texts.append(text)

    async def until(self, limit_s: float, *, every_s: float, what: str) -> Any:
        for waited in range(int(limit_s) + 1):
            self.looks = waited
            yield float(waited)

    async def look(self, *args: Any) -> None:
        confirmed = None if self._step is None else self._step * self.looks
        args[-1]["orders"].saw(float(self.looks), confirmed)

    async def lags(self, *_: object) -> dict[str, Any]:
        return {"orders": SimpleNamespace(current_lsn=50_000_000)}

    async def refuse(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(drain, "_look", self.look)
        patch.setattr(drain, "_lags", self.lags)
        context = cast(RunContext, self)
        await drain.refuse_if_slow(
            context, cast(Any, self), Role.NEW_BLUE, Role.BLUE_PRIME, now="New blue serves."
        )


@pytest.mark.parametrize("step", [50_000_000, 5_000_000, 2_000_000])
async def test_a_subscriber_that_comes_on_is_let_pass(
    monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    context = Followed(step)
    await context.refuse(monkeypatch)
    assert drain.gates(cast(RunContext, context)) == ()


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (100_000, "49.0 MB left at 0.10 MB/s, about 8 min"),
        (0, "50.0 MB left, nothing confirmed for 10 s"),
        (None, "it is not known how much is left"),
    ],
)
async def test_one_that_does_not_is_refused_before_the_fence_until_a_person_accepts_it(
    monkeypatch: pytest.MonkeyPatch, step: int | None, words: str
) -> None:
    context = Followed(step)
    with pytest.raises(Refused, match="The applications would be down that long") as refused:
        await context.refuse(monkeypatch)
    assert words in refused.value.what
    (gate,) = drain.gates(cast(RunContext, context))
    assert words in gate.question
    assert gate.must_type == "orders"
    context._accepted = True
    await context.refuse(monkeypatch)
    context._step = 50_000_000
    await context.refuse(monkeypatch)
    assert drain.gates(cast(RunContext, context)) == ()
