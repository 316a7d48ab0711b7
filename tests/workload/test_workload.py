"""The workload as an application: traffic, outages, restarts, and leaving nothing behind."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from rehearsal.servers.server import Server
from rehearsal.workload import client, ledger
from rehearsal.workload.workload import Workload, WorkloadError
from rehearsal.workload.writers import Settings, Writers
from tests.workload.conftest import ACCOUNTS, BALANCE, DATABASES, PASSWORD
from tests.workload.cutter import Cutter
from tests.workload.waiting import until

Admin = Callable[[str], psycopg.Connection[Any]]
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'"
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'"


def acknowledged(workload: Workload) -> int:
    return workload.stats()["acknowledged"]


def run_until_more(workload: Workload, more: int = 50) -> None:
    goal = acknowledged(workload) + more
    until(lambda: acknowledged(workload) >= goal)


def assert_nothing_lost(workload: Workload) -> None:
    found = workload.verdict()
    assert (found["missing"], found["mismatched"]) == (0, 0), found["examples"]
    assert found["acknowledged"] > 0


def test_it_writes_to_every_database_and_moves_money(workload: Workload, admin: Admin) -> None:
    workload.start()
    assert workload.running
    run_until_more(workload, 300)
    assert workload.stop()
    assert not workload.running
    assert workload.stats()["errors"] == {}
    for database in DATABASES:
        with admin(database) as connection:
            query = "SELECT count(DISTINCT writer), count(*) FROM ledger_entry"
            writers, rows = connection.execute(query).fetchone() or (0, 0)
            assert writers == 2
            assert rows > 50
            query = (
                f"SELECT sum(balance), count(*) FILTER (WHERE balance <> {BALANCE}) FROM account"
            )
            total, moved = connection.execute(query.encode()).fetchone() or (0, 0)
            assert total == ACCOUNTS * BALANCE
            assert moved > 0
    assert_nothing_lost(workload)


def test_stopped_means_no_session_and_no_write(workload: Workload, admin: Admin) -> None:
    workload.start()
    run_until_more(workload)
    assert workload.stop()
    with admin("postgres") as connection:
        until(lambda: connection.execute(SESSIONS).fetchone() == (0,))
    before = acknowledged(workload)
    assert workload.verdict()["in_doubt"] == 0
    workload.start()
    run_until_more(workload)
    assert workload.stop()
    assert acknowledged(workload) > before
    names = [name for name, _ in workload.marks()]
    assert names == ["traffic started", "traffic stopped"] * 2


def test_it_comes_back_by_itself_after_lost_connections(workload: Workload, admin: Admin) -> None:
    workload.start()
    run_until_more(workload)
    with admin("postgres") as connection:
        connection.execute(TERMINATE)
    run_until_more(workload)
    assert workload.stats()["errors"]
    assert workload.stop()
    assert_nothing_lost(workload)


def test_the_gap_covers_the_outage_of_one_database(workload: Workload, admin: Admin) -> None:
    workload.start()
    run_until_more(workload, 100)
    start = time.time()
    with admin(DATABASES[1]) as connection:
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE ledger_entry")
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        until(lambda: connection.execute(waiting).fetchone() == (2,))
        locked_at = time.time()
        run_until_more(workload, 100)
        unlocked_at = time.time()
        connection.execute("COMMIT")
    run_until_more(workload, 100)
    gap = workload.longest_gap(start)
    assert gap is not None
    assert gap.database == DATABASES[1]
    assert gap.began <= locked_at < unlocked_at <= gap.ended
    assert gap.seconds == pytest.approx(gap.ended - gap.began)


def test_a_fenced_role_is_an_outage_that_ends(workload: Workload, admin: Admin) -> None:
    workload.start()
    run_until_more(workload)
    with admin("postgres") as connection:
        connection.execute("ALTER ROLE app NOLOGIN")
        connection.execute(TERMINATE)
        until(lambda: workload.stats()["errors"].get("08001", 0) > 4)
        assert connection.execute(SESSIONS).fetchone() == (0,)
        connection.execute("ALTER ROLE app LOGIN")
    run_until_more(workload)
    assert workload.stop()
    assert_nothing_lost(workload)


def test_a_read_only_server_makes_it_connect_again(workload: Workload, admin: Admin) -> None:
    workload.start()
    run_until_more(workload)
    with admin("postgres") as connection:
        connection.execute("ALTER ROLE app SET default_transaction_read_only = on")
        connection.execute(TERMINATE)
        until(lambda: workload.stats()["errors"].get("25006", 0) > 4)
        connection.execute("ALTER ROLE app RESET default_transaction_read_only")
    run_until_more(workload)
    assert workload.stop()
    assert_nothing_lost(workload)


def test_lost_answers_are_in_doubt_and_right_either_way(
    make_workload: Callable[..., Workload], server: Server
) -> None:
    assert server.port is not None
    with Cutter(server.port) as cutter:
        workload = make_workload(port=cutter.port)
        workload.start()
        for lost in ("answers", "requests") * 4:
            run_until_more(workload, 40)
            cutter.lose(lost)
            # Each writer sends one more statement and waits for its answer in vain.
            until(cutter.all_lost)
            cutter.cut()
        run_until_more(workload)
        assert workload.stop()
        found = workload.verdict(
            lambda database: psycopg.connect(
                server.conninfo(database, options="-c search_path=public"), autocommit=True
            )
        )
    assert (found["missing"], found["mismatched"]) == (0, 0), found["examples"]
    assert found["in_doubt"] >= 4


def test_a_server_that_does_not_answer_is_given_up(
    databases: tuple[str, ...], server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_S", 0.1)
    assert server.port is not None
    with Cutter(server.port) as cutter:
        settings = Settings("127.0.0.1", cutter.port, "app", PASSWORD, databases, 200, 1)
        writers = Writers(tmp_path, settings)
        writers.start("127.0.0.1", cutter.port)
        until(lambda: writers.stats()["acknowledged"] > 20)
        cutter.lose("answers")
        until(lambda: writers.stats()["errors"].get("08006", 0) >= 2)
        before = writers.stats()["acknowledged"]
        until(lambda: writers.stats()["acknowledged"] > before + 20)
        assert writers.stop(10)
        found = writers.verdict()
    assert (found["missing"], found["mismatched"]) == (0, 0), found["examples"]


def test_a_new_process_continues_the_ledger(make_workload: Callable[..., Workload]) -> None:
    first = make_workload()
    first.start()
    run_until_more(first)
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: not first.running)
    second = make_workload()
    before = acknowledged(second)
    assert before >= 50
    second.start()
    run_until_more(second)
    assert second.stop()
    assert second.stats()["errors"] == {}
    assert_nothing_lost(second)
    assert second.verdict()["acknowledged"] == acknowledged(second)


def test_a_dead_process_is_told_and_replaced(workload: Workload) -> None:
    workload.start()
    run_until_more(workload)
    assert workload.pid is not None
    os.kill(workload.pid, signal.SIGSTOP)
    failed: list[Exception] = []

    def ask() -> None:
        try:
            workload.stats()
        except WorkloadError as error:
            failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    os.kill(workload.pid, signal.SIGKILL)
    asking.join(120)
    assert failed
    assert not workload.running
    assert workload.stop()
    workload.start()
    run_until_more(workload)
    assert_nothing_lost(workload)


LAB = """
import sys, time
from pathlib import Path
from rehearsal.workload.workload import Workload
workload = Workload(host="127.0.0.1", port=int(sys.argv[1]), user="app", password=input(),
                    databases=["orders"], state_dir=Path(sys.argv[2]))
workload.start()
while workload.stats()["acknowledged"] < 50:
    time.sleep(0.01)
print("running", flush=True)
sys.stdin.read()
"""


def test_the_writers_end_with_the_lab(
    server: Server, databases: tuple[str, ...], admin: Admin, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LAB, str(server.port), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as lab:
        assert lab.stdin is not None
        assert lab.stdout is not None
        lab.stdin.write(PASSWORD + "\n")
        lab.stdin.flush()
        assert lab.stdout.readline() == "running\n"
        lab.kill()
    with (tmp_path / "ledger" / "lock").open("w") as lock:

        def free() -> bool:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        until(free)
    with admin("postgres") as connection:
        until(lambda: connection.execute(SESSIONS).fetchone() == (0,))
    assert sum(h.acknowledged for h in ledger.read_histories(tmp_path / "ledger")) >= 50


def test_the_password_is_nowhere_to_be_read(workload: Workload, tmp_path: Path) -> None:
    workload.start()
    run_until_more(workload)
    process = Path("/proc") / str(workload.pid)
    secret = PASSWORD.encode()
    if process.exists():
        assert secret not in (process / "cmdline").read_bytes()
        assert secret not in (process / "environ").read_bytes()
    assert workload.stop()
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if secret in path.read_bytes()]
    assert PASSWORD not in repr(workload)
    assert PASSWORD not in repr(Settings("h", 1, "app", PASSWORD, (), 1, 1))


def test_a_closed_endpoint_is_counted_and_stops_at_once(
    make_workload: Callable[..., Workload], server: Server
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        workload = make_workload(port=nobody.getsockname()[1])
        workload.start()
        until(lambda: workload.stats()["errors"].get("08001", 0) > 4)
        assert workload.stats()["last_ack_age_s"] is None
        assert workload.stop()
    workload.start(port=server.port)
    run_until_more(workload)
    assert_nothing_lost(workload)


@pytest.mark.parametrize("nothing", [{"databases": ()}, {"tps": 0}, {"writers_per_database": 0}])
def test_a_workload_of_nothing_is_refused(
    make_workload: Callable[..., Workload], nothing: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="needs a database, a writer and a rate"):
        make_workload(**nothing)
