"""The workload's own record of what it wrote: the witness that no acknowledged write was lost.

Each writer appends to a file of its own, so that keeping the record costs one `write` and no lock:
a transaction is recorded before it is sent, and again once its COMMIT was answered. What reached
the operating system survives the death of the process; the machine's own crash is not covered.

A line is a JSON array whose first item says what it is:

    ["s", monotonic, wall, database]                   the writer (re)opened its record
    ["i", monotonic, number, kind, changes, transfer]  a transaction is about to be sent
    ["a", monotonic, number]                           its COMMIT was acknowledged
    ["u", monotonic, number, reason]                   it certainly did not happen
    ["d", monotonic, number, reason]                   in doubt: the COMMIT's answer was lost

Times are seconds of the monotonic clock; the wall time of a line is counted from the last "s", so
that a step of the wall clock neither hides nor invents an outage. A change is
`[seq, payload, amount, updated]`, the row as it is afterwards, or `[seq]` for a deleted one.

Beside them lie `accounts.jsonl`, the balances of each database before the first transaction, and
`marks.jsonl`, named moments.
"""

import json
import os
import time
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple


class Row(NamedTuple):
    """The content of a row of `ledger_entry`, as COPY prints it."""

    payload: str
    amount: str
    updated: str


class Transfer(NamedTuple):
    """Money moved between two rows of `account`."""

    source: int
    target: int
    amount: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """What one transaction leaves behind when it commits.

    `after` maps the `seq` of each row it touches to the row afterwards, None for a deleted one.
    A transfer always writes a row too, which is how its fate can be told.
    """

    number: int
    kind: str
    after: Mapping[int, Row | None]
    transfer: Transfer | None = None


class Gap(NamedTuple):
    """A stretch without an acknowledged write; `began` and `ended` in seconds since the epoch."""

    database: str
    seconds: float
    began: float
    ended: float


def writer_file(folder: Path, writer: int) -> Path:
    """Return where a writer's record is kept."""
    return folder / f"writer-{writer:04d}.jsonl"


class WriterLog:
    """Append to the record of one writer."""

    def __init__(self, folder: Path, writer: int, database: str) -> None:
        path = writer_file(folder, writer)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._drop_torn_line(path)
        wall = time.time()
        self._wall_of_monotonic = wall - self._append("s", wall, database)

    def intend(self, transaction: Transaction) -> None:
        """Record a transaction that is about to be sent."""
        changes = [[seq] if row is None else [seq, *row] for seq, row in transaction.after.items()]
        self._append("i", transaction.number, transaction.kind, changes, transaction.transfer)

    def acknowledge(self, number: int) -> float:
        """Record that the COMMIT was answered, and return the wall time of it."""
        return self._wall_of_monotonic + self._append("a", number)

    def undone(self, number: int, reason: str) -> None:
        """Record that the transaction certainly did not happen."""
        self._append("u", number, reason)

    def doubt(self, number: int, reason: str) -> None:
        """Record that the answer of the COMMIT was lost: either result is right."""
        self._append("d", number, reason)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _append(self, what: str, *items: object) -> float:
        monotonic = time.monotonic()
        _write_line(self._fd, [what, monotonic, *items])
        return monotonic

    def _drop_torn_line(self, path: Path) -> None:
        """Cut off a last line without its end: what it announced was never sent."""
        data = path.read_bytes()
        os.ftruncate(self._fd, data.rfind(b"\n") + 1)


@dataclass(slots=True)
class History:
    """What one writer's record says.

    `rows` and `moved` hold what every acknowledged transaction together must have left behind;
    `undecided` those whose fate the record does not tell, in the order they were sent.
    """

    writer: int
    database: str = ""
    rows: dict[int, Row] = field(default_factory=dict)
    moved: Counter[int] = field(default_factory=Counter)
    undecided: dict[int, Transaction] = field(default_factory=dict)
    fixed: set[int] = field(default_factory=set)
    """Rows that are never touched again: those of transfers, which tell the transfer's fate."""
    acknowledged: int = 0
    undone: int = 0
    acks: "array[float]" = field(default_factory=lambda: array("d"))
    """Wall time of each acknowledgement."""
    opened_at: float = 0.0
    """Wall time of the first opening."""
    last_seq: int = 0
    last_number: int = 0

    def settle(self, transaction: Transaction) -> None:
        """Count a transaction among those that must be there."""
        for seq, row in transaction.after.items():
            if row is None:
                self.rows.pop(seq, None)
            else:
                self.rows[seq] = row
        if transaction.transfer is not None:
            self.moved[transaction.transfer.source] -= transaction.transfer.amount
            self.moved[transaction.transfer.target] += transaction.transfer.amount

    def frozen(self) -> set[int]:
        """Return the rows a writer must leave alone so that their fate can be told for certain."""
        return self.fixed.union(*(t.after for t in self.undecided.values()))


def append_line(path: Path, value: object) -> None:
    """Append one JSON line to a file that is written rarely."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        _write_line(fd, value)
    finally:
        os.close(fd)


def _write_line(fd: int, value: object) -> None:
    data = (json.dumps(value, ensure_ascii=False) + "\n").encode()
    if os.write(fd, data) != len(data):
        raise OSError("The ledger could not be written whole: is the disk full?")


def record_balances(folder: Path, database: str, balances: Mapping[int, int]) -> None:
    """Keep what the accounts of a database held before the first transfer."""
    append_line(folder / "accounts.jsonl", [database, list(balances.items())])


def read_balances(folder: Path) -> dict[str, dict[int, int]]:
    """Return the kept balances by database and account."""
    return {line[0]: dict(line[1]) for _, line in _lines(folder / "accounts.jsonl")}


def record_mark(folder: Path, name: str) -> float:
    """Keep a named moment and return it, in seconds since the epoch."""
    now = time.time()
    append_line(folder / "marks.jsonl", [name, now, time.monotonic()])
    return now


def read_marks(folder: Path) -> list[tuple[str, float]]:
    """Return the named moments in the order they were kept."""
    return [(line[0], line[1]) for _, line in _lines(folder / "marks.jsonl")]


def positions(folder: Path) -> dict[int, int]:
    """Return how far each writer's record reaches now: a position to read up to later."""
    found = sorted(folder.glob("writer-*.jsonl"))
    return {int(path.stem.removeprefix("writer-")): path.stat().st_size for path in found}


def read_history(
    folder: Path, writer: int, *, settled_by: int | None = None, until: int | None = None
) -> History:
    """Replay one writer's record.

    Only acknowledgements before the offset `settled_by` make a transaction certain; later ones,
    up to the offset `until`, leave it undecided. A last line without its end does not count.

    Raises `ValueError` for a line that is none of a record.
    """
    history = History(writer)
    acknowledged_later: set[int] = set()
    wall_of_monotonic = 0.0
    for offset, line in _lines(writer_file(folder, writer), until):
        what, monotonic, *items = line
        match what:
            case "s":
                wall_of_monotonic = items[0] - monotonic
                history.opened_at = history.opened_at or items[0]
                history.database = items[1]
            case "i":
                transaction = _transaction(*items)
                history.undecided[transaction.number] = transaction
                history.last_number = transaction.number
                history.last_seq = max(history.last_seq, *transaction.after)
                if transaction.transfer is not None:
                    history.fixed.update(transaction.after)
            case "a":
                history.acknowledged += 1
                history.acks.append(monotonic + wall_of_monotonic)
                if settled_by is None or offset < settled_by:
                    history.settle(history.undecided.pop(items[0]))
                else:
                    acknowledged_later.add(items[0])
            case "u":
                history.undone += 1
                history.undecided.pop(items[0])
            case "d":
                pass
            case _:
                raise ValueError(f"{writer_file(folder, writer)}: unknown line {what!r}")
    history.acknowledged -= len(acknowledged_later)
    return history


def _lines(path: Path, until: int | None = None) -> Iterator[tuple[int, list[Any]]]:
    """Yield each whole line with the offset it starts at; nothing if there is no file."""
    if not path.exists():
        return
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n") or (until is not None and offset >= until):
                return
            yield offset, json.loads(line.decode())
            offset += len(line)


def _transaction(
    number: int, kind: str, changes: list[list[Any]], transfer: list[int] | None
) -> Transaction:
    after = {seq: Row(*row) if row else None for seq, *row in changes}
    return Transaction(number, kind, after, Transfer(*transfer) if transfer else None)


def read_histories(folder: Path) -> list[History]:
    """Replay every writer's record."""
    return [read_history(folder, writer) for writer in positions(folder)]


def longest_gap(
    histories: Sequence[History],
    databases: Sequence[str],
    start: float,
    end: float,
    *,
    lasting_until: float | None = None,
) -> Gap | None:
    """Return the longest stretch without an acknowledged write that touches a window.

    It is taken for each database by itself, over all its writers, and the worst counts: one
    database that comes back early must not hide another. A stretch that reaches over an edge of
    the window, from `start` to `end`, counts whole. One that no acknowledged write has ended counts
    to `lasting_until`, or to the `end` where the traffic was stopped by then. A database counts
    from its first acknowledged write, or, without any, from its opening. None means that there is
    nothing to say: nothing was open in the window.
    """
    worst: Gap | None = None
    for database in databases:
        mine = [history for history in histories if history.database == database]
        firsts = [h.acks[0] for h in mine if h.acks] or [h.opened_at for h in mine]
        if min(firsts, default=end) >= end:
            continue
        before = [h.acks[i - 1] for h in mine if (i := bisect_left(h.acks, start))]
        after = [h.acks[i] for h in mine if (i := bisect_right(h.acks, end)) < len(h.acks)]
        within = sorted(t for h in mine for t in _within(h.acks, start, end))
        began = max(before, default=min(firsts))
        ended = min(after, default=end if lasting_until is None else max(end, lasting_until))
        for earlier, later in pairwise([began, *within, ended]):
            if worst is None or later - earlier > worst.seconds:
                worst = Gap(database, later - earlier, earlier, later)
    return worst


def _within(times: Sequence[float], start: float, end: float) -> Sequence[float]:
    return times[bisect_left(times, start) : bisect_right(times, end)]
