"""Protected is earned: whatever is wrong names itself, and whatever is not known is not good."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.base.alert import Alert, Cause, ProbeResult
from runbook.plan.model import ProtectionSection
from runbook.proofs.diverged import Differing
from runbook.protection.assess import (
    REQUIRED_PROBES,
    STEADY_S,
    JournalFacts,
    Observed,
    RequiredProbe,
    Steady,
    assess,
)
from runbook.protection.dashboard import Fence, LagView, Protection, Stage
from runbook.protection.record import said
from runbook.watch.probes.traffic import fence_now

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
LIMITS = ProtectionSection(lag_limit_bytes=64_000, lag_limit_s=30.0, fresh_s=10.0)
KEPT = JournalFacts(switched=True, slots={"orders": "bp_1"}, verified=True)
LAG = LagView("orders", "bp_1", 1200, 0.8, True, "reserved", at=NOW)
FRESH = NOW - timedelta(seconds=2)
WELL = ProbeResult(FRESH, (), "")
NAMES = [rest.name for rest in REQUIRED_PROBES]
ALL_WELL = Observed((LAG,), dict.fromkeys(NAMES, WELL))


def say(looked: Observed = ALL_WELL, **kept: Any) -> Protection:
    return assess(replace(KEPT, **kept), looked, LIMITS, NOW)


def seeing(name: str, seen: ProbeResult) -> Observed:
    return replace(ALL_WELL, seen={**ALL_WELL.seen, name: seen})


def found(cause: Cause, words: str, *, breaks: bool = True) -> ProbeResult:
    return ProbeResult(FRESH, (Alert(cause, "orders", "x", words, breaks, FRESH),), "")


def test_all_is_well() -> None:
    assert say().protected is True


def test_production_that_fails_for_want_of_a_key_is_in_the_banner_of_a_way_that_holds() -> None:
    words = "UPDATE and DELETE fail on t in orders of new blue"
    verdict = say(seeing("keys", found(Cause.IDENTITY, words, breaks=False)))
    assert verdict.protected is True
    assert verdict.text.endswith(f"; but {words}")
    assert words in verdict.reasons


@pytest.mark.parametrize("rest", REQUIRED_PROBES, ids=lambda rest: rest.name)
def test_what_was_not_looked_at_yet_is_told_from_what_was_long_ago(rest: RequiredProbe) -> None:
    for seen, word in (
        (ProbeResult(), "yet"),
        (ProbeResult(NOW - timedelta(minutes=20), (), ""), "lately"),
    ):
        assert say(seeing(rest.name, seen)).text == f"{rest.missing} {word}"


@pytest.mark.parametrize(
    "seen",
    [
        ProbeResult(),
        ProbeResult(NOW - timedelta(minutes=5), (), ""),
        ProbeResult(FRESH, (), "tables without a key cannot be looked for: no"),
    ],
)
def test_that_nobody_looked_for_tables_without_a_key_is_said(seen: ProbeResult) -> None:
    verdict = say(seeing("keys", seen))
    assert "tables without a key" in verdict.text
    assert any("tables without a key" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("lag", "reason"),
    [
        (replace(LAG, state="lost"), "slot bp_1 of orders is lost"),
        (replace(LAG, state="missing", bytes=None), "slot bp_1 of orders is missing"),
        (replace(LAG, active=False), "slot bp_1 of orders feeds nobody"),
        (replace(LAG, bytes=64_001), "lag of orders is 64001 bytes"),
        (replace(LAG, seconds=31.0), "lag of orders is 31 s"),
        (replace(LAG, seconds=None, at_least_s=31.0), "lag of orders is at least 31 s"),
    ],
)
def test_a_slot_that_is_not_well_ends_the_protection(lag: LagView, reason: str) -> None:
    verdict = say(replace(ALL_WELL, lags=(lag,)))
    assert verdict.protected is False
    assert reason in verdict.reasons
    assert verdict.lost is (lag.state in ("lost", "missing"))


LONG_AGO = ProbeResult(NOW - timedelta(minutes=5), (), "")


@pytest.mark.parametrize(
    "looked",
    [
        replace(ALL_WELL, lags=()),
        replace(ALL_WELL, lags=(replace(LAG, slot="another"),)),
        replace(ALL_WELL, lags=(replace(LAG, bytes=None, reason="no answer"),)),
        replace(ALL_WELL, lags=(replace(LAG, at=NOW - timedelta(seconds=11)),)),
        replace(ALL_WELL, lags=(replace(LAG, seconds=None, at_least_s=3.0),)),
        replace(ALL_WELL, lags=(replace(LAG, active=None),)),
        *(seeing(name, ProbeResult()) for name in NAMES),
        *(seeing(name, LONG_AGO) for name in NAMES),
        *(seeing(name, ProbeResult(FRESH, (), "cannot be asked")) for name in NAMES),
    ],
)
def test_what_is_not_known_is_never_protected(looked: Observed) -> None:
    assert say(looked).protected is None


def test_what_breaks_it_is_named_also_where_something_else_is_not_known() -> None:
    blind = replace(found(Cause.WRITABLE, "orders is writable"), unknown="cannot be watched")
    assert say(seeing("strays", blind)).reasons == ("orders is writable",)


def test_a_look_at_a_large_thing_may_be_older_and_no_other() -> None:
    for rest in REQUIRED_PROBES:
        looked = replace(seeing(rest.name, LONG_AGO), rhythm_s={rest.name: 400.0})
        assert say(looked).protected is (True if rest.own_rhythm else None), rest.name


def test_a_reader_that_has_just_gone_is_given_a_moment() -> None:
    assert say(replace(ALL_WELL, lags=(replace(LAG, active=False, moment=True),))).protected is True


@pytest.mark.parametrize(
    ("kept", "stage"),
    [
        ({"switched": False}, Stage.BEFORE),
        ({"slots": None}, Stage.MAKING),
        ({"verified": False}, Stage.MAKING),
        ({"dropped": True}, Stage.HELD),
        ({"detached": True}, Stage.HELD),
    ],
)
def test_without_a_way_that_was_proved_there_is_no_protection(
    kept: dict[str, Any], stage: Stage
) -> None:
    verdict = say(**kept)
    assert (verdict.protected, verdict.stage) == (False, stage)


def test_what_the_looks_find_ends_it_and_what_warns_does_not() -> None:
    stopped = say(seeing("workers", found(Cause.WORKER, "the apply worker of orders is gone")))
    assert stopped.protected is False
    assert stopped.text == "capture held, the apply worker of orders is gone"
    drifted = say(seeing("schemas", found(Cause.SCHEMA, "orders: only on new blue: table x")))
    assert (drifted.protected, drifted.reasons) == (False, ("orders: only on new blue: table x",))
    assert drifted.causes == ("schema orders x",)
    for name in NAMES:
        assert say(seeing(name, found(Cause.ORIGIN, "something"))).protected is False
        warned = found(Cause.SEQUENCE, "sequence x has 3.0 % left", breaks=False)
        assert say(seeing(name, warned)).protected is True


def test_a_switchover_that_was_asked_for_is_not_said_to_leave_blue_serving() -> None:
    assert "blue serves" in say(Observed(), switched=False).text
    asked = say(Observed(), switched=False, asked=True)
    assert asked.protected is False
    assert "blue serves" not in asked.text


def test_rows_that_differed_end_the_protection_until_a_comparison_passes() -> None:
    differs = say(different=("orders: public.customer",))
    assert differs.protected is False
    assert "public.customer" in differs.text


def test_rows_that_do_not_travel_end_it_though_no_lag_shows_them() -> None:
    came = say(uncarried=("rows came to new blue by the origin feed",))
    assert (came.protected, came.reasons) == (False, ("rows came to new blue by the origin feed",))


def test_a_table_that_is_known_to_differ_ends_the_protection_and_is_named() -> None:
    verdict = say(differing=[Differing("orders", "public", "items", 812, 811, "fence")])
    assert verdict.protected is False
    assert verdict.reasons == ("rows differ: public.items in orders (812 against 811 rows)",)


# What is not known, is not there or is older never makes a verdict better.

BREAKS = Alert(Cause.WORKER, "orders", "x", "something is wrong", True)
TIMES = st.sampled_from([None, *(NOW - timedelta(seconds=s) for s in (-60, 0, 2, 9, 11, 300))])
SEEN = st.builds(
    ProbeResult,
    at=TIMES,
    alarms=st.sampled_from([(), (BREAKS,), (replace(BREAKS, breaks=False),)]),
    unknown=st.sampled_from(["", "cannot be asked"]),
)


def _lags(database: str, slot: str) -> st.SearchStrategy[LagView]:
    known = st.builds(
        LagView,
        database=st.just(database),
        slot=st.just(slot),
        bytes=st.sampled_from([0, 10, 64_000, 64_001]),
        seconds=st.sampled_from([None, 0.0, 30.0, 31.0]),
        active=st.sampled_from([True, True, False, None]),
        state=st.sampled_from(["reserved", "extended", "unreserved", "unknown"]),
        at=TIMES,
        at_least_s=st.sampled_from([0.0, 5.0, 31.0]),
        moment=st.booleans(),
    )
    gone = [LagView(database, slot, None, None, None, each, at=NOW) for each in ("lost", "missing")]
    return known | st.sampled_from(gone)


KEPTS = st.builds(
    JournalFacts,
    switched=st.sampled_from([True, True, True, False]),
    slots=st.just({"orders": "bp_1", "billing": "bp_2"}),
    detached=st.sampled_from([False, False, True]),
    dropped=st.sampled_from([False, False, True]),
    verified=st.sampled_from([True, True, False]),
    different=st.sampled_from([(), (), ("orders: public.x",)]),
    uncarried=st.sampled_from([(), (), ("rows came",)]),
)
LOOKS = st.builds(
    Observed,
    lags=st.tuples(_lags("orders", "bp_1"), _lags("billing", "bp_2")),
    seen=st.fixed_dictionaries(
        {name: st.one_of(st.just(WELL), st.just(WELL), SEEN) for name in NAMES}
    ),
    rhythm_s=st.fixed_dictionaries({name: st.sampled_from([0.0, 400.0]) for name in NAMES}),
)


def _older(at: datetime | None) -> datetime | None:
    return None if at is None else at - timedelta(seconds=20)


def _worse(looked: Observed) -> list[Observed]:
    """Return it with each input by itself not known, not there, and older."""
    found = [replace(looked, rhythm_s={})]
    for place, lag in enumerate(looked.lags):
        rest = [*looked.lags[:place], *looked.lags[place + 1 :]]
        found.append(replace(looked, lags=rest))
        for each in (
            lag.unknown("no answer"),
            replace(lag, seconds=None),
            replace(lag, active=None),
            replace(lag, moment=False),
            replace(lag, at=None),
            replace(lag, at=_older(lag.at) if lag.at != NOW + timedelta(seconds=60) else None),
        ):
            found.append(replace(looked, lags=[*rest, each]))
    for name, seen in looked.seen.items():
        others = {key: each for key, each in looked.seen.items() if key != name}
        found.append(replace(looked, seen=others))
        ahead = seen.at == NOW + timedelta(seconds=60)
        for changed in (
            ProbeResult(),
            replace(seen, unknown="cannot be asked"),
            replace(seen, at=None if ahead else _older(seen.at)),
        ):
            found.append(replace(looked, seen={**others, name: changed}))
    return found


@given(kept=KEPTS, looked=LOOKS)
def test_what_is_not_known_or_is_older_never_makes_a_verdict_better(
    kept: JournalFacts, looked: Observed
) -> None:
    as_it_is = assess(kept, looked, LIMITS, NOW)
    for worse in _worse(looked):
        if assess(kept, worse, LIMITS, NOW).protected is True:
            assert as_it_is.protected is True, worse
    if as_it_is.protected is True:
        later = assess(kept, looked, LIMITS, NOW + timedelta(hours=1))
        assert later.protected is None


# A verdict gets better only once it was seen to stay so.

WELL_NOW = Protection(True, "a rollback now would lose nothing", (), NOW)
BROKEN = Protection(False, "the apply worker is gone", ("the apply worker is gone",), NOW)
MAKING = Protection(False, "no subscription yet", ("no subscription yet",), stage=Stage.MAKING)


def test_a_worker_that_comes_and_goes_never_shows_as_protected() -> None:
    steady = Steady()
    assert steady.take(WELL_NOW, 0.0).protected is True
    clock = 1.0
    for _ in range(20):
        assert steady.take(BROKEN, clock) is BROKEN
        said = steady.take(WELL_NOW, clock + 0.4)
        assert said.protected is None
        assert said.reasons == ("not stable yet after: the apply worker is gone",)
        clock += 5.0
    assert steady.take(WELL_NOW, clock).protected is None
    assert steady.take(WELL_NOW, clock + STEADY_S).protected is True


def test_what_was_not_known_for_a_moment_is_told_once_not_each_time_it_comes_back() -> None:
    steady, unseen = Steady(), say(seeing("origins", ProbeResult()))
    assert unseen.protected is None
    news = []
    for clock in range(0, 30, 3):
        news += [said(steady.take(WELL_NOW, clock)), said(steady.take(unseen, clock + 1.0))]
    assert news[0][0] is True
    assert len(set(news[1:])) == 1


def test_a_way_that_was_being_made_is_protected_at_once() -> None:
    steady = Steady()
    for found in (MAKING, replace(BROKEN, protected=None, looking=True)):
        steady.take(found, 0.0)
    assert steady.take(WELL_NOW, 0.1).protected is True


def test_a_first_look_that_failed_and_a_former_capture_delay_nothing() -> None:
    steady = Steady()
    unknown = replace(BROKEN, protected=None)
    steady.take(unknown, 0.0, "first")
    assert steady.take(WELL_NOW, 0.1, "first").protected is True
    steady.take(unknown, 0.2, "first")
    assert steady.take(WELL_NOW, 0.3, "first").protected is None
    steady.take(BROKEN, 0.4, "first")
    assert steady.take(WELL_NOW, 0.5, "second").protected is True


@given(st.lists(st.tuples(st.sampled_from([WELL_NOW, BROKEN, MAKING]), st.floats(0.0, 20.0))))
def test_what_is_said_is_never_better_than_what_was_found(
    course: list[tuple[Protection, float]],
) -> None:
    steady, clock = Steady(), 0.0
    for found, passes in course:
        clock += passes
        said = steady.take(found, clock)
        assert found.protected is True or said is found


# A fence is shown as proved only by a proof of its own.


def test_a_proof_from_before_is_not_that_of_the_fence_being_set() -> None:
    told = {"open": False, "at": NOW.isoformat()}
    old = {"proved": True, "at": (NOW - timedelta(minutes=10)).isoformat()}
    new = {"proved": True, "at": (NOW + timedelta(seconds=3)).isoformat()}
    assert fence_now(told, old, 0) == (Fence.CLOSING, None)
    assert fence_now(told, {}, 0) == (Fence.CLOSING, None)
    assert fence_now({"open": False}, new, 0) == (Fence.CLOSING, None)
    assert fence_now(told, {**new, "proved": False}, 0) == (Fence.CLOSING, None)
    assert fence_now(told, new, 0) == (Fence.PROVED, NOW + timedelta(seconds=3))
    assert fence_now(told, new, 2)[0] is Fence.BROKEN
    assert fence_now(told, old, 2) == (Fence.BROKEN, None)
