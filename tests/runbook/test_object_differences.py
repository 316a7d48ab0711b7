"""What is not alike beside the rows: said, counted, and taken for alike where it is known."""

from __future__ import annotations

from typing import Any

import pytest

from runbook.base.roles import Role
from runbook.postgres.objects import Item
from runbook.proofs import objects
from runbook.proofs.objects import Unlike

SIDES = (Role.NEW_BLUE, Role.BLUE_PRIME)


def item(kind: str, *names: str, exact: bool = True, **made: Any) -> Item:
    return Item(kind, names, made, exact)


def compared(here: list[Item], there: list[Item]) -> list[Unlike]:
    return objects._compared("orders", SIDES, here, there)


TABLE = item("owner", "table", "public", "t", owner="app")


@pytest.mark.parametrize(
    ("here", "there", "words"),
    [
        ([item("role", "a b", LOGIN=True)], [], 'role "a b" in "orders" is only on new blue'),
        (
            [item("role", "a", LOGIN=True, INHERIT=True)],
            [item("role", "a", LOGIN=False, INHERIT=True)],
            'role "a" in "orders" is not the same: LOGIN: yes on new blue, no on blue prime',
        ),
        (
            [TABLE, item("grant", "table", "public", "t", "", privileges=["SELECT"])],
            [TABLE, item("grant", "table", "public", "t", "", privileges=["DELETE", "SELECT"])],
            'the grant on table "public"."t" to PUBLIC in "orders" is not the same: '
            "DELETE only on blue prime, and would come back",
        ),
        (
            [item("setting", "app", "", "work_mem", value="4MB")],
            [item("setting", "app", "", "work_mem", value="8MB")],
            'the setting work_mem of role "app" in "orders" is another one on blue prime than on '
            "new blue",
        ),
    ],
)
def test_each_is_said_in_one_line(here: list[Item], there: list[Item], words: str) -> None:
    (found,) = compared(here, there)
    assert found.words == words


def test_what_belongs_to_what_one_side_lacks_is_not_told_beside_it() -> None:
    owned = [
        TABLE,
        item("grant", "table", "public", "t", "app", privileges=["SELECT"]),
        item("grant", "column", "public", "t", "c", "app", privileges=["SELECT"]),
        item("index", "public", "t", "i", definition="CREATE INDEX"),
        item("owner", "database", "new", owner="app"),
        item("grant", "database", "new", "", privileges=["CONNECT"]),
        item("limit", "new", **{"CONNECTION LIMIT": -1}),
        item("setting", "", "new", "work_mem", value="4MB"),
        item("password", "new", digest="0"),
    ]
    assert compared(owned, []) == []
    assert compared([], owned) == []


def test_what_two_versions_print_is_taken_for_alike_until_it_changes() -> None:
    here = [item("view", "public", "v", exact=False, definition="SELECT 1::text")]
    there = [item("view", "public", "v", exact=False, definition="SELECT (1)::text")]
    alone = item("view", "public", "w", exact=False, definition="SELECT 2")
    found = compared([*here, alone], there)
    alike = objects.printed(found)
    assert [each.names for each in objects.fresh(found, alike)] == [("public", "w")]
    changed = [item("view", "public", "v", exact=False, definition="SELECT 3")]
    assert objects.fresh(compared(changed, there), alike) != []
    # The pair is the same when the other side serves.
    turned = objects._compared("orders", SIDES[::-1], there, here)
    assert objects.fresh(turned, alike) == []


def test_a_body_that_every_version_keeps_as_it_is_is_never_taken_for_alike() -> None:
    here = [item("routine", "public", "f", "", definition="AS $$ 1 $$")]
    there = [item("routine", "public", "f", "", definition="AS $$ 2 $$")]
    assert objects.printed(compared(here, there)) == {}


def test_they_are_counted_by_kind() -> None:
    found = compared([item("role", "a"), item("role", "b"), item("routine", "public", "f", "")], [])
    assert objects.counted(found) == "2 roles, 1 function"


def test_roles_that_the_run_locks_are_compared_as_they_will_be() -> None:
    locked = [item("role", "app", LOGIN=False), item("role", "other", LOGIN=False)]
    assert [each.made["LOGIN"] for each in objects._let_in(locked, {"app"})] == [True, False]
