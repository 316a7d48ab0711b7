"""The comparison, held against corruption planted in a real database."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from rehearsal.workload import ledger
from rehearsal.workload.ledger import Row, Transaction, Transfer, WriterLog
from rehearsal.workload.verdict import compare
from rehearsal.workload.workload import Workload, WorkloadError
from tests.workload.conftest import ACCOUNTS, BALANCE, DATABASES
from tests.workload.waiting import until

Admin = Callable[[str], psycopg.Connection[Any]]

SOME_ROW = "(writer, seq) = (SELECT writer, seq FROM ledger_entry ORDER BY writer, seq LIMIT 1)"
CHANGED_ROW = (
    "(writer, seq) = (SELECT writer, seq FROM ledger_entry WHERE updated > 0 "
    "ORDER BY writer, seq LIMIT 1)"
)

PLANTED = {
    "missing row": (f"DELETE FROM ledger_entry WHERE {SOME_ROW}", 1, 0),
    "changed payload": (f"UPDATE ledger_entry SET payload = payload || '.' WHERE {SOME_ROW}", 0, 1),
    "changed amount": (f"UPDATE ledger_entry SET amount = amount + 0.01 WHERE {SOME_ROW}", 0, 1),
    "lost text": (f"UPDATE ledger_entry SET payload = NULL WHERE {SOME_ROW}", 0, 1),
    "lost update": (f"UPDATE ledger_entry SET updated = updated - 1 WHERE {CHANGED_ROW}", 0, 1),
    "repeated update": (f"UPDATE ledger_entry SET updated = updated + 1 WHERE {CHANGED_ROW}", 0, 1),
    "row of a stranger": ("INSERT INTO ledger_entry VALUES (-5, 1, 'stray', 1)", 0, 1),
    "row of a known writer": (
        "INSERT INTO ledger_entry SELECT min(writer), 1000000, 'stray', 1 FROM ledger_entry",
        0,
        1,
    ),
    "swapped pair": (
        "UPDATE ledger_entry l SET payload = o.payload FROM ledger_entry o, "
        "(SELECT writer, min(seq) AS a, max(seq) AS b FROM ledger_entry GROUP BY writer LIMIT 1) p "
        "WHERE l.writer = p.writer AND o.writer = p.writer "
        "AND (l.seq, o.seq) IN ((p.a, p.b), (p.b, p.a))",
        0,
        2,
    ),
    "balance off": ("UPDATE account SET balance = balance + 1 WHERE id = 1", 0, 1),
    "transfer lost with the sum intact": (
        "UPDATE account SET balance = balance + CASE id WHEN 1 THEN 5 ELSE -5 END WHERE id < 3",
        0,
        2,
    ),
    "missing account": ("DELETE FROM account WHERE id = 1", 1, 0),
    "account of a stranger": ("INSERT INTO account VALUES (-1, 0)", 0, 1),
    "empty table": ("TRUNCATE account", ACCOUNTS, 0),
}


@pytest.fixture
def written(workload: Workload, admin: Admin) -> Workload:
    """Return a stopped workload that has done a bit of everything in both databases."""

    def enough() -> bool:
        for database in DATABASES:
            with admin(database) as connection:
                query = "SELECT count(*) FILTER (WHERE updated > 0) FROM ledger_entry"
                [changed] = connection.execute(query).fetchone() or (0,)
                if changed < 5:
                    return False
        return workload.stats()["acknowledged"] > 300

    workload.start()
    until(enough)
    assert workload.stop()
    return workload


def keep(connection: psycopg.Connection[Any]) -> None:
    connection.execute("CREATE TABLE kept_entry AS TABLE ledger_entry")
    connection.execute("CREATE TABLE kept_account AS TABLE account")


def restore(connection: psycopg.Connection[Any]) -> None:
    connection.execute("TRUNCATE ledger_entry, account")
    connection.execute("INSERT INTO ledger_entry TABLE kept_entry")
    connection.execute("INSERT INTO account TABLE kept_account")


def counts(workload: Workload) -> tuple[int, int]:
    found = workload.verdict()
    return found["missing"], found["mismatched"]


@pytest.mark.parametrize("database", DATABASES, ids=["first", "second"])
def test_every_planted_corruption_is_found(written: Workload, admin: Admin, database: str) -> None:
    clean = written.verdict()
    assert (clean["missing"], clean["mismatched"], clean["in_doubt"]) == (0, 0, 0)
    assert clean["acknowledged"] == written.stats()["acknowledged"]
    with admin(database) as connection:
        keep(connection)
        for name, (damage, missing, mismatched) in PLANTED.items():
            connection.execute(damage.encode())
            found = written.verdict()
            seen = (found["missing"], found["mismatched"])
            assert seen == (missing, mismatched), (name, found["examples"])
            assert all(example.startswith(f"{database}: ") for example in found["examples"])
            restore(connection)
    assert counts(written) == (0, 0)


def test_a_deleted_row_that_is_back_is_found(
    written: Workload, admin: Admin, tmp_path: Path
) -> None:
    histories = ledger.read_histories(tmp_path / "ledger")
    history = next(h for h in histories if h.database == DATABASES[0])
    deleted = next(seq for seq in range(1, history.last_seq) if seq not in history.rows)
    with admin(DATABASES[0]) as connection:
        connection.execute(
            "INSERT INTO ledger_entry VALUES (%s, %s, 'back', 1)", [history.writer, deleted]
        )
    assert counts(written) == (0, 1)


def test_a_table_without_any_row_lost_every_row(written: Workload, admin: Admin) -> None:
    with admin(DATABASES[0]) as connection:
        [rows] = connection.execute("SELECT count(*) FROM ledger_entry").fetchone() or (0,)
        connection.execute("TRUNCATE ledger_entry")
    found = written.verdict()
    assert found["missing"] == rows
    assert len(found["examples"]) == 20


def test_a_database_that_cannot_be_read_gives_no_verdict(written: Workload, admin: Admin) -> None:
    with admin(DATABASES[1]) as connection:
        connection.execute("DROP TABLE account")
    with pytest.raises(WorkloadError, match="account"):
        written.verdict()


def test_it_judges_the_cluster_it_is_led_to(written: Workload, admin: Admin) -> None:
    def connect(database: str) -> psycopg.Connection[Any]:
        connection = admin(DATABASES[0])
        assert database in DATABASES
        return connection

    # Led to the first database for both, it misses everything of the second.
    found = written.verdict(connect)
    assert found["missing"] > 0
    assert found["mismatched"] > 0
    assert written.verdict(admin) == written.verdict()


WRITER = 900
BEFORE = Row("before", "1.00", "0")
DOUBTED = {
    "insert of two": (
        Transaction(2, "insert", {11: BEFORE, 12: BEFORE}),
        "INSERT INTO ledger_entry VALUES (900, 11, 'before', 1.00)",
        "INSERT INTO ledger_entry VALUES (900, 12, 'before', 1.00)",
    ),
    "update of two": (
        Transaction(2, "update", {1: Row("after", "1.00", "1"), 2: Row("after", "1.00", "1")}),
        "UPDATE ledger_entry SET payload = 'after', updated = 1 WHERE seq = 1",
        "UPDATE ledger_entry SET payload = 'after', updated = 1 WHERE seq = 2",
    ),
    "transfer": (
        Transaction(2, "transfer", {13: BEFORE}, Transfer(3, 4, 50)),
        "INSERT INTO ledger_entry VALUES (900, 13, 'before', 1.00)",
        "UPDATE account SET balance = balance + CASE id WHEN 3 THEN -50 ELSE 50 END "
        "WHERE id IN (3, 4)",
    ),
}


@pytest.mark.parametrize("name", DOUBTED)
def test_a_transaction_in_doubt_is_there_wholly_or_not_at_all(
    name: str, databases: tuple[str, ...], admin: Admin, tmp_path: Path
) -> None:
    transaction, *halves = DOUBTED[name]
    ledger.record_balances(tmp_path, databases[0], dict.fromkeys(range(1, ACCOUNTS + 1), BALANCE))
    log = WriterLog(tmp_path, WRITER, databases[0])
    log.intend(Transaction(1, "insert", {1: BEFORE, 2: BEFORE}))
    log.acknowledge(1)
    log.intend(transaction)
    log.doubt(2, "08006")

    def wrong() -> int:
        found = compare(tmp_path, admin)
        assert (found["acknowledged"], found["missing"], found["in_doubt"]) == (1, 0, 1)
        return found["mismatched"]

    with admin(databases[0]) as connection:
        connection.execute("INSERT INTO ledger_entry VALUES (900, 1, 'before', 1.00)")
        connection.execute("INSERT INTO ledger_entry VALUES (900, 2, 'before', 1.00)")
        assert wrong() == 0
        connection.execute(halves[0].encode())
        assert wrong() > 0
        connection.execute(halves[1].encode())
        assert wrong() == 0
        connection.execute("UPDATE ledger_entry SET payload = 'neither' WHERE seq IN (1, 11, 13)")
        assert wrong() > 0


def test_a_delete_in_doubt_permits_both(
    databases: tuple[str, ...], admin: Admin, tmp_path: Path
) -> None:
    log = WriterLog(tmp_path, WRITER, databases[0])
    log.intend(Transaction(1, "insert", {1: BEFORE}))
    log.acknowledge(1)
    log.intend(Transaction(2, "delete", {1: None}))
    with admin(databases[0]) as connection:
        connection.execute("INSERT INTO ledger_entry VALUES (900, 1, 'before', 1.00)")
        assert compare(tmp_path, admin)["mismatched"] == 0
        connection.execute("DELETE FROM ledger_entry")
        assert compare(tmp_path, admin)["missing"] == 0


def test_it_is_exact_while_the_writers_go_on(workload: Workload) -> None:
    workload.start()
    acknowledged = 0
    while acknowledged < 1000:
        found = workload.verdict()
        assert (found["missing"], found["mismatched"]) == (0, 0), found["examples"]
        assert found["acknowledged"] >= acknowledged
        acknowledged = found["acknowledged"]
