"""A verdict is about one capture, for a short time, and of whoever still watches."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.plan.model import ProtectionSection
from runbook.proofs import diverged, unreplicated
from runbook.proofs.diverged import Differing
from runbook.proofs.unreplicated import OriginPositions
from runbook.protection import verdicts
from runbook.protection.assess import Observed
from runbook.protection.dashboard import Dashboard, LagView, Protection
from runbook.protection.record import VerdictRecord
from state.journal import Journal

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
CAPTURE = {
    "databases": ["orders"],
    "slots": {"orders": "bp_1"},
    "publisher": "new blue",
    "from": {"bp_1": 4096},
}
SAID: dict[str, Any] = {"protected": True, "causes": [], "lost": False, "of": {"bp_1": 4096}}
FACTS: dict[str, Any] = {
    "switchover": {"called_at": ""},
    "capture": CAPTURE,
    "slots": ["bp_1"],
    "verified": {"at": ""},
    "protection": SAID,
}
WELL = Dashboard(protection=Protection(True, "a rollback now would lose nothing", (), NOW), at=NOW)


def context(**facts: Any) -> RunContext:
    known = {**FACTS, **facts}
    plan = SimpleNamespace(protection=ProtectionSection())
    return cast(RunContext, SimpleNamespace(fact=known.get, now=lambda: NOW, plan=plan))


TABLE = Differing("orders", "public", "items", 812, 811, "comparison")
CAME = {"publisher": "new blue", "past": 0, "found": ["rows came"]}


def test_what_was_journaled_stands_until_the_journal_says_otherwise() -> None:
    assert verdicts.is_protected(context())
    assert not verdicts.is_protected(context(protection=None))
    assert not verdicts.is_protected(context(detached=[Role.BLUE_PRIME.value]))
    assert not verdicts.is_protected(context(slots=[]))
    assert not verdicts.is_protected(context(uncarried=CAME))
    assert not verdicts.is_protected(context(**{diverged.FACT: diverged.as_json([TABLE])}))


@pytest.mark.parametrize("publisher", [Role.NEW_BLUE, Role.BLUE_PRIME])
def test_a_verdict_on_another_capture_says_nothing_of_this_one(publisher: Role) -> None:
    """Slots made anew after a loss, or those of the other direction."""
    capture = {**CAPTURE, "from": {"bp_1": 8192}, "publisher": publisher.value}
    made_anew = context(capture=capture, protection={**SAID, "lost": True})
    assert not verdicts.is_lost(made_anew)
    assert not verdicts.is_protected(made_anew)
    assert verdicts.is_lost(context(protection={**SAID, "protected": None, "lost": True}))


def test_rows_found_since_the_last_look_end_what_it_said() -> None:
    known = verdicts.last_known(context(**{diverged.FACT: diverged.as_json([TABLE])}), WELL)
    assert known.protected is False
    assert "public.items" in known.text
    assert verdicts.last_known(context(), WELL) == WELL.protection
    dropped = verdicts.last_known(context(slots=[]), WELL)
    assert (dropped.protected, dropped.text) == (False, "no way back is held")


@pytest.mark.parametrize(
    ("watched", "age_s", "now"), [(True, 0, True), (True, 60, None), (False, 0, None)]
)
def test_what_was_seen_is_the_present_only_while_somebody_watches(
    watched: bool, age_s: float, now: bool | None
) -> None:
    at = NOW - timedelta(seconds=age_s)
    dashboard = replace(WELL, protection=replace(WELL.protection, at=at))
    seen = verdicts.as_seen(context(), dashboard, watched=watched)
    assert seen.protected is now
    assert (seen.before, seen.before_at) == ((True, at) if now is None else (None, None))


def test_rows_by_an_origin_are_kept_until_all_rows_were_compared_and_for_one_publisher() -> None:
    facts: dict[str, Any] = {}

    def keep(text: str, *, key: str = "", value: Any = None) -> None:
        facts[key] = value

    def now() -> RunContext:
        return context(**facts)

    unreplicated.keep(now(), keep, ["rows came by a"])
    unreplicated.keep(now(), keep, ["rows came by b", "rows came by a"])
    assert unreplicated.found(now()) == ("rows came by a", "rows came by b")
    assert unreplicated.last_equal(now()) == OriginPositions(4096)
    past = OriginPositions(9000, "today", {"a": 7})
    unreplicated.proved(now(), keep, past)
    assert (unreplicated.found(now()), unreplicated.last_equal(now())) == ((), past)
    turned = {**CAPTURE, "publisher": Role.BLUE_PRIME.value, "from": {"bp_1": 5}}
    assert unreplicated.last_equal(context(**facts, capture=turned)) == OriginPositions(5)


def test_the_last_verdict_known_is_this_process_own_once_it_has_one() -> None:
    judging = VerdictRecord(context(), cast(Journal, None))
    old = NOW - timedelta(minutes=2)
    judging.begin_with(Dashboard(protection=Protection(True, "well", (), old)))
    unseen = Observed((), {})
    found = judging.verdict(unseen, asked=True, first=True)
    assert (found.looking, found.before, found.before_at) == (True, True, old)
    gone = LagView("orders", "bp_1", None, None, False, "missing", at=NOW)
    assert judging.verdict(Observed((gone,), {}), asked=True, first=True).protected is False
    found = judging.verdict(unseen, asked=True, first=True)
    assert (found.looking, found.before, found.before_at) == (True, False, NOW)
