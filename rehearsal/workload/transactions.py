"""What the workload's transactions are, and how one is sent so that its fate is known.

Each writer owns the rows of `ledger_entry` that bear its number and works on them alone; accounts
are shared by all. It never touches a row again whose fate is in doubt, so that the row can only be
as it was before that transaction or as it is after it.
"""

import random
from collections.abc import Sequence

import psycopg

from rehearsal.workload.ledger import History, Row, Transaction, Transfer

Connection = psycopg.Connection[tuple[object, ...]]
Statement = tuple[str, Sequence[object]]

INSERT = "INSERT INTO ledger_entry (writer, seq, payload, amount) VALUES (%s, %s, %s, %s)"
UPDATE = (
    "UPDATE ledger_entry SET payload = %s, updated = updated + 1 WHERE writer = %s AND seq = %s"
)
DELETE = "DELETE FROM ledger_entry WHERE writer = %s AND seq = %s"
PAY = "UPDATE account SET balance = balance + %s WHERE id = %s"

KINDS = {"insert": 40, "insert-many": 20, "update": 20, "transfer": 12, "delete": 8}
"""What is sent, in percent."""

TAILS = (
    "",
    " plain",
    ' it\'s "quoted" \\ 100%',
    " Grüße 東京 🐘",
    " tab\tand\nline",
    " " + "x" * 160,
)
"""Text that encodings and quoting can spoil."""


class Undone(Exception):
    """The transaction certainly did not happen; `reason` is a SQLSTATE where there is one."""

    def __init__(self, reason: str, text: str, *, lost: bool) -> None:
        super().__init__(text)
        self.reason = reason
        self.lost = lost
        """Whether the connection is of no more use."""


class InDoubt(Exception):
    """The answer to the COMMIT was lost."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class OwnRows:
    """The rows a writer may still work on, drawn evenly from old and new."""

    def __init__(self, history: History) -> None:
        """Take up what an earlier process left, less what is to be left alone."""
        frozen = history.frozen()
        self._rows = {seq: row for seq, row in history.rows.items() if seq not in frozen}
        self._order = list(self._rows)
        self._place = {seq: place for place, seq in enumerate(self._order)}

    def __getitem__(self, seq: int) -> Row:
        return self._rows[seq]

    def draw(self, rng: random.Random, count: int) -> list[int]:
        """Return up to `count` different rows."""
        return rng.sample(self._order, min(count, len(self._order)))

    def forget(self, seq: int) -> None:
        """Leave a row alone from now on."""
        if self._rows.pop(seq, None) is None:
            return
        place, last = self._place.pop(seq), self._order.pop()
        if last != seq:
            self._order[place] = last
            self._place[last] = place

    def settle(self, transaction: Transaction) -> None:
        """Take over what an acknowledged transaction made of them."""
        if transaction.transfer is not None:
            return
        for seq, row in transaction.after.items():
            if row is None:
                self.forget(seq)
                continue
            if seq not in self._rows:
                self._place[seq] = len(self._order)
                self._order.append(seq)
            self._rows[seq] = row


def compose(
    rng: random.Random, history: History, own: OwnRows, accounts: Sequence[int]
) -> Transaction:
    """Make up the writer's next transaction, counting `history` on."""
    history.last_number += 1
    number = history.last_number
    [kind] = rng.choices(list(KINDS), list(KINDS.values()))
    if kind == "transfer" and len(accounts) > 1:
        source, target = rng.sample(accounts, 2)
        transfer = Transfer(source, target, rng.randint(1, 50))
        return Transaction(number, kind, _new_rows(rng, history, 1), transfer)
    if kind == "update" and (seqs := own.draw(rng, rng.randint(1, 3))):
        return Transaction(number, kind, {seq: _updated(rng, own[seq], seq) for seq in seqs})
    if kind == "delete" and (seqs := own.draw(rng, 1)):
        return Transaction(number, kind, dict.fromkeys(seqs))
    many = rng.randint(2, 5) if kind == "insert-many" else 1
    return Transaction(number, "insert", _new_rows(rng, history, many))


def _new_rows(rng: random.Random, history: History, count: int) -> dict[int, Row | None]:
    rows: dict[int, Row | None] = {}
    for _ in range(count):
        history.last_seq += 1
        seq = history.last_seq
        amount = f"{rng.randint(1, 9999)}.{rng.randint(0, 99):02}"
        rows[seq] = Row(f"w{history.writer} s{seq} v0{rng.choice(TAILS)}", amount, "0")
    return rows


def _updated(rng: random.Random, row: Row, seq: int) -> Row:
    writer = row.payload.split(maxsplit=1)[0]
    updated = int(row.updated) + 1
    return Row(f"{writer} s{seq} v{updated}{rng.choice(TAILS)}", row.amount, str(updated))


def statements(writer: int, transaction: Transaction) -> list[Statement]:
    """Return the statements of a transaction, each of which touches exactly one row."""
    found: list[Statement] = []
    for seq, row in sorted(transaction.after.items()):
        if row is None:
            found.append((DELETE, (writer, seq)))
        elif row.updated == "0":
            found.append((INSERT, (writer, seq, row.payload, row.amount)))
        else:
            found.append((UPDATE, (row.payload, writer, seq)))
    if (transfer := transaction.transfer) is not None:
        legs = [(transfer.source, -transfer.amount), (transfer.target, transfer.amount)]
        # Always in the order of the accounts, so that two transfers cannot deadlock.
        found += [(PAY, (amount, account)) for account, amount in sorted(legs)]
    return found


def send(connection: Connection, writer: int, transaction: Transaction) -> None:
    """Send a transaction and return once its COMMIT was acknowledged.

    A single statement commits by itself. Raises `Undone` or `InDoubt`. An error that the server
    reports and survives means that nothing happened; after a lost connection that is certain only
    as long as no COMMIT had been sent.
    """
    work = statements(writer, transaction)
    committing = False
    try:
        if len(work) == 1:
            committing = True
            _touch_one(connection, work[0])
            return
        connection.execute("BEGIN")
        for statement in work:
            _touch_one(connection, statement)
        committing = True
        answer = connection.execute("COMMIT").statusmessage
    except _RowGone as error:
        raise Undone("row gone", str(error), lost=not _rolled_back(connection)) from error
    except psycopg.Error as error:
        lost = connection.broken or error.diag.severity_nonlocalized != "ERROR"
        if committing and lost:
            raise InDoubt(sqlstate(error), str(error)) from error
        lost = lost or not _rolled_back(connection)
        raise Undone(sqlstate(error), str(error), lost=lost) from error
    if answer != "COMMIT":
        raise Undone("rolled back", f"COMMIT was answered with {answer}", lost=False)


def sqlstate(error: psycopg.Error) -> str:
    """Return an error's SQLSTATE, or 08006 (connection failure) where the server gave none."""
    return error.sqlstate or "08006"


def _rolled_back(connection: Connection) -> bool:
    """Leave a failed transaction, and return whether the connection can still be used."""
    try:
        connection.execute("ROLLBACK")
    except psycopg.Error:
        return False
    return True


class _RowGone(Exception):
    pass


def _touch_one(connection: Connection, statement: Statement) -> None:
    query, values = statement
    if connection.execute(query.encode(), values).rowcount != 1:
        raise _RowGone(f"{query.split()[0]} of {values} touched no row")
