"""Compare the ledger with the cluster that serves now.

One snapshot and two COPYs a database, however many rows there are. Writers may go on meanwhile: a
transaction whose acknowledgement lies between the two looks at the ledger that enclose the
snapshot counts as undecided, like one whose COMMIT was never answered: it must be there wholly or
not at all.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TypedDict

import psycopg

from rehearsal.workload.ledger import History, Row, positions, read_balances, read_history

Connect = Callable[[str], "psycopg.Connection[tuple[object, ...]]"]
"""Open a connection to a database of the serving cluster, allowed to read both tables."""

MOST_EXAMPLES = 20

ENTRIES = "COPY (SELECT writer, seq, payload, amount, updated FROM ledger_entry) TO STDOUT"
ACCOUNTS = "COPY (SELECT id, balance FROM account) TO STDOUT"


class Verdict(TypedDict):
    """What the comparison found."""

    acknowledged: int
    """Transactions whose COMMIT was answered."""
    missing: int
    """Rows that an acknowledged transaction left behind and that are not there."""
    mismatched: int
    """Rows that differ from what was acknowledged, that were deleted, or that nobody wrote;
    balances that are off; undecided transactions that are there by half."""
    in_doubt: int
    """Transactions whose result the ledger does not know."""
    examples: list[str]


class _Findings:
    def __init__(self) -> None:
        self.missing = 0
        self.mismatched = 0
        self.examples: list[str] = []

    def lost(self, text: str) -> None:
        self.missing += 1
        self._keep(text)

    def wrong(self, text: str) -> None:
        self.mismatched += 1
        self._keep(text)

    def _keep(self, text: str) -> None:
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(text)


def compare(folder: Path, connect: Connect) -> Verdict:
    """Return how the serving cluster differs from the ledger in `folder`.

    Raises `psycopg.Error` when a database cannot be read: then there is no verdict, not a good one.
    """
    databases = {read_history(folder, writer, until=1).database for writer in positions(folder)}
    findings = _Findings()
    acknowledged = in_doubt = 0
    with ExitStack() as stack:
        connections = {d: stack.enter_context(connect(d)) for d in sorted(databases)}
        settled_by = positions(folder)
        for connection in connections.values():
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute("SELECT 1")
        histories = [
            read_history(folder, writer, settled_by=settled_by.get(writer, 0), until=until)
            for writer, until in positions(folder).items()
        ]
        balances = read_balances(folder)
        for database, connection in connections.items():
            mine = [history for history in histories if history.database == database]
            acknowledged += sum(history.acknowledged for history in mine)
            in_doubt += sum(len(history.undecided) for history in mine)
            moved = _compare_entries(connection, database, mine, findings)
            _compare_accounts(connection, database, balances.get(database), moved, findings)
            connection.execute("ROLLBACK")
    return Verdict(
        acknowledged=acknowledged,
        missing=findings.missing,
        mismatched=findings.mismatched,
        in_doubt=in_doubt,
        examples=findings.examples,
    )


def _copy(
    connection: "psycopg.Connection[tuple[object, ...]]", query: str
) -> Iterable[tuple[str, ...]]:
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        yield from copy.rows()


def _compare_entries(
    connection: "psycopg.Connection[tuple[object, ...]]",
    database: str,
    histories: list[History],
    findings: _Findings,
) -> dict[int, int]:
    """Compare `ledger_entry` and return what the transfers that are there moved, by account."""
    expected = {history.writer: history.rows for history in histories}
    undecided = {h.writer: {s for t in h.undecided.values() for s in t.after} for h in histories}
    before = {h.writer: {s: h.rows.pop(s, None) for s in undecided[h.writer]} for h in histories}
    found: dict[int, dict[int, Row]] = {history.writer: {} for history in histories}
    for writer_text, seq_text, *values in _copy(connection, ENTRIES):
        writer, seq, row = int(writer_text), int(seq_text), Row(*values)
        if seq in undecided.get(writer, ()):
            found[writer][seq] = row
            continue
        right = expected.get(writer, {}).pop(seq, None)
        if right is None:
            findings.wrong(f"{database}: {_name(writer, seq)} should not be there: {row}")
        elif right != row:
            findings.wrong(f"{database}: {_name(writer, seq)} is {row}, acknowledged was {right}")
    for writer, rows in expected.items():
        for seq, row in rows.items():
            findings.lost(f"{database}: {_name(writer, seq)} is missing, acknowledged was {row}")
    moved: dict[int, int] = {}
    for history in histories:
        for account, amount in history.moved.items():
            moved[account] = moved.get(account, 0) + amount
        writer = history.writer
        for number in _happened(history, before[writer], found[writer], database, findings):
            if (transfer := history.undecided[number].transfer) is not None:
                moved[transfer.source] = moved.get(transfer.source, 0) - transfer.amount
                moved[transfer.target] = moved.get(transfer.target, 0) + transfer.amount
    return moved


def _happened(
    history: History,
    before: dict[int, Row | None],
    found: dict[int, Row],
    database: str,
    findings: _Findings,
) -> list[int]:
    """Return the undecided transactions that are there, and report those that are there by half.

    Each row has a list of versions: what was certain, then what each undecided transaction would
    have made of it. The version found tells which of them happened; all rows of one transaction
    must tell the same.
    """
    versions: dict[int, list[Row | None]] = {seq: [row] for seq, row in before.items()}
    place: dict[int, dict[int, int]] = {}
    for number, transaction in history.undecided.items():
        place[number] = {seq: len(versions[seq]) for seq in transaction.after}
        for seq, row in transaction.after.items():
            versions[seq].append(row)
    seen: dict[int, list[int]] = {}
    for seq, allowed in versions.items():
        seen[seq] = [i for i, version in enumerate(allowed) if version == found.get(seq)]
        if not seen[seq]:
            text = (
                f"{database}: {_name(history.writer, seq)} is {found.get(seq)}, allowed: {allowed}"
            )
            (findings.wrong if seq in found else findings.lost)(text)
    happened = []
    for number, rows in place.items():
        if not all(seen[seq] for seq in rows):
            continue
        if all(max(seen[seq]) >= index for seq, index in rows.items()):
            happened.append(number)
        elif not all(min(seen[seq]) < index for seq, index in rows.items()):
            findings.wrong(
                f"{database}: transaction {number} of writer {history.writer} is there by half"
            )
    return happened


def _compare_accounts(
    connection: "psycopg.Connection[tuple[object, ...]]",
    database: str,
    before: dict[int, int] | None,
    moved: dict[int, int],
    findings: _Findings,
) -> None:
    """Compare every balance; their sum is right when each of them is."""
    if before is None:
        return
    expected = {account: balance + moved.get(account, 0) for account, balance in before.items()}
    for account_text, balance_text in _copy(connection, ACCOUNTS):
        account, balance = int(account_text), int(balance_text)
        right = expected.pop(account, None)
        if right != balance:
            findings.wrong(f"{database}: account {account} holds {balance}, should hold {right}")
    for account, balance in expected.items():
        findings.lost(f"{database}: account {account} is missing, should hold {balance}")


def _name(writer: int, seq: int) -> str:
    return f"row (writer {writer}, seq {seq})"
