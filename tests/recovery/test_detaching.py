"""Subscriptions that are being made are told from those that are being dropped."""

from __future__ import annotations

from typing import Any, cast

import pytest

from runbook.base.roles import Role
from runbook.recovery import infer_rollback
from runbook.recovery.cluster_roles import ClusterRoles
from runbook.recovery.database_state import OwnSlot, Side
from runbook.recovery.evidence import RecoveryEvidence
from runbook.recovery.found import Draft
from tests.recovery.test_who_is_who import NEW_BLUE, OLD_BLUE, PRIME, RUN


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
    told = ClusterRoles("orders", RUN, OLD_BLUE.resource_id, OLD_BLUE, NEW_BLUE, PRIME, None)
    evidence = RecoveryEvidence(cast(Any, None), Draft(), told, sides, locks=True)
    assert infer_rollback.way_of(evidence) is None
    assert infer_rollback.committing(evidence) is ends
