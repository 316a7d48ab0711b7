"""Each cause turns the verdict, with its reason; what repairs it turns it back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from runbook.base.alert import ProbeResult
from runbook.base.pair import ReplicationPair
from runbook.base.roles import Role
from runbook.postgres import replication
from runbook.postgres.replication import StrayWrite
from runbook.postgres.schema import Line
from runbook.proofs import diverged, schema_drift
from runbook.proofs.diverged import Differing
from runbook.proofs.schema_drift import Where
from runbook.watch.monitor import Monitor
from runbook.watch.probes import patience
from tests.postgres.conftest import MASTER
from tests.watch.causes import FINAL, PLANTS, Plant, _let_go, _stand_still
from tests.watch.held import LIMIT_S, RUN, Held


async def test_each_cause_turns_it_and_what_repairs_it_turns_it_back(held: Held) -> None:
    for plant in PLANTS:
        if plant.ready is not None:
            await plant.ready(held)
        await plant.act(held)
        await held.says(*plant.words)
        assert plant.repair is not None
        await plant.repair(held)
        await held.protected()
    assert held.dashboard.alarms == ()
    said = held.verdicts()
    for plant in PLANTS:
        for words in plant.words:
            assert any(words in reason for _, reasons in said for reason in reasons), plant.name


@pytest.mark.parametrize("plant", FINAL, ids=lambda plant: plant.name)
async def test_a_slot_that_is_gone_is_said_to_be_for_good(held: Held, plant: Plant) -> None:
    if plant.ready is not None:
        await plant.ready(held)
    await plant.act(held)
    await held.says(*plant.words)
    assert held.dashboard.protection.lost


def _sender(held: Held) -> object:
    """Return the pid of the sender that is at work, or None."""
    with held.pair.admin(18) as connection:
        query = "SELECT pid FROM pg_stat_replication WHERE state = 'streaming'"
        return connection.execute(query).fetchone()


async def test_nothing_is_said_of_workers_that_come_back_nor_of_load(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers and senders are killed again and again, under load, with nothing wrong otherwise."""
    # How soon a server has its worker back tells how loaded the machine is.
    monkeypatch.setattr(patience, "AGAIN_S", LIMIT_S)

    async def load() -> None:
        for number in range(150):
            await held.new(
                f"INSERT INTO public.customer VALUES ({number}, 'x')",
                f"UPDATE public.customer SET name = 'y' WHERE id = {number}",
            )

    loading = asyncio.create_task(load())
    for major, what in ((16, "logical replication apply worker"), (18, "walsender")) * 3:
        before = await asyncio.to_thread(_sender, held)
        kind = what if major == 18 else "logical replication%"
        await held.run(
            major,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE backend_type LIKE '{kind}' AND backend_type <> 'logical replication launcher'",
        )
        async with asyncio.timeout(LIMIT_S):
            while await asyncio.to_thread(_sender, held) in (None, before):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        for _ in range(2):  # the second look began after they were back
            seen = held.dashboard.at
            await held.until(lambda seen=seen: held.dashboard.at != seen, "another verdict")  # type: ignore[misc]
    await loading
    await held.protected()
    assert {verdict for verdict, _ in held.verdicts()} == {True}, held.verdicts()
    assert held.dashboard.strays_since is not None


async def test_drift_is_kept_as_data_and_goes_when_it_is_repaired(held: Held) -> None:
    await held.new(
        "ALTER TABLE public.customer ALTER city TYPE text",
        "ALTER TYPE public.mood ADD VALUE 'so so'",
        "CREATE TABLE public.event_27 PARTITION OF public.event"
        " FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')",
        "CREATE EXTENSION vector",
    )
    await held.prime("ALTER SEQUENCE public.number MAXVALUE 99")
    await held.until(lambda: len(schema_drift.kept(held.context)) == 5, "five differences")
    found = {(each.kind, each.names): each for each in schema_drift.kept(held.context)}
    city = found["column", ("public", "customer", "city")]
    assert (city.database, city.where) == (held.database, Where.BOTH)
    assert (city.publisher, city.subscriber) == ("new blue", "blue prime")
    assert city.words.endswith(
        ": column public.customer.city text on new blue, but on blue prime: "
        "column public.customer.city character varying(20)"
    )
    assert found["type", ("public", "mood")].where is Where.BOTH
    assert found["table", ("public", "event_27")].where is Where.PUBLISHER
    assert found["extension", ("vector",)].breaks
    assert found["sequence", ("public", "number")].where is Where.BOTH
    assert schema_drift.from_json(city.as_json()) == city
    await held.says("column public.customer.city")
    await held.prime("CREATE EXTENSION vector")
    await held.until(lambda: len(schema_drift.kept(held.context)) == 4, "it is there on both sides")


def test_another_version_of_an_extension_warns_and_one_that_is_missing_breaks() -> None:
    def lines(*versions: str) -> list[Line]:
        return [
            each
            for version in versions
            for each in (
                Line("extension", ["vector"], "extension vector"),
                Line("version", ["vector"], f"extension vector version {version}"),
            )
        ]

    sides = ReplicationPair(Role.BLUE_PRIME, Role.NEW_BLUE)
    (older,) = schema_drift.compare("orders", sides, lines("0.8"), lines("0.6"))
    assert (older.kind, older.where, older.breaks) == ("version", Where.BOTH, False)
    assert "vector version 0.8 on blue prime, but on new blue" in older.words
    (missing,) = schema_drift.compare("orders", sides, lines("0.8"), [])
    assert (missing.kind, missing.where, missing.breaks) == ("extension", Where.PUBLISHER, True)
    (spare,) = schema_drift.compare("orders", sides, [], lines("0.8"))
    assert (spare.where, spare.breaks) == (Where.SUBSCRIBER, False)


async def test_a_stray_write_outlives_the_process_and_ours_is_none(held: Held) -> None:
    async with (
        held.context.connect(Role.BLUE_PRIME, held.database) as connection,
        connection.transaction(),
    ):
        await replication.own_mark().execute(connection)
        await connection.execute("INSERT INTO public.customer VALUES (-3, 'copied')")
    await held.prime('INSERT INTO public."Order ""x"" %" VALUES (-1, 1), (-2, 1)')
    await held.says('rows differ: public.Order "x" %')
    expected = Differing(held.database, "public", 'Order "x" %', None, None, "watch")
    assert diverged.left(held.context) == [expected]
    (seen,) = held.journal.evidences(RUN, "monitor", key=diverged.FACT)
    assert seen.text.endswith('"public"."Order ""x"" %": 2 rows inserted')
    (alarm,) = (each for each in held.dashboard.alarms if each.breaks)
    assert alarm.since is not None


async def test_a_verdict_that_was_put_up_and_not_journaled_is_journaled_by_the_next_process(
    held: Held,
) -> None:
    """Killed between the two, a run would for ever be held for what its journal said before."""
    held.watch.stop()
    value = {"protected": False, "reasons": ["lag"], "causes": ["lag"], "text": "lag"}
    held.journal.evidence(RUN, "monitor", "", key="protection", value=value)
    following = Monitor(held.watched, held.journal)
    watching = following.start()
    try:
        await held.until(lambda: held.verdicts()[-1] == (True, []), "protected in the journal")
    finally:
        following.stop()
        await watching


@asynccontextmanager
async def _anew(held: Held) -> AsyncIterator[Monitor]:
    """Watch as a process does that has just been started: nothing was seen before."""
    held.watch.stop()
    held.watch = Monitor(held.watched, held.journal)
    watching = held.watch.start()
    try:
        yield held.watch
    finally:
        held.watch.stop()
        await watching


async def test_a_watch_that_is_started_again_says_nothing_yet(held: Held) -> None:
    """Whoever asks right after the start must not be told what a former watch had found."""
    held.watch.stop()
    await held.until(lambda: held.watch.dashboard.strays_since is None, "the watch has ended")
    assert held.watch.dashboard.protection.protected is True
    watching = held.watch.start()
    try:
        assert held.watch.dashboard.protection.protected is None
    finally:
        held.watch.stop()
        await watching


async def test_a_lag_that_nobody_knows_in_seconds_is_not_small(held: Held) -> None:
    """Apply stands still since before the first look: for how long is known at least."""
    await _stand_still(held)
    before = len(held.verdicts())
    async with _anew(held) as watch:
        await held.until(
            lambda: not watch._unseen and any(lag.at_least_s > 1.0 for lag in held.dashboard.lags),
            "everything looked at",
        )
        (lag,) = held.dashboard.lags
        assert lag.seconds is None
        assert lag.bytes
        assert held.dashboard.protection.protected is None
        assert all(verdict is not True for verdict, _ in held.verdicts()[before:])
        await _let_go(held)
        await held.protected()


async def test_a_blind_look_for_stray_writes_ends_the_protection(held: Held) -> None:
    options = "-c default_transaction_read_only=off"
    with held.pair.client(16, held.database, MASTER, options=options) as stray:
        stray.execute("BEGIN")
        stray.execute("INSERT INTO public.customer VALUES (-9, 'never committed')")
        async with _anew(held):
            await held.until(
                lambda: any("cannot be watched" in reason for reason in held.reasons),
                "stray writes cannot be watched",
            )
            assert held.dashboard.protection.protected is None
            stray.execute("ROLLBACK")
            await held.protected()


async def test_what_only_warns_is_told_and_turns_nothing(held: Held) -> None:
    await held.new("SELECT setval('public.number', 32000)")
    held.watch.nudge()
    await held.warns('sequence "public"."number"')
    await held.prime(
        "CREATE ROLE sly LOGIN", "ALTER ROLE sly SET default_transaction_read_only = off"
    )
    try:
        await held.warns("writable to the role sly")
        options = "-c default_transaction_read_only=off"
        with held.pair.client(16, held.database, MASTER, options=options) as stray:
            stray.execute("BEGIN")
            stray.execute("INSERT INTO public.customer VALUES (-9, 'never committed')")
            await held.warns("has a write transaction open")
            stray.execute("ROLLBACK")
    finally:
        await held.prime("DROP ROLE sly")
    assert {verdict for verdict, _ in held.verdicts()} == {True}, held.verdicts()


async def test_a_transaction_that_stays_open_does_not_blind_it(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has written ends, on disk, amid a record: reading waits there for a flush."""
    large = (
        "INSERT INTO public.customer SELECT {0} * 100 + g,"
        " (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 20 + g))"
        " FROM generate_series(1, 40) g"
    )
    looks = 0
    look = held.watch._strays.look

    async def counted(databases: Sequence[str]) -> tuple[ProbeResult, list[tuple[str, StrayWrite]]]:
        nonlocal looks
        try:
            return await look(databases)
        finally:
            looks += 1

    monkeypatch.setattr(held.watch._strays, "look", counted)
    options = "-c default_transaction_read_only=off"
    with held.pair.client(16, held.database, MASTER, options=options) as stray:
        stray.execute("BEGIN")
        async with asyncio.timeout(LIMIT_S):
            for turn in range(4):
                stray.execute(large.format(turn).encode())
                held.watch.nudge()
                # The second one began after the rows were written.
                goal = looks + 2
                await held.until(lambda goal=goal: looks >= goal, "a look")  # type: ignore[misc]
        stray.execute("COMMIT")
    await held.says("rows differ: public.customer")


async def test_a_column_that_somebody_made_by_hand_counts_until_its_rows_were_compared(
    held: Held,
) -> None:
    """Its older values were not replicated, whoever made it there."""
    await held.new(
        "INSERT INTO public.customer SELECT g, 'n' FROM generate_series(1, 3) g",
        "ALTER TABLE public.customer ADD COLUMN serial_no bigserial",
    )
    await held.says("column public.customer.serial_no")
    await held.prime("ALTER TABLE public.customer ADD COLUMN serial_no bigserial")
    table = (held.database, "public", "customer")
    await held.until(lambda: not schema_drift.kept(held.context), "the schemas are alike")
    await held.says("rows may differ: public.customer")
    assert [each.name for each in diverged.left(held.context)] == [table]


async def test_a_table_without_a_key_is_said_at_once_and_does_not_pass_for_all_well(
    held: Held,
) -> None:
    table = "CREATE TABLE public.import_26 (line text)"
    await held.new(table)
    await held.warns("UPDATE and DELETE fail on")
    await held.new("DROP TABLE public.import_26")
    await held.protected()
    await held.until(lambda: "but" not in held.dashboard.protection.text, "all is well")
