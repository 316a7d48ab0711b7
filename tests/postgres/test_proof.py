"""Every kind of writer, planted on real servers: where the fence catches it, and by what name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from runbook.base.roles import Role
from runbook.postgres import fence_sql
from runbook.procedure.steps.rollback.fail_back import Assess
from runbook.procedure.steps.traffic import StopTraffic
from runbook.procedure.steps.upgrade.switchover import Switchover
from runbook.proofs import diverged, write_fence
from state.enums import Status
from tests.postgres.conftest import Pair
from tests.postgres.fenced import CAPTURE, INSERT, Night, fenced_night, plan_for

STOP = StopTraffic(on=Role.BLUE, also=(Role.GREEN,))


@pytest.fixture
async def night(
    pair: Pair, database: str, application: str, tmp_path: Path
) -> AsyncIterator[Night]:
    async with fenced_night(pair, tmp_path, database, plan_for(application)) as made:
        yield made


Plant = Callable[[Night, str], AbstractContextManager[Any]]


def comes_and_goes(
    statement: str, database: str = "", settings: str = "", read_only: bool = False
) -> Plant:
    """A job that connects for a moment, writes and is gone, over and over, on blue."""

    @contextmanager
    def plant(night: Night, job: str) -> Iterator[None]:
        name = database or night.database
        if read_only:
            with night.pair.admin(16) as admin:
                admin.execute(
                    SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(
                        Identifier(name)
                    )
                )

        def connect() -> psycopg.Connection[Any]:
            connection = night.pair.client(16, name, job)
            if settings:
                connection.execute(settings.encode())
            return connection

        with night.writing(statement, connect):
            yield

    return plant


def superuser(statement: str) -> Plant:
    """One of AWS's own roles, whose sessions are never looked at."""

    @contextmanager
    def plant(night: Night, job: str) -> Iterator[None]:
        with night.writing(statement, lambda: night.pair.admin(16, night.database)):
            yield

    return plant


@contextmanager
def idle_in_transaction(night: Night, job: str) -> Iterator[psycopg.Connection[Any]]:
    with night.pair.client(16, "postgres", job) as client:
        client.execute("BEGIN")
        client.execute(INSERT)
        yield client
        client.execute("COMMIT")


@contextmanager
def prepared(night: Night, job: str) -> Iterator[None]:
    with night.pair.client(16, night.database, job) as client:
        client.execute("BEGIN")
        client.execute(INSERT)
        client.execute("PREPARE TRANSACTION 'left \"%s\"'")
    yield


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (comes_and_goes(INSERT), ("🐘", "table public.t: ", " inserted, 0 updated, 0 deleted")),
        (comes_and_goes(INSERT, "postgres"), ('database "postgres", table public.t: ',)),
        (
            comes_and_goes(INSERT, "", "SET default_transaction_read_only = off", read_only=True),
            ("table public.t: ", "written in database"),
        ),
        pytest.param(
            comes_and_goes(
                INSERT, "", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", read_only=True
            ),
            ("table public.t: ",),
            marks=pytest.mark.chaos,
        ),
        (
            comes_and_goes("INSERT INTO public.unlogged VALUES (1)"),
            ("table public.unlogged: ", "written in database"),
        ),
        pytest.param(superuser("SELECT lo_create(0)"), ("large objects",), marks=pytest.mark.chaos),
        (superuser(INSERT), ("table public.t: ",)),
        (idle_in_transaction, ("open write transaction of", "(pid ", "in postgres")),
        (prepared, ("prepared transaction 'left \"%s\"'", "of ")),
    ],
    ids=[
        "job that connects for a moment",
        "another database",
        "SET default_transaction_read_only = off",
        "SET SESSION CHARACTERISTICS",
        "unlogged table",
        "large object",
        "superuser",
        "idle in transaction with an id",
        "prepared transaction",
    ],
)
async def test_a_writer_on_blue_keeps_the_fence_from_being_proved_and_is_named(
    night: Night, job: str, plant: Plant, words: tuple[str, ...]
) -> None:
    with plant(night, job), night.hurried():
        await night.fails(STOP, "The fence on blue is not proved", *words)
    assert not night.context.fact("fence")["proved"]
    with night.pair.admin(16) as admin:
        for (gid,) in admin.execute("SELECT gid FROM pg_prepared_xacts").fetchall():
            with night.pair.admin(16, night.database) as inside:
                inside.execute(SQL("ROLLBACK PREPARED {}").format(gid))
    await night.succeeds(STOP)


async def test_a_session_of_the_application_on_either_side_is_named(
    pair: Pair, database: str, application: str, tmp_path: Path
) -> None:
    plan = plan_for(application, stop="manual", lock_roles=False)
    async with fenced_night(pair, tmp_path, database, plan) as night:
        for major, where in ((16, "session"), (18, "on green: session")):
            with pair.client(major, database, application) as client, night.hurried():
                pid = client.info.backend_pid
                message = await night.fails(STOP, f"{where} {pid} of ")
            assert application in message.replace('""', '"')


async def test_an_apply_worker_on_blue_that_writes_is_named(night: Night) -> None:
    with (
        night.pair.admin(18, night.database) as there,
        night.pair.admin(16, night.database) as here,
    ):
        there.execute("CREATE PUBLICATION foreign_p FOR TABLE public.t")
        there.execute("SELECT pg_create_logical_replication_slot('foreign_s', 'pgoutput')")
        here.execute(
            SQL(
                "CREATE SUBSCRIPTION foreign_s CONNECTION {} PUBLICATION foreign_p"
                " WITH (create_slot = false, copy_data = false)"
            ).format(night.pair.servers[18].conninfo(night.database))
        )
        with (
            night.writing(INSERT, lambda: night.pair.admin(18, night.database)),
            night.hurried(),
        ):
            await night.fails(STOP, "logical replication ", 'of "rdsadmin" in ')


async def test_a_transaction_that_was_prepared_before_and_ends_between_two_looks_is_seen(
    night: Night, job: str
) -> None:
    """Its id is old: the next id does not move when it ends, and no session is left."""
    with prepared(night, job):
        night.write(16, "SELECT pg_current_xact_id()")
        async with write_fence.connections(night.context, Role.BLUE) as opened:
            before = await fence_sql.sample(opened)
            night.write(16, "COMMIT PREPARED 'left \"%s\"'")
            after = await fence_sql.sample(opened)
    assert before.next_xid == after.next_xid
    assert before.prepared
    assert not after.prepared
    assert fence_sql.compare_samples(before, after).proved is False


async def test_numbers_drawn_from_a_sequence_are_no_write(night: Night, job: str) -> None:
    def connect() -> psycopg.Connection[Any]:
        return night.pair.client(16, night.database, job)

    with night.coming_and_going("SELECT nextval('public.s')", connect):
        await night.succeeds(STOP)


# Between the proof and the pivot.


async def test_a_writer_that_comes_back_before_the_pivot_stops_it(night: Night, job: str) -> None:
    night.rds.deployed = SimpleNamespace(
        identifier="bgd-1", status="AVAILABLE", status_details="", target=""
    )
    night.keep("deployment", {"identifier": "bgd-1"})
    await night.fenced()
    pivot = Switchover()
    assert await pivot.effects(night.context)
    with comes_and_goes(INSERT)(night, job):
        status, message = await night.run(pivot)
    assert status is Status.FAILED
    assert "does not stand any more" in message
    assert "table public.t: " in message
    assert "The switchover was not asked for" in message
    assert not night.context.begun("switchover")
    # What was written once and is over goes to green like any other write.
    assert await pivot.effects(night.context)


async def test_a_pivot_without_a_kept_look_asks_for_a_quiet_window(night: Night, job: str) -> None:
    night.rds.deployed = SimpleNamespace(
        identifier="bgd-1", status="AVAILABLE", status_details="", target=""
    )
    night.keep("deployment", {"identifier": "bgd-1"})
    await night.fenced()
    night.keep("fence.blue", None)
    pivot = Switchover()
    assert await pivot.effects(night.context)
    with comes_and_goes(INSERT)(night, job):
        status, message = await night.run(pivot)
    assert status is Status.FAILED
    assert "The fence on blue does not stand: " in message
    assert "table public.t: " in message


# Between the proof and the capture, on new blue.


def once(statement: str, database: str = "") -> Callable[[Night], None]:
    return lambda night: night.write(18, statement, database)


@pytest.mark.parametrize(
    ("plant", "table", "rows"),
    [
        (once(INSERT), "public.t", (3, 2)),
        pytest.param(
            *(once("DELETE FROM public.t WHERE i = -1"), "public.t", (1, 2)),
            marks=pytest.mark.chaos,
        ),
        (once("UPDATE public.t SET i = 7 WHERE i = -1"), "public.t", (2, 2)),
        (once("TRUNCATE public.t"), "public.t", (0, 2)),
        (once("CREATE TABLE public.new AS SELECT 1 AS i"), "public.new", (None, None)),
        (once(INSERT, "postgres"), "public.t", (3, 2)),
    ],
    ids=["insert", "delete", "update", "truncate", "new table", "another database"],
)
async def test_a_write_on_new_blue_before_the_capture_is_named_and_accepted_by_name_only(
    night: Night,
    plant: Callable[[Night], None],
    table: str,
    rows: tuple[int | None, int | None],
) -> None:
    await night.fenced()
    plant(night)
    message = await night.fails(CAPTURE, "not proved that nothing was written", table)
    if rows[0] != rows[1]:
        assert f"{rows[0]} rows here, {rows[1]} rows on the other side" in message
    assert "Roll back to old blue, which loses just these writes" in message
    assert night.context.fact("capture") is None
    assert diverged.left(night.context) == []

    status, _ = await night.run(CAPTURE, night.no)
    assert status is Status.READY
    (gate,) = night.asked
    assert gate.must_type == "orders"
    assert table in gate.question
    assert "not protected until these tables are re-copied to blue prime" in gate.question
    assert night.context.fact("capture") is None

    await night.succeeds(CAPTURE)
    assert night.context.fact("capture")["publisher"] == "new blue"
    (left,) = diverged.left(night.context)
    assert f"{left.schema}.{left.table}" == table
    assert (left.here, left.there, left.found_by) == (*rows, "fence")


async def test_more_that_slips_in_after_the_question_is_asked_about_anew(night: Night) -> None:
    await night.fenced()
    night.write(18, INSERT)
    await night.fails(CAPTURE, "3 rows here, 2 rows")
    asked = (await CAPTURE.gates(night.context))[0].key
    night.write(18, INSERT, "postgres")
    await night.fails(CAPTURE, "postgres: public.t: 3 rows here, 2 rows")
    assert [gate.key for gate in night.asked] == [asked]
    assert diverged.left(night.context) == []
    await night.succeeds(CAPTURE)
    assert [gate.key for gate in night.asked] != [asked]
    assert len(diverged.left(night.context)) == 2


async def test_what_slipped_in_and_was_taken_back_is_proved_by_the_rows(night: Night) -> None:
    await night.fenced()
    night.write(18, "INSERT INTO public.t VALUES (9)")
    await night.fails(CAPTURE, "public.t")
    night.write(18, "DELETE FROM public.t WHERE i = 9")
    status, message = await night.run(CAPTURE)
    assert status is Status.SUCCEEDED, message
    assert diverged.left(night.context) == []
    assert await CAPTURE.gates(night.context) == []


@pytest.mark.parametrize(
    ("statement", "seen"),
    [
        ("INSERT INTO public.unlogged VALUES (1)", "every row in"),
        ("SELECT pg_stat_reset(), pg_current_xact_id()", "no row of new blue bears"),
        ("VACUUM FULL public.t", "every row in"),
        ("SELECT nextval('public.s')", "no row was written on new blue between"),
        ("SELECT lo_create(0)", "replication carries none"),
    ],
)
async def test_what_replication_does_not_carry_or_rows_can_tell_is_no_slip(
    night: Night, statement: str, seen: str
) -> None:
    await night.fenced()
    night.write(18, "ANALYZE")
    night.write(18, statement)
    await night.succeeds(CAPTURE)
    assert any(seen in text for text in night.seen("create-slots")), night.seen("create-slots")
    assert diverged.left(night.context) == []


@pytest.mark.chaos
async def test_a_session_that_keeps_its_counts_back_does_not_hide_its_write(
    night: Night, job: str
) -> None:
    await night.fenced()
    with night.pair.client(18, night.database, job) as client:
        client.execute("SELECT 1")
        client.execute(INSERT)
        message = await night.fails(CAPTURE, "public.t: 3 rows here, 2 rows on the other side")
        assert "session" not in message


async def test_a_write_on_old_blue_after_the_fence_is_found_by_the_capture(night: Night) -> None:
    await night.fenced()
    night.write(16, INSERT)
    await night.fails(CAPTURE, "public.t: 2 rows here, 3 rows on the other side")


async def test_a_write_on_both_sides_of_the_pivot_is_no_slip(night: Night) -> None:
    """What came after the proof and before AWS's own freeze was carried to green."""
    await night.fenced()
    for major in (16, 18):
        night.write(major, INSERT)
    await night.succeeds(CAPTURE)


async def test_back_to_old_blue_loses_what_slipped_in_by_name_only(night: Night) -> None:
    await night.fenced()
    night.write(18, INSERT)
    await night.fails(CAPTURE, "public.t")
    assess = Assess(away=Role.NEW_BLUE, to=Role.OLD_BLUE)
    status, _ = await night.run(assess, night.no)
    assert status is Status.READY
    assert "public.t: 3 rows here, 2 rows on the other side" in night.asked[0].question
    assert night.asked[0].must_type == "orders"
    await night.succeeds(assess)
    night.write(18, INSERT)
    await night.fails(Assess(away=Role.NEW_BLUE, to=Role.OLD_BLUE), "public.t: 4 rows here, 2 rows")
