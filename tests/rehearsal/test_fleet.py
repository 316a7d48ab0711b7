"""Volumes, deployments and switchovers on real servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from rehearsal.servers.fleet import Fleet, ReplicationState, ServerError, Task
from rehearsal.servers.switchover import read_sequences
from tests.rehearsal.conftest import (
    BOTH,
    SETTINGS,
    SHOP,
    Load,
    admin,
    ask,
    connect,
    nothing_missing,
    same_content,
    until,
)

LEFTOVERS = """
    SELECT (SELECT count(*) FROM pg_publication)
        + (SELECT count(*) FROM pg_event_trigger WHERE evtname LIKE 'rds_note%')
        + (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_subscription)
        + (SELECT count(*) FROM pg_replication_origin)
        + (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'rds%')"""


def healthy(state: ReplicationState) -> bool:
    """Return whether every database is seen to be applied without errors and nothing degrades."""
    return (
        state.degraded is None
        and bool(state.databases)
        and all(
            each.worker_alive and each.lag_bytes is not None and each.apply_errors == 0
            for each in state.databases
        )
    )


def in_step(fleet: Fleet, blue: str, green: str) -> None:
    until(lambda: healthy(fleet.replication_state(blue, green)), "replication runs")
    fleet.drain(blue, green, limit_s=30)


def clean(fleet: Fleet, volume: str) -> None:
    for dbname in [*BOTH, "postgres"]:
        with connect(fleet, volume, dbname) as connection:
            assert ask(connection, LEFTOVERS) == 0, dbname


def writable(fleet: Fleet, volume: str) -> None:
    with connect(fleet, volume) as connection:
        connection.execute("UPDATE account SET balance = balance WHERE id = 1")


def test_green_is_an_exact_upgraded_copy_made_under_load(
    fleet: Fleet, blue: str, new_id: Callable[[], str]
) -> None:
    green = new_id()
    tasks: list[tuple[Task, str]] = []
    with Load(fleet, blue, BOTH, writers=3):
        fleet.replicate(blue, green, "18", SETTINGS, lambda *told: tasks.append(told))
        state = fleet.replication_state(blue, green)
        assert [each.database for each in state.databases] == sorted([*BOTH, "postgres"])
    assert tasks == [(task, word) for task in Task for word in ("IN_PROGRESS", "COMPLETED")]
    in_step(fleet, blue, green)
    same_content(fleet, blue, green)
    assert fleet.version(green).startswith("18.")
    with connect(fleet, green) as connection:
        assert ask(connection, "SHOW default_transaction_read_only") == "on"
        assert ask(connection, "SELECT count(*) FROM pg_publication") == 0
        assert ask(connection, "SELECT aurora_version()") == fleet.version(green)


def test_a_deployment_that_fails_leaves_blue_as_it_was(
    fleet: Fleet, blue: str, new_id: Callable[[], str]
) -> None:
    def fail(task: Task, status: str) -> None:
        if task is Task.ENGINE_UPGRADE:
            raise ServerError("planted")

    green = new_id()
    with pytest.raises(ServerError, match="planted"):
        fleet.replicate(blue, green, "18", SETTINGS, fail)
    with pytest.raises(KeyError):
        fleet.version(green)
    clean(fleet, blue)
    fleet.apply_settings(blue, SETTINGS | {"rds.logical_replication": "0"})
    fleet.restart(blue)
    with pytest.raises(ServerError, match="wal_level"):
        fleet.replicate(blue, green, "18", SETTINGS, lambda task, status: None)
    with pytest.raises(KeyError):
        fleet.version(green)
    clean(fleet, blue)


def test_switchover_under_load_loses_nothing_and_locks_old_blue(
    fleet: Fleet, blue: str, green: str, new_id: Callable[[], str]
) -> None:
    with connect(fleet, blue) as connection:
        connection.execute("SELECT count(*) FROM account")
        connection.execute("CREATE TEMP TABLE mine (id int)")
    phases: list[str] = []

    def swap() -> None:
        for volume in (blue, green):
            with pytest.raises(psycopg.OperationalError, match="rejects connection"):
                connect(fleet, volume)

    in_step(fleet, blue, green)
    with Load(fleet, blue, BOTH) as load:
        idle = connect(fleet, blue, "postgres")
        fleet.switch_over(blue, green, limit_s=30, swap=swap, on_phase=phases.append)
        writable(fleet, green)
    assert "57P01" in load.ends
    assert set(load.ends) <= {"57P01", "closed"}
    with pytest.raises(psycopg.errors.AdminShutdown):
        idle.execute("SELECT 1")
    assert phases[0] == "guardrails"
    assert phases[-1] == "lock"
    nothing_missing(fleet, green, load)
    same_content(fleet, blue, green)
    for dbname in BOTH:
        with connect(fleet, blue, dbname) as old, connect(fleet, green, dbname) as new:
            assert read_sequences(old) == read_sequences(new)
    clean(fleet, green)
    no_session_writes_until_unlocked(fleet, blue)


COUNTERS = """
    SELECT n_tup_ins, n_tup_upd, n_live_tup FROM pg_stat_user_tables WHERE relname = 'ledger_entry'
"""


@pytest.mark.parametrize("crash", [False, True])
def test_counters_begin_at_0_by_a_reset_with_its_time_or_by_a_crash_without(
    fleet: Fleet, blue: str, crash: bool
) -> None:
    with connect(fleet, blue) as connection:
        connection.execute("UPDATE account SET balance = balance")
    counted = (
        "SELECT sum(n_tup_upd) > 0, (SELECT stats_reset IS NOT NULL FROM pg_stat_database"
        " WHERE datname = current_database()) FROM pg_stat_user_tables"
    )
    # The session has handed its counts in before it was gone.
    until(lambda: look(fleet, blue, counted) == (True, False), "the update is counted")
    fleet.forget_counters(blue, crash=crash)
    assert look(fleet, blue, counted) == (False, not crash)


def look(fleet: Fleet, volume: str, query: str) -> tuple[Any, ...]:
    with connect(fleet, volume) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row


def no_session_writes_until_unlocked(fleet: Fleet, blue: str) -> None:
    assert fleet.locked(blue)
    attempts = [
        "UPDATE account SET balance = 0",
        "SELECT nextval('invoice_number')",
        "CREATE PUBLICATION mine FOR ALL TABLES",
        "ALTER DATABASE orders SET default_transaction_read_only = off",
    ]
    with connect(fleet, blue) as connection:
        before = connection.execute(COUNTERS).fetchone()
        rows = ask(connection, "SELECT count(*) FROM ledger_entry")
    assert before is not None
    assert before[0] >= rows > 0
    for restart in (False, True):
        if restart:
            fleet.restart(blue)
        with connect(fleet, blue) as connection:
            connection.execute("SET default_transaction_read_only = off")
            for attempt in attempts:
                with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                    connection.execute(attempt.encode())
            assert connection.execute(COUNTERS).fetchone() == before
    fleet.unlock(blue)
    assert not fleet.locked(blue)
    with connect(fleet, blue) as connection:
        assert connection.execute(COUNTERS).fetchone() == before
    writable(fleet, blue)
    clean(fleet, blue)


def test_a_locked_volume_can_be_cloned_and_its_clone_is_free(
    fleet: Fleet, blue: str, new_id: Callable[[], str]
) -> None:
    fleet.lock(blue)
    copy = new_id()
    fleet.clone(blue, copy)
    fleet.start(copy)
    same_content(fleet, blue, copy)
    writable(fleet, copy)
    assert fleet.locked(blue)
    assert not fleet.locked(copy)


def test_a_switchover_that_cannot_swap_names_returns_to_blue_without_its_green(
    fleet: Fleet, blue: str, green: str
) -> None:
    def fail() -> None:
        raise ServerError("planted")

    in_step(fleet, blue, green)
    with pytest.raises(ServerError, match="planted"):
        fleet.switch_over(blue, green, limit_s=30, swap=fail)
    writable(fleet, blue)
    assert "did not complete" in str(fleet.replication_state(blue, green).degraded)
    fleet.detach(blue, green)
    clean(fleet, blue)


@pytest.fixture(scope="module")
def deployed(fleet: Fleet, production: str) -> tuple[str, str]:
    """A deployment for tests that leave it as they find it."""
    blue, green = "cluster-DEPLOYED", "cluster-DEPLOYED-GREEN"
    fleet.clone(production, blue)
    fleet.start(blue)
    fleet.replicate(blue, green, "16", SETTINGS, lambda task, status: None)
    in_step(fleet, blue, green)
    return blue, green


def test_a_switchover_that_fails_is_taken_back(fleet: Fleet, deployed: tuple[str, str]) -> None:
    blue, green = deployed
    for phase in ("stop_writes", "drain", "sync_sequences", "detach_replication"):

        def fail(reached: str, phase: str = phase) -> None:
            if reached == phase:
                raise ServerError("planted")

        with pytest.raises(ServerError, match="planted"):
            fleet.switch_over(blue, green, limit_s=30, swap=lambda: None, on_phase=fail)
        still_deployed(fleet, blue, green)
    with pytest.raises(ServerError, match="taken back"):
        fleet.switch_over(blue, green, limit_s=0, swap=lambda: None)
    still_deployed(fleet, blue, green)


def still_deployed(fleet: Fleet, blue: str, green: str) -> None:
    writable(fleet, blue)
    in_step(fleet, blue, green)
    same_content(fleet, blue, green)
    with connect(fleet, green) as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("DELETE FROM account")
    assert not fleet.locked(blue)


def test_a_green_that_dies_in_the_switchover_takes_it_back(
    fleet: Fleet, deployed: tuple[str, str]
) -> None:
    blue, green = deployed

    def die(phase: str) -> None:
        if phase == "drain":
            fleet.kill(green)

    with pytest.raises(ServerError, match="taken back"):
        fleet.switch_over(blue, green, limit_s=2, swap=lambda: None, on_phase=die)
    writable(fleet, blue)
    state = fleet.replication_state(blue, green)
    assert not healthy(state)
    assert all(each.worker_alive is None for each in state.databases)
    fleet.start(green)
    still_deployed(fleet, blue, green)


def test_guardrails_name_what_stands_in_the_way(fleet: Fleet, deployed: tuple[str, str]) -> None:
    blue, green = deployed
    assert fleet.guardrails(blue, green) == []
    with connect(fleet, blue, SHOP) as other, connect(fleet, green) as writer:
        other.execute("SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')")
        assert fleet.guardrails(blue, green) == [
            "The source takes part in other logical replication: slot theirs."
        ]
        other.execute("SELECT pg_drop_replication_slot('theirs')")
        with other.transaction():
            other.execute("LOCK TABLE account")
            (reason,) = fleet.guardrails(blue, green)
            assert "lock as DDL takes it" in reason
        writer.execute("SET default_transaction_read_only = off")
        with writer.transaction():
            writer.execute("UPDATE account SET balance = 7 WHERE id = 7")
            (reason,) = fleet.guardrails(blue, green)
            assert "writing on the green cluster" in reason
            raise psycopg.Rollback
    fleet.kill(green)
    assert fleet.guardrails(blue, green) == ["A server of the deployment does not run."]
    fleet.start(green)
    still_deployed(fleet, blue, green)


def test_large_objects_degrade_a_deployment_and_temporary_tables_do_not(
    fleet: Fleet, watched: str
) -> None:
    blue, green = watched, f"{watched}-GREEN"
    in_step(fleet, blue, green)
    with connect(fleet, blue, SHOP) as connection:
        connection.execute("CREATE TEMP TABLE mine (id int)")
        connection.execute("CREATE INDEX ON mine (id)")
        connection.execute("DROP TABLE mine")
        connection.execute("CREATE ROLE newcomer")
        connection.execute("GRANT SELECT ON account TO newcomer")
        connection.execute("ANALYZE account")
    assert fleet.replication_state(blue, green).degraded is None
    with connect(fleet, blue, SHOP) as connection:
        connection.execute("SELECT lo_from_bytea(0, 'x')")
    assert "large object" in str(fleet.replication_state(blue, green).degraded)
    assert any("large object" in reason for reason in fleet.guardrails(blue, green))


REFUSING = """
    SET default_transaction_read_only = off;
    CREATE FUNCTION log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
        'BEGIN IF tg_tag !~ ''EVENT TRIGGER|REFRESH'' THEN RAISE unique_violation; END IF; END';
    CREATE EVENT TRIGGER log_ddl ON ddl_command_start EXECUTE FUNCTION log_ddl();
"""
"""As a log of DDL does whose key is taken already."""


def test_ddl_degrades_a_deployment_for_good_until_it_is_ended(
    fleet: Fleet, blue: str, green: str
) -> None:
    in_step(fleet, blue, green)
    with connect(fleet, blue) as connection:
        connection.execute("REFRESH MATERIALIZED VIEW revenue_by_day")
    seen = fleet.replication_state(blue, green).degraded
    assert seen == "REFRESH MATERIALIZED VIEW public.revenue_by_day in database orders"
    fleet.kill(blue)
    fleet.start(blue)
    assert fleet.replication_state(blue, green).degraded == seen
    for volume in (blue, green):
        with admin(fleet, volume) as connection:
            for statement in REFUSING.split(";\n"):
                connection.execute(statement.encode())
    fleet.detach(blue, green)
    for volume in (blue, green):
        with admin(fleet, volume) as connection:
            connection.execute("DROP EVENT TRIGGER log_ddl")
        clean(fleet, volume)
        writable(fleet, volume)


@pytest.mark.parametrize(
    ("statement", "noted"),
    [
        ("CREATE TABLE t (id int)", "CREATE TABLE"),
        ("CREATE TABLE IF NOT EXISTS account (id int)", "CREATE TABLE"),
        ("CREATE TABLE t AS SELECT 1 AS one", "CREATE TABLE AS"),
        ("ALTER TABLE account ADD x int", "ALTER TABLE"),
        ("ALTER TABLE account ALTER balance TYPE numeric", "ALTER TABLE"),
        ("CREATE INDEX ON account (balance)", "CREATE INDEX"),
        ("DROP TABLE audit_log", "DROP TABLE"),
        ("DROP TYPE order_status CASCADE", "DROP TYPE"),
        ("DO $$ BEGIN CREATE SCHEMA s; END $$", "CREATE SCHEMA"),
        ("DROP TABLE IF EXISTS nothing", None),
        ("TRUNCATE order_line", None),
        ("CREATE TEMP TABLE t (id serial PRIMARY KEY)", None),
        ("CREATE TEMP TABLE t AS SELECT 1 AS one", None),
        ("CREATE TEMPORARY TABLE IF NOT EXISTS t (id int)", None),
        ("REVOKE ALL ON account FROM app", None),
        ("ALTER DATABASE orders SET work_mem = '8MB'", None),
    ],
)
def test_the_watch_notes_lasting_ddl_alone(
    fleet: Fleet, watched: str, statement: str, noted: str | None
) -> None:
    with admin(fleet, watched) as connection, connection.transaction(force_rollback=True):
        connection.execute("SET SESSION AUTHORIZATION postgres")
        connection.execute(statement.encode())
        connection.execute("RESET SESSION AUTHORIZATION")
        rows = connection.execute("SELECT tag FROM rds_internal.ddl_log").fetchall()
        assert {tag for (tag,) in rows} == ({noted} if noted else set())


@pytest.fixture(scope="module")
def watched(fleet: Fleet, production: str) -> str:
    """A clone in which a deployment watches for DDL."""
    fleet.clone(production, "cluster-WATCHED")
    fleet.start("cluster-WATCHED")
    fleet.replicate(
        "cluster-WATCHED", "cluster-WATCHED-GREEN", "16", SETTINGS, lambda task, status: None
    )
    return "cluster-WATCHED"


def test_a_clone_of_a_deployed_volume_carries_none_of_it(
    fleet: Fleet, deployed: tuple[str, str], new_id: Callable[[], str]
) -> None:
    blue, green = deployed
    for side in deployed:
        copy = new_id()
        fleet.clone(side, copy)
        fleet.start(copy)
        clean(fleet, copy)
        writable(fleet, copy)
    still_deployed(fleet, blue, green)


def test_replication_goes_on_after_blue_restarts_elsewhere(
    fleet: Fleet, deployed: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    blue, green = deployed
    before = fleet.port(blue)
    monkeypatch.setattr("rehearsal.servers.server.is_free", lambda port: port != before)
    assert fleet.restart(blue) != before
    writable(fleet, blue)
    still_deployed(fleet, blue, green)
