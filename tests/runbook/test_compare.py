"""What a comparison leaves in the journal: which tables are known to differ afterwards."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from runbook.base.context import RunContext
from runbook.failures import StepFailed
from runbook.postgres.comparison.differences import (
    DifferingKey,
    Kind,
    LiveComparison,
    TableDifference,
)
from runbook.proofs import compare, diverged
from runbook.proofs.diverged import Differing


class Facts:
    """Stands in for a world: facts, and the time."""

    def __init__(self, **facts: Any) -> None:
        self.facts = facts
        self.texts: list[str] = []

    def fact(self, key: str) -> Any:
        return self.facts.get(key)

    def now(self) -> datetime:
        return datetime(2026, 1, 2, tzinfo=UTC)

    def evidence(self, text: str, *, key: str = "", value: Any = None) -> None:
        self.texts.append(text)
        self.facts[key] = value


def differs(table: str, keys: int, *, unique: bool = True) -> TableDifference:
    rows = tuple(DifferingKey((f"secret {n}",), Kind.CHANGED) for n in range(keys))
    return TableDifference("orders", "public", table, ("id",), unique, rows, complete=True)


def compared(*different: TableDifference, undecided: tuple[str, ...] = ()) -> LiveComparison:
    unknown = tuple(("public", table, "it is locked") for table in undecided)
    return LiveComparison("orders", 9, 99, different, unknown, 1.0)


def known(table: str, database: str = "orders", found_by: str = "fence") -> Differing:
    return Differing(database, "public", table, None, None, found_by)


def recorded(context: Facts, result: LiveComparison) -> set[tuple[str, str, str]]:
    compare.record(cast(RunContext, context), [result], context.evidence)
    left = diverged.left(cast(RunContext, context))
    return {(each.database, each.table, each.found_by) for each in left}


def test_what_is_equal_now_is_struck_out_and_what_differs_is_kept() -> None:
    before = [known("repaired"), known("locked"), known("a", "other"), known("differs")]
    context = Facts(**{diverged.FACT: diverged.as_json(before)})
    assert recorded(context, compared(differs("differs", 2), undecided=("locked",))) == {
        ("orders", "locked", "fence"),
        ("orders", "differs", "comparison"),
        ("other", "a", "fence"),
    }
    assert recorded(context, compared()) == {("other", "a", "fence")}


def test_no_difference_leaves_no_fact_but_the_comparison() -> None:
    context = Facts()
    assert recorded(context, compared()) == set()
    assert diverged.FACT not in context.facts
    assert context.facts[compare.FACT]["databases"][0]["equal"] is True


def test_the_journal_gets_keys_in_bounded_number_and_no_rows() -> None:
    context = Facts()
    recorded(context, compared(differs("keyed", 500), differs("keyless", 3, unique=False)))
    keyed, keyless = context.facts[compare.FACT]["databases"][0]["different"]
    assert (keyed["count"], len(keyed["rows"])) == (500, compare.KEYS_KEPT)
    assert (keyless["count"], keyless["rows"]) == (3, [])
    assert "no key to name them by" in context.texts[0]
    assert context.texts[0].count("secret") == 3


async def test_without_a_way_that_is_held_there_is_nothing_to_compare() -> None:
    for facts in (
        {},
        {"capture": {"databases": []}, "detached": ["blue prime"]},
        {"capture": {}, "slots": []},
    ):
        with pytest.raises(StepFailed, match="nothing to compare while it moves"):
            await compare.compare_live(cast(RunContext, Facts(**facts)))
