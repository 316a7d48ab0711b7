"""Subscriptions that are being made are told from those that are being dropped."""

from __future__ import annotations

from typing import Any, cast

import pytest

from runbook.adoption import returning
from runbook.adoption.cast import Cast
from runbook.adoption.found import Draft
from runbook.adoption.inside import OwnSlot, Side
from runbook.adoption.scene import Scene
from runbook.roles import Role
from tests.adopt.test_who_is_who import NEW_BLUE, OLD_BLUE, PRIME, RUN


def side(*, slots: tuple[OwnSlot, ...] = (), subscribed: tuple[str, ...] = ()) -> Side:
    subscriptions: dict[str, Any] = dict.fromkeys(subscribed)
    return Side(
        databases=("a", "b"),
        read_only={"a": False, "b": False},
        able=frozenset({"app"}),
        locked=frozenset(),
        sessions=3,
        replication_role=bool(slots),
        publications=frozenset({"a", "b"} if slots else ()),
        slots=slots,
        subscriptions=subscriptions,
    )


def slots(*used: bool) -> tuple[OwnSlot, ...]:
    return tuple(
        OwnSlot(f"blueprime_{RUN}_{number}", number, name, is_used, 1000)
        for number, (name, is_used) in enumerate(zip("ab", used, strict=True), start=1)
    )


@pytest.mark.parametrize(
    ("used", "subscribed", "ends"),
    [
        ((False, False), (), False),
        ((True, False), ("a",), False),
        ((True, True), ("a", "b"), False),
        ((True, True), ("b",), True),
        ((True, True), (), True),
    ],
    ids=["none yet", "one made", "all run", "one dropped", "all dropped"],
)
def test_the_way_back_ends_only_where_a_slot_lost_its_reader(
    used: tuple[bool, ...], subscribed: tuple[str, ...], ends: bool
) -> None:
    sides = {Role.NEW_BLUE: side(slots=slots(*used)), Role.BLUE_PRIME: side(subscribed=subscribed)}
    told = Cast("orders", RUN, OLD_BLUE.resource_id, OLD_BLUE, NEW_BLUE, PRIME, None)
    scene = Scene(cast(Any, None), Draft(), told, sides, locks=True)
    assert returning.way_of(scene) is None
    assert returning.committing(scene) is ends
