"""Real servers for tests: one fleet a module, a seeded production in it, clones for each test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql

from rehearsal.servers.fleet import Fleet
from rehearsal.servers.seed import ROLES, Seed

MASTER = "postgres"
PASSWORD = 'master\'s "secret"'
SETTINGS = {
    "rds.logical_replication": "1",
    "max_replication_slots": "20",
    "max_wal_senders": "20",
    "max_logical_replication_workers": "16",
    "max_worker_processes": "40",
}
ROLE_PASSWORDS = {role: f"of {role}" for role in ROLES}
SHOP = 'Ærø "shop" 100%'

_numbers = count(1)


def until(condition: Callable[[], Any], what: str, limit_s: float = 120.0) -> Any:
    """Return the condition's value as soon as it is true."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)
    return value


def connect(
    fleet: Fleet, volume: str, dbname: str = "orders", user: str = MASTER, password: str = PASSWORD
) -> Connection[tuple[Any, ...]]:
    """Open a client's session."""
    port = fleet.port(volume)
    assert port is not None
    return psycopg.connect(
        host="127.0.0.1",
        port=port,
        user=user,
        password=password,
        dbname=dbname,
        autocommit=True,
    )


def admin(fleet: Fleet, volume: str, dbname: str = "orders") -> Connection[tuple[Any, ...]]:
    """Open a session of the lab's superuser, for what the master may not."""
    return psycopg.connect(fleet.conninfo(volume, dbname), autocommit=True)


def ask(connection: Connection[Any], query: str, parameters: Sequence[Any] = ()) -> Any:
    """Return the only value of a query."""
    row = connection.execute(query.encode(), parameters or None).fetchone()
    assert row is not None
    return row[0]


def content(connection: Connection[Any]) -> dict[tuple[str, str], tuple[int, str]]:
    """Return count and fingerprint of the rows of every table."""
    tables = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class AS c"
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'rds_internal'"
        " AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
    ).fetchall()
    found = {}
    for name in tables:
        row = connection.execute(
            sql.SQL(
                "SELECT count(*), coalesce(md5(string_agg(h, '' ORDER BY h)), '')"
                " FROM (SELECT md5(t::text) AS h FROM {} AS t) AS hashed"
            ).format(sql.Identifier(*name))
        ).fetchone()
        assert row is not None
        found[name[0], name[1]] = (row[0], row[1])
    return found


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("lab")) as made:
        yield made


@pytest.fixture(scope="module")
def production(fleet: Fleet) -> str:
    """A seeded 16 with two application databases; only read it, or clone it."""
    fleet.create(
        "cluster-PRODUCTION",
        "16",
        SETTINGS,
        master_user=MASTER,
        master_password=PASSWORD,
        seed=Seed(roles=ROLE_PASSWORDS),
    )
    return "cluster-PRODUCTION"


@pytest.fixture
def new_id(fleet: Fleet) -> Iterator[Callable[[], str]]:
    """Fresh resource ids, whose volumes are gone after the test."""
    given: list[str] = []

    def give() -> str:
        given.append(f"cluster-{next(_numbers):04}")
        return given[-1]

    yield give
    for each in given:
        fleet.destroy(each)


@pytest.fixture
def blue(fleet: Fleet, production: str, new_id: Callable[[], str]) -> str:
    """A running clone of production."""
    volume = new_id()
    fleet.clone(production, volume)
    fleet.start(volume)
    return volume


@pytest.fixture
def green(fleet: Fleet, blue: str, new_id: Callable[[], str]) -> str:
    """The green of `blue`, of the same version, which is made fastest."""
    volume = new_id()
    fleet.replicate(blue, volume, "16", SETTINGS, lambda task, status: None)
    return volume


class Load:
    """Clients that write transactions of several rows into `ledger_entry`, until told to stop.

    Beside short transactions there are such that stay open for a while, change what others do
    not, roll back to savepoints, and are rolled back.
    """

    def __init__(
        self, fleet: Fleet, volume: str, databases: Sequence[str], writers: int = 3
    ) -> None:
        self._where = (fleet, volume)
        self._halt = threading.Event()
        self.acknowledged: dict[tuple[str, int], set[int]] = {}
        self.in_doubt: dict[tuple[str, int], set[int]] = {}
        self.ends: list[str | None] = []
        """What ended each session: a SQLSTATE, "closed" without one, None for the writer itself.

        A server that ends a session while a query is on its way to it closes with the query
        unread, and TCP throws away the message that would have said why.
        """
        self._threads = [
            threading.Thread(target=self._write, args=(dbname, number), daemon=True)
            for number, dbname in enumerate([*databases] * writers)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        until(
            lambda: (
                len(self.acknowledged) == len(self._threads)
                and all(len(each) > 20 for each in self.acknowledged.values())
            ),
            "every writer writes",
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._halt.set()
        for thread in self._threads:
            thread.join()

    def _write(self, dbname: str, writer: int) -> None:
        acknowledged = self.acknowledged.setdefault((dbname, writer), set())
        doubtful = self.in_doubt.setdefault((dbname, writer), set())
        try:
            with connect(*self._where, dbname) as connection:
                for number in count(0, 10):
                    if self._halt.is_set():
                        break
                    rows = set(range(number, number + 5))
                    doubtful |= rows
                    self._transaction(connection, writer, number)
                    doubtful -= rows
                    acknowledged |= rows
        except psycopg.OperationalError as error:
            self.ends.append(error.sqlstate or "closed")
        else:
            self.ends.append(None)

    def _transaction(self, connection: Connection[Any], writer: int, number: int) -> None:
        with connection.transaction():
            insert = (
                "INSERT INTO ledger_entry (writer, seq, payload, amount)"
                " SELECT %s::int, n, repeat(md5(n::text), 3), n * 1.5"
                " FROM generate_series(%s::int, %s::int) AS n"
            )
            connection.execute(insert, [writer, number, number + 2])
            if number % 200 == 0:
                # Held open by the client, so that it spans whatever happens meanwhile.
                self._halt.wait(0.3)
            connection.execute("SAVEPOINT s")
            connection.execute(insert, [writer, number + 7, number + 9])
            connection.execute("ROLLBACK TO s")
            connection.execute(insert, [writer, number + 3, number + 4])
            connection.execute(
                "UPDATE ledger_entry SET updated = updated + 1, payload = payload || 'x'"
                " WHERE writer = %s AND seq BETWEEN %s AND %s",
                [writer, number - 10, number],
            )
            connection.execute(
                "UPDATE account SET balance = balance + 1 WHERE id = %s", [writer + 1]
            )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lab"


BOTH = ["orders", SHOP]


def same_content(fleet: Fleet, one: str, other: str) -> None:
    for dbname in BOTH:
        with connect(fleet, one, dbname) as left, connect(fleet, other, dbname) as right:
            assert content(left) == content(right)


def nothing_missing(fleet: Fleet, volume: str, load: Load) -> None:
    for (dbname, writer), wanted in load.acknowledged.items():
        with connect(fleet, volume, dbname) as connection:
            rows = connection.execute("SELECT seq FROM ledger_entry WHERE writer = %s", [writer])
            found = {seq for (seq,) in rows}
        assert wanted <= found
        assert found - wanted <= load.in_doubt[dbname, writer]
