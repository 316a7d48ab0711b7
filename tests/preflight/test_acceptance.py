"""What a plan lets through, by name; and what a run shows, asks and refuses of the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

import pytest

from runbook import preflight
from runbook.base.step import Gate
from runbook.failures import Refused
from runbook.plan.model import Plan, Waive
from runbook.preflight import Level, Result, acceptance
from runbook.preflight.checks import identities
from runbook.procedure.steps.shared import checks
from tests.preflight.conftest import Site

WARNING = Result("roles.unnamed", "roles", Level.WARN, "reports", "9 sessions.", "why", "name it")
OTHER = replace(WARNING, subject="batch")
GOOD = Result("account.identity", "account", Level.PASS, "4711", "ok")
BLOCKED = Result(
    "schema.identity", "schema", Level.BLOCK, "db/public.log", "no key.", "why", "add one",
    survives="UPDATE fails",
)  # fmt: skip
GRAVE = replace(BLOCKED, survives="", text="no key, and it is updated.")
WAIVER = Waive(check="schema.identity", subject="db/public.log", gives_up="it only ever grows")


def _plan(site_plan: Plan, **values: Any) -> Plan:
    return site_plan.model_copy(update=values)


@pytest.mark.parametrize("name", ["roles.unnamed", "roles.unnamed:reports"])
def test_a_warning_is_acknowledged_by_its_check_or_its_subject(site: Site, name: str) -> None:
    found, other = acceptance.apply_acceptances(
        [WARNING, OTHER], _plan(site.plan, acknowledge=(name,))
    )
    assert not found.asks
    assert found.accepted == acceptance.ACKNOWLEDGED
    assert other.asks == (":" in name)


def test_a_block_is_waived_only_where_it_can_be_survived(site: Site) -> None:
    plan = _plan(site.plan, waive=(WAIVER,))
    (waived,) = acceptance.apply_acceptances([BLOCKED], plan)
    assert not waived.stops
    assert "it only ever grows" in waived.accepted
    (grave,) = acceptance.apply_acceptances([GRAVE], plan)
    assert grave.stops
    assert "not survivable" in grave.text
    (unknown,) = acceptance.apply_acceptances([replace(BLOCKED, level=Level.UNKNOWN)], plan)
    assert unknown.stops
    assert acceptance.unused([GOOD], plan) == [WAIVER]
    blind = replace(BLOCKED, level=Level.UNKNOWN)
    (whole,) = acceptance.apply_acceptances([blind], _plan(site.plan, acknowledge=(blind.key,)))
    assert whole.stops
    (named,) = acceptance.apply_acceptances([blind], _plan(site.plan, acknowledge=(blind.name,)))
    assert "not looked at" in named.accepted
    (outage,) = acceptance.apply_acceptances(
        [replace(blind, survives="")], _plan(site.plan, acknowledge=(blind.name,))
    )
    assert outage.stops
    (acknowledged,) = acceptance.apply_acceptances(
        [GRAVE], _plan(plan, acknowledge=("schema.identity",))
    )
    assert acknowledged.stops


async def test_a_table_that_is_updated_cannot_be_waived(site: Site, database: str) -> None:
    site.blue.run(database, "CREATE TABLE log (note text)", "INSERT INTO log VALUES ('a')")
    (found,) = await site.ask(identities.identity)
    assert found.survives
    with site.blue.session(database) as connection:
        connection.execute("UPDATE log SET note = 'b'")
        connection.execute("SELECT pg_stat_force_next_flush()")
        connection.execute("SELECT 1")
        (found,) = await site.ask(identities.identity)
    assert not found.survives


class Told:
    """What a verification reported, and how its gates were answered."""

    def __init__(self, answer: bool = True) -> None:
        self.texts: list[str] = []
        self.facts: dict[str, Any] = {}
        self.gates: list[Gate] = []
        self._answer = answer

    def evidence(self, text: str, *, key: str = "", value: Any = None) -> None:
        self.texts.append(text)
        if key:
            self.facts[key] = value

    def progress(self, text: str, fraction: float | None = None, *, to_do: bool = False) -> None:
        pass

    async def passes(self, gate: Gate) -> bool:
        self.gates.append(gate)
        return self._answer


class Seen:
    """A world of which only the plan and the facts are asked."""

    def __init__(self, plan: Plan, facts: dict[str, Any] | None = None) -> None:
        self.plan = plan
        self.facts = facts or {}

    def fact(self, key: str) -> Any:
        return self.facts.get(key)


async def _check(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    results: Iterable[Result],
    *,
    facts: dict[str, Any] | None = None,
    answer: bool = True,
) -> Told:
    async def run(context: Any, *, progress: Any = None) -> list[Result]:
        return list(results)

    monkeypatch.setattr(preflight, "run", run)
    told = Told(answer)
    await checks.check(cast(Any, Seen(site.plan, facts)), cast(Any, told))
    return told


async def test_a_warning_is_asked_for_once_and_kept_by_name(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await _check(site, monkeypatch, [GOOD, WARNING])
    assert ["reports: 9 sessions." in gate.question for gate in first.gates] == [True]
    assert first.facts[checks.ACCEPTED] == [WARNING.name]
    again = await _check(site, monkeypatch, [GOOD, WARNING], facts=first.facts)
    assert again.gates == []
    more = await _check(site, monkeypatch, [WARNING, OTHER], facts=first.facts)
    assert ["batch" in g.question and "reports" not in g.question for g in more.gates] == [True]
    assert more.facts[checks.ACCEPTED] == [OTHER.name, WARNING.name]
    assert more.gates[0].key != first.gates[0].key


async def test_a_warning_that_nobody_accepts_refuses(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Refused, match=r"roles\.unnamed:reports"):
        await _check(site, monkeypatch, [WARNING], answer=False)


async def test_a_block_refuses_with_its_remedy_and_asks_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Refused, match="First: add one"):
        await _check(site, monkeypatch, [WARNING, GRAVE], answer=False)


async def test_what_changed_since_the_first_run_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await _check(site, monkeypatch, [GOOD, WARNING, OTHER])
    assert checks.CHANGED not in first.facts
    worse = replace(WARNING, text="12 sessions.")
    new = replace(WARNING, subject="debezium")
    second = await _check(site, monkeypatch, [GOOD, worse, new], facts=first.facts)
    changed = second.facts[checks.CHANGED]
    assert [row["subject"] for row in changed["new"]] == ["debezium"]
    assert [row["subject"] for row in changed["gone"]] == ["batch"]
    assert [pair["now"]["text"] for pair in changed["changed"]] == ["12 sessions."]
    assert "since the last preflight: 1 new, 1 gone, 1 changed" in second.texts
    same = await _check(site, monkeypatch, [GOOD, worse, new], facts=second.facts)
    assert same.facts[checks.CHANGED] == {"new": [], "gone": [], "changed": []}


async def test_each_block_stands_with_its_remedy_the_gravest_first(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    waived = replace(BLOCKED, accepted="waived in the plan, giving up: it only ever grows")
    told = await _check(site, monkeypatch, [WARNING, waived])
    assert told.texts[:3] == [
        "0 ok, 1 warn, 1 block, 0 unknown",
        "warn: reports: 9 sessions.\n  do: name it",
        "block: db/public.log: no key.\n"
        "  waived in the plan, giving up: it only ever grows (schema.identity)",
    ]
