"""What was renamed is told from what was dropped and what was added; nothing is dropped for it."""

from __future__ import annotations

import pytest
from psycopg import AsyncConnection

from runbook.postgres import schema_changes, schema_ddl
from runbook.postgres.change import Change
from tests.postgres.conftest import Open, Pair

BEFORE = """
CREATE TABLE public.account (id int PRIMARY KEY, balance int NOT NULL DEFAULT 0, v int, note text);
CREATE TABLE public.twin_a (id int PRIMARY KEY, v text);
CREATE TABLE public.twin_b (id int PRIMARY KEY, v text);
CREATE TABLE public.m (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE public.m_1 PARTITION OF public.m FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE public.m_2 PARTITION OF public.m FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE SCHEMA "S 1";
CREATE TABLE "S 1".t (id serial PRIMARY KEY, "A a" text CHECK ("A a" <> ''));
"""


async def changes(sides: dict[int, AsyncConnection]) -> list[Change]:
    ours = await schema_ddl.read(sides[18], "new blue")
    theirs = await schema_ddl.read(sides[16], "blue prime")
    new = schema_changes.new_tables(ours, theirs)
    made = [Change("new-table", name, "") for name in new.names]
    return [*made, *schema_changes.changes(ours, theirs)]


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ("ALTER TABLE account RENAME balance TO amount", ["rename-column"]),
        ("ALTER TABLE account RENAME balance TO amount, ALTER amount TYPE bigint", None),
        (
            "ALTER TABLE account RENAME balance TO \"A mount 🐘\"; "
            " ALTER TABLE account RENAME v TO w",
            ["rename-column", "rename-column"],
        ),
        ("ALTER TABLE account DROP balance, ADD amount int", ["column", "drop-column"]),
        ("ALTER TABLE account RENAME TO \"Account\"", ["rename-table"]),
        ("ALTER TABLE m RENAME at TO \"day\"", ["rename-column"]),
        ("ALTER TABLE m_1 RENAME TO m_01", ["rename-table"]),
        ("ALTER TABLE m RENAME TO months", ["rename-table"]),
        ("ALTER TABLE account SET SCHEMA \"S 1\"", ["rename-table"]),
        ("ALTER SCHEMA \"S 1\" RENAME TO s2", ["schema", "rename-table"]),
        (
            "ALTER SEQUENCE \"S 1\".t_id_seq RENAME TO counter",
            ["rename-sequence", "column-settings"],
        ),
        ("ALTER TABLE \"S 1\".t RENAME \"A a\" TO b", ["rename-column"]),
    ],
)  # fmt: skip
async def test_a_rename_is_seen_and_followed_by_nothing_that_drops(
    pair: Pair, opened: Open, database: str, change: str, kinds: list[str] | None
) -> None:
    sides = {major: await opened(major, database) for major in (16, 18)}
    for connection in sides.values():
        await connection.execute(BEFORE)
    if ", ALTER amount" in change:
        change = change.replace(", ALTER amount", "; ALTER TABLE account ALTER amount")
    await sides[18].execute(f"SET search_path = public; {change}".encode())
    await sides[18].execute("SET search_path = pg_catalog")
    found = await changes(sides)
    if kinds is not None:
        assert [each.kind for each in found] == kinds
    seen = []
    # As a person goes through them, looking again after each.
    while found := [each for each in await changes(sides) if each.statements]:
        seen.append(found[0].kind)
        for statement in found[0].statements:
            await sides[16].execute(statement)
        assert len(seen) < 12, seen
    if kinds is None:
        assert "rename-column" in seen
    if "DROP" not in change:
        assert not [kind for kind in seen if kind.startswith("drop")], seen


async def test_of_twins_the_number_tells_which_was_renamed(
    pair: Pair, opened: Open, database: str
) -> None:
    connection = await opened(18, database)
    await connection.execute(BEFORE)
    before = await schema_ddl.read(connection, "before")
    await connection.execute(
        "ALTER TABLE public.twin_a RENAME TO first; ALTER TABLE public.twin_b RENAME TO second"
    )
    after = await schema_ddl.read(connection, "after")
    found = {each.name[1]: each.title for each in schema_changes.changes(after, before)}
    assert '"twin_a"' in found["first"]
    assert '"twin_b"' in found["second"]
    assert schema_changes.new_tables(after, before).names == []
