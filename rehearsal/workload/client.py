"""One client of the workload: a connection, a pace, and the manners of an application.

It reconnects with a short back-off, because within an outage every millisecond is measured; it
gives up a server that does not answer; it stops between two transactions, never within one.
"""

import os
import random
import socket
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from rehearsal.workload import ledger
from rehearsal.workload.transactions import (
    Connection,
    InDoubt,
    OwnRows,
    Undone,
    compose,
    send,
    sqlstate,
)

FIRST_RETRY_S = 0.02
LONGEST_RETRY_S = 0.2
CONNECT_S = 3
STATEMENT_S = 5
ANSWER_S = 10.0
"""After this long without any answer a connection is given up, as by a client's socket timeout."""

READ_ONLY = "25006"
"""read_only_sql_transaction: the server that answers is not the one that takes writes."""


@dataclass(slots=True)
class Settings:
    """Where the application connects, as whom, and how much it does."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    databases: tuple[str, ...]
    tps: float
    writers_per_database: int

    def connect(self, database: str) -> Connection:
        """Open a connection as an ordinary client does."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=database,
            autocommit=True,
            connect_timeout=CONNECT_S,
            application_name="workload",
            client_encoding="utf8",
            gssencmode="disable",
            options=f"-c statement_timeout={STATEMENT_S * 1000}",
        )


class Gate:
    """Lets writers begin transactions, and knows when the last one has left."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open = False
        self._inside = 0

    def enter(self) -> None:
        """Wait until traffic may flow."""
        with self._changed:
            self._changed.wait_for(lambda: self._open)
            self._inside += 1

    def leave(self) -> None:
        """Say that a writer holds no connection any more."""
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def open(self) -> None:
        """Let traffic flow."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def close(self, timeout_s: float) -> bool:
        """Let no transaction begin any more; return whether all writers left in time."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._inside == 0, timeout_s)

    def pause(self, seconds: float) -> bool:
        """Sleep, unless the gate closes; return whether it is open."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open, max(0.0, seconds))
            return self._open


class Errors:
    """What went wrong, by SQLSTATE."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.last = ""

    def add(self, reason: str, text: str) -> None:
        """Count an error under its reason."""
        with self._lock:
            self.counts[reason] += 1
            self.last = f"{reason}: {' '.join(text.split())}"


class Accounts:
    """The accounts of each database, kept in the ledger before the first transfer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._known = ledger.read_balances(folder)

    def of(self, database: str, connection: Connection) -> list[int]:
        """Return the ids of the accounts; the first caller records what they hold."""
        with self._lock:
            if database not in self._known:
                rows = connection.execute("SELECT id, balance FROM account ORDER BY id").fetchall()
                balances = {int(str(i)): int(str(balance)) for i, balance in rows}
                ledger.record_balances(self._folder, database, balances)
                self._known[database] = balances
            return list(self._known[database])


@dataclass(slots=True)
class Shared:
    """What all writers have in common."""

    folder: Path
    settings: Settings
    accounts: Accounts
    gate: Gate
    errors: Errors
    seconds_between: float
    """The mean time from one transaction of a writer to its next."""


class Writer(threading.Thread):
    """One client of one database: one connection, one transaction at a time."""

    def __init__(self, shared: Shared, history: ledger.History) -> None:
        super().__init__(name=f"writer-{history.writer}", daemon=True)
        self.history = history
        self._connection: Connection | None = None
        self._busy_since: float | None = None
        self._shared = shared
        self._log = ledger.WriterLog(shared.folder, history.writer, history.database)
        self._own = OwnRows(history)
        history.rows.clear()
        self._rng = random.Random()  # noqa: S311 (what to write next is no secret)
        self._retry_s = FIRST_RETRY_S

    def run(self) -> None:
        """Work whenever the gate is open; a ledger that cannot be written ends the writer."""
        gate = self._shared.gate
        while True:
            gate.enter()
            try:
                self._reconnect_and_work(gate)
            finally:
                gate.leave()

    def _reconnect_and_work(self, gate: Gate) -> None:
        while gate.pause(0):
            try:
                connection = self._shared.settings.connect(self.history.database)
            except psycopg.Error as error:
                # libpq gives no SQLSTATE for a refused connection; 08001 is the standard's.
                self._shared.errors.add(error.sqlstate or "08001", str(error))
                self._back_off(gate)
                continue
            with closing(connection):
                self._connection = connection
                try:
                    accounts = self._find_accounts(connection)
                    self._work(gate, connection, accounts)
                except psycopg.Error as error:
                    self._shared.errors.add(sqlstate(error), str(error))
                    self._back_off(gate)
                self._connection = None

    def _find_accounts(self, connection: Connection) -> list[int]:
        self._busy_since = time.monotonic()
        try:
            return self._shared.accounts.of(self.history.database, connection)
        finally:
            self._busy_since = None

    def _work(self, gate: Gate, connection: Connection, accounts: list[int]) -> None:
        """Send transactions at the writer's pace until the gate closes or the connection fails."""
        due = time.monotonic()
        while gate.pause(due - time.monotonic()):
            if not self._one_transaction(connection, accounts):
                self._back_off(gate)
                return
            # No catching up after a pause: an application's users do not come back all at once.
            pace = self._shared.seconds_between * self._rng.uniform(0.5, 1.5)
            due = max(due + pace, time.monotonic())

    def _one_transaction(self, connection: Connection, accounts: list[int]) -> bool:
        """Return whether the connection is still of use."""
        transaction = compose(self._rng, self.history, self._own, accounts)
        self._log.intend(transaction)
        self._busy_since = time.monotonic()
        try:
            send(connection, self.history.writer, transaction)
        except Undone as undone:
            self._log.undone(transaction.number, undone.reason)
            self._shared.errors.add(undone.reason, str(undone))
            if undone.reason == "row gone":
                for seq in transaction.after:
                    self._own.forget(seq)
            if undone.lost or undone.reason == READ_ONLY:
                return False
            return self._back_off(self._shared.gate)
        except InDoubt as doubt:
            self._log.doubt(transaction.number, doubt.reason)
            self.history.undecided[transaction.number] = transaction
            self._shared.errors.add(doubt.reason, str(doubt))
            for seq in transaction.after:
                self._own.forget(seq)
            return False
        finally:
            self._busy_since = None
        self.history.acks.append(self._log.acknowledge(transaction.number))
        self.history.acknowledged += 1
        self._own.settle(transaction)
        self._retry_s = FIRST_RETRY_S
        return True

    def _back_off(self, gate: Gate) -> bool:
        wait_s = self._retry_s * self._rng.uniform(0.8, 1.2)
        self._retry_s = min(LONGEST_RETRY_S, self._retry_s * 1.6)
        return gate.pause(wait_s)

    def give_up_if_unanswered(self) -> None:
        """Cut a connection whose server stopped answering, so that the writer goes on."""
        since, connection = self._busy_since, self._connection
        if since is None or connection is None or time.monotonic() - since < ANSWER_S:
            return
        try:
            with socket.socket(fileno=os.dup(connection.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)
        except (OSError, psycopg.OperationalError):
            return  # It was closed meanwhile, which is what was wanted.
