"""The same objects count as the same in 16 and 18, however each writes them; no change hides."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from psycopg import AsyncConnection

from runbook.base.pair import ReplicationPair
from runbook.base.roles import Role
from runbook.postgres import schema
from runbook.proofs import schema_drift
from runbook.proofs.schema_drift import Drift
from tests.postgres.conftest import Open, Pair
from tests.postgres.schemas import SCHEMAS, dumped

CHAOS = pytest.mark.chaos


async def made(
    pair: Pair, opened: Open, database: str, how: str, sql: str
) -> dict[int, AsyncConnection]:
    """Make a schema on both servers: both from its SQL, or one from the other's dump."""
    sides = {major: await opened(major, database) for major in (16, 18)}
    first = 18 if how == "made on 18" else 16
    other = 34 - first
    await sides[first].execute(f"SET search_path = public; {sql}".encode())
    if how == "written on both":
        await sides[other].execute(f"SET search_path = public; {sql}".encode())
    else:
        await sides[other].execute(dumped(pair, first, database).encode())
    for connection in sides.values():
        await connection.execute("SET search_path = pg_catalog")
    return sides


async def drifts(sides: dict[int, AsyncConnection], publisher: int) -> Sequence[Drift]:
    here, there = sides[publisher], sides[34 - publisher]
    ours, theirs = await schema.lines(here), await schema.lines(there)
    same = await schema.proved(there, schema.unlike(ours, theirs))
    return schema_drift.compare(
        "orders", ReplicationPair(Role.NEW_BLUE, Role.BLUE_PRIME), ours, theirs, same
    )


@pytest.mark.parametrize(
    ("name", "how"),
    [
        pytest.param(name, how, marks=() if how == "upgraded" or name == "shop" else CHAOS)
        for name in SCHEMAS
        for how in ("upgraded", "written on both", "made on 18")
    ],
)
async def test_no_drift_is_told_of_the_same_schema(
    pair: Pair, opened: Open, database: str, name: str, how: str
) -> None:
    sides = await made(pair, opened, database, how, SCHEMAS[name])
    for publisher in (18, 16):
        assert [each.words for each in await drifts(sides, publisher)] == []
    assert await schema.lines(sides[16]), "something was compared"


REAL = {
    "shop": (
        "ALTER TABLE sale DROP CONSTRAINT sale_status_check,"
        " ADD CONSTRAINT sale_status_check CHECK (status IN ('new', 'paid', 'sent'))",
        "ALTER TABLE sale DROP CONSTRAINT sale_status_check,"
        " ADD CONSTRAINT sale_status_check CHECK (status IN ('new', 'paid'))",
        "ALTER TABLE sale DROP CONSTRAINT sale_status_check,"
        " ADD CONSTRAINT sale_status_check CHECK (status NOT IN ('new', 'paid', 'shipped'))",
        "ALTER TABLE sale DROP CONSTRAINT sale_status_check,"
        " ADD CONSTRAINT sale_status_check CHECK (cur IN ('new', 'paid', 'shipped'))",
        "ALTER TABLE sale DROP CONSTRAINT sale_status_check, ADD CONSTRAINT sale_status_check"
        " CHECK (status IN ('new', 'paid', 'shipped')) NOT VALID",
        "ALTER TABLE sale DROP CONSTRAINT sale_status_check, ADD CONSTRAINT sale_status_check"
        " CHECK (status IN ('new', 'paid', 'shipped')) NO INHERIT",
        "ALTER TABLE sale DROP CONSTRAINT sale_status_check",
        "ALTER TABLE sale ALTER cur SET DEFAULT 'USD'",
        "ALTER TABLE sale ALTER status TYPE varchar(21)",
        "ALTER TABLE sale ALTER customer DROP NOT NULL",
        "DROP INDEX sale_one_open; CREATE UNIQUE INDEX sale_one_open ON sale (customer)"
        " WHERE status IN ('new', 'sent')",
        "DROP INDEX sale_one_open; CREATE UNIQUE INDEX sale_one_open ON sale (customer, status)"
        " WHERE status IN ('new', 'paid')",
        "DROP INDEX sale_one_open; CREATE UNIQUE INDEX sale_one_open ON sale (customer)",
        "ALTER DOMAIN currency DROP CONSTRAINT currency_check;"
        " ALTER DOMAIN currency ADD CONSTRAINT currency_check CHECK (VALUE IN ('EUR', 'CHF'))",
        "ALTER TABLE ev RENAME json TO \"Json\"",
        "ALTER TABLE item DROP CONSTRAINT item_pid_k_fkey",
        "ALTER TABLE item DROP CONSTRAINT item_pid_k_fkey, ADD CONSTRAINT item_pid_k_fkey"
        " FOREIGN KEY (pid, k) REFERENCES part ON DELETE CASCADE",
        "DROP TABLE item, part_2",
        "ALTER TABLE part DETACH PARTITION part_1",
        "ALTER TABLE part_1 REPLICA IDENTITY FULL",
        "ALTER TABLE part_1 ADD CHECK (id > 0)",
    ),
    "pagila": (
        "ALTER TABLE film DROP revenue_projection, ADD revenue_projection numeric(5, 2)"
        " GENERATED ALWAYS AS (rental_duration + rental_rate) STORED",
        "ALTER TABLE film ALTER special_features SET DEFAULT ARRAY['Commentaries', 'Trailers']",
        "ALTER TYPE mpaa_rating RENAME VALUE 'PG-13' TO 'PG-12'",
        "ALTER TABLE payment DETACH PARTITION payment_rest",
        "ALTER TABLE archive NO INHERIT language; ALTER TABLE archive ALTER name DROP NOT NULL",
        "ALTER DOMAIN currency SET DEFAULT 'USD'",
    ),
    "musicbrainz": (
        "ALTER TABLE booking DROP CONSTRAINT booking_during_excl,"
        " ADD CONSTRAINT booking_during_excl"
        " EXCLUDE USING gist (during WITH &&) WHERE (kind IN ('firm', 'kept'))",
        "ALTER TABLE booking DROP CONSTRAINT booking_during_excl,"
        " ADD CONSTRAINT booking_during_excl"
        " EXCLUDE USING gist (during WITH -|-) WHERE (kind IN ('firm', 'held'))",
        "DROP INDEX artist_name; CREATE UNIQUE INDEX artist_name ON artist (upper(name), gid)",
        "ALTER TABLE artist ALTER last_updated SET DEFAULT '2026-01-01 12:00+01'",
        "ALTER TABLE artist ALTER name TYPE varchar COLLATE \"C\"",
    ),
    "synapse": (
        "ALTER TABLE events DROP CONSTRAINT merge_action,"
        " ADD CONSTRAINT merge_action UNIQUE (type, state_key)",
        "ALTER SEQUENCE backfill NO CYCLE",
        "ALTER TABLE receipts REPLICA IDENTITY DEFAULT",
        "ALTER TYPE json_serialize ALTER ATTRIBUTE json_value TYPE bigint",
    ),
}  # fmt: skip
"""Of a schema, changes on one side alone, as small as they come."""


@pytest.mark.parametrize("stem", REAL)
async def test_a_real_change_of_one_side_is_found(
    pair: Pair, opened: Open, database: str, stem: str
) -> None:
    sides = await made(pair, opened, database, "upgraded", SCHEMAS[stem])
    for change in REAL[stem]:
        for major in (16, 18):
            async with sides[major].transaction(force_rollback=True):
                await sides[major].execute(f"SET LOCAL search_path = public; {change}".encode())
                await sides[major].execute("SET LOCAL search_path = pg_catalog")
                assert await drifts(sides, publisher=18), (change, major)
                assert await drifts(sides, publisher=16), (change, major)
    assert not await drifts(sides, publisher=18), "every change was undone"


async def test_what_each_writes_otherwise_is_there_to_be_proved(
    pair: Pair, opened: Open, database: str
) -> None:
    """Were it not, the tests above would prove nothing."""
    sides = await made(pair, opened, database, "upgraded", SCHEMAS["shop"])
    ours, theirs = await schema.lines(sides[16]), await schema.lines(sides[18])
    assert {names[-1] for _, names in schema.unlike(ours, theirs)} == {
        "sale_status_check", "sale_one_open", "currency",
    }  # fmt: skip
    words = {line.words for line in ours if line.names[-1:] == ["json"]}
    assert words == {"column public.ev.json jsonb"}
