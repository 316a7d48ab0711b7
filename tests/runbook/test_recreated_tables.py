"""Which tables count as made anew, by the numbers of both sides."""

from __future__ import annotations

from typing import Any

import pytest

from runbook.base.pair import ReplicationPair
from runbook.base.roles import Role
from runbook.postgres.oids import Name, Pair
from runbook.proofs import recreated_tables
from runbook.proofs.schema_drift import Drift, Where

BACK = ReplicationPair.of(Role.NEW_BLUE)
FORTH = ReplicationPair.of(Role.BLUE_PRIME)
ORDERS: Name = ("public", "orders")
OTHERS: dict[Name, Pair] = {
    ("public", f"t{number}"): Pair((number, number), {"id": (1, 1)}) for number in range(5)
}


def same(number: int = 7) -> Pair:
    return Pair((number, number), {"id": (1, 1), "a": (2, 2), "b": (3, 3)})


def table(where: Where, names: tuple[str, ...] = ORDERS, kind: str = "table") -> Drift:
    return Drift("orders", kind, names, where, "new blue", "blue prime")


@pytest.mark.parametrize(
    "pair",
    [
        Pair((8, 7), same().places),
        Pair((7, 7), {**same().places, "a": (4, 2)}),
        Pair((7, 7), {"id": (1, 1), "a": (3, 2), "b": (2, 3)}),
    ],
    ids=["table", "column", "columns that changed names"],
)
@pytest.mark.parametrize("known", [None, {}], ids=["first look", "later"])
def test_what_has_another_number_is_told_once(pair: Pair, known: Any) -> None:
    seen = {**OTHERS, ORDERS: pair}
    assert recreated_tables.anew(BACK, OTHERS | {ORDERS: same()}, known, []) == set()
    assert recreated_tables.anew(BACK, seen, known, []) == {ORDERS}
    kept = recreated_tables.looked(BACK, seen, known)
    assert recreated_tables.anew(BACK, seen, kept, []) == set()


def test_what_is_kept_holds_for_both_ways() -> None:
    seen = {**OTHERS, ORDERS: Pair((8, 7), same().places)}
    kept = recreated_tables.looked(BACK, seen, {})
    turned = {**OTHERS, ORDERS: Pair((7, 8), same().places)}
    assert recreated_tables.anew(FORTH, turned, kept, []) == set()
    assert recreated_tables.anew(FORTH, seen, kept, []) == {ORDERS}


def test_what_was_made_on_the_subscriber_with_its_rows_is_not_told() -> None:
    seen = {**OTHERS, ORDERS: Pair((8, 7), {"id": (1, 1), "a": (2, 5)})}
    late = table(Where.PUBLISHER)
    assert recreated_tables.anew(BACK, seen, {}, [late]) == set()
    assert recreated_tables.anew(BACK, seen, {}, [table(Where.SUBSCRIBER)]) == {ORDERS}
    added = table(Where.PUBLISHER, (*ORDERS, "a"), "column")
    column = {**OTHERS, ORDERS: Pair((7, 7), {"id": (1, 1), "a": (2, 5)})}
    assert recreated_tables.anew(BACK, column, {}, [added]) == set()
    assert recreated_tables.anew(BACK, column, {}, []) == {ORDERS}


def test_a_column_that_came_to_a_table_of_two_numbers_is_not_told_and_one_made_anew_is() -> None:
    seen = {**OTHERS, ORDERS: Pair((8, 7), {"id": (1, 1)})}
    kept = recreated_tables.looked(BACK, seen, {})
    with_a = {**OTHERS, ORDERS: Pair((8, 7), {"id": (1, 1), "a": (2, 4)})}
    assert recreated_tables.anew(BACK, with_a, kept, []) == set()
    kept = recreated_tables.looked(BACK, with_a, kept)
    again = {**OTHERS, ORDERS: Pair((8, 7), {"id": (1, 1), "a": (3, 4)})}
    assert recreated_tables.anew(BACK, again, kept, []) == {ORDERS}


def test_sides_that_were_not_made_one_from_the_other_tell_nothing_at_first() -> None:
    seen = {name: Pair((number, number + 9), {}) for number, name in enumerate(OTHERS)}
    assert recreated_tables.anew(BACK, seen, None, []) == set()
    kept = recreated_tables.looked(BACK, seen, None)
    first = next(iter(seen))
    assert recreated_tables.anew(BACK, {**seen, first: Pair((99, 9), {})}, kept, []) == {first}
