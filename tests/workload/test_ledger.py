"""The record itself: what it keeps, what it survives, and what it says about outages."""

import os
import signal
import subprocess
import sys
from array import array
from pathlib import Path

from rehearsal.workload.ledger import (
    History,
    Row,
    Transaction,
    Transfer,
    WriterLog,
    longest_gap,
    positions,
    read_history,
    read_marks,
    record_mark,
    writer_file,
)

ROW = Row("wild \"text\" 'with' \n everything 🐘", "12.30", "0")
LATER = Row("later", "12.30", "1")


def insert(number: int, *seqs: int) -> Transaction:
    return Transaction(number, "insert", dict.fromkeys(seqs, ROW))


def test_what_was_acknowledged_is_what_must_be_there(tmp_path: Path) -> None:
    log = WriterLog(tmp_path, 7, "orders")
    for transaction in (
        insert(1, 1, 2, 3),
        Transaction(2, "update", {2: LATER}),
        Transaction(3, "delete", {3: None}),
        Transaction(4, "transfer", {4: ROW}, Transfer(8, 9, 50)),
    ):
        log.intend(transaction)
        log.acknowledge(transaction.number)
    history = read_history(tmp_path, 7)
    assert (history.database, history.acknowledged) == ("orders", 4)
    assert history.rows == {1: ROW, 2: LATER, 4: ROW}
    assert history.moved == {8: -50, 9: 50}
    assert not history.undecided
    assert history.frozen() == {4}


def test_only_what_was_answered_is_certain(tmp_path: Path) -> None:
    log = WriterLog(tmp_path, 1, "orders")
    log.intend(insert(1, 1))
    log.undone(1, "40001")
    log.intend(insert(2, 2))
    log.doubt(2, "08006")
    log.intend(insert(3, 3))
    history = read_history(tmp_path, 1)
    assert history.acknowledged == 0
    assert history.rows == {}
    assert list(history.undecided) == [2, 3]
    assert history.frozen() == {2, 3}


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    log = WriterLog(tmp_path, 1, "orders")
    log.intend(insert(5, 17, 18))
    log.close()
    WriterLog(tmp_path, 1, "orders").close()
    history = read_history(tmp_path, 1)
    assert (history.last_number, history.last_seq) == (5, 18)


def test_a_torn_line_was_never_sent_and_spoils_nothing(tmp_path: Path) -> None:
    log = WriterLog(tmp_path, 1, "orders")
    log.intend(insert(1, 1))
    log.acknowledge(1)
    log.close()
    with writer_file(tmp_path, 1).open("ab") as file:
        file.write(b'["i", 12.5, 2, "ins')
    assert read_history(tmp_path, 1).last_number == 1
    log = WriterLog(tmp_path, 1, "orders")
    log.intend(insert(2, 2))
    log.acknowledge(2)
    assert read_history(tmp_path, 1).rows == {1: ROW, 2: ROW}


def test_an_acknowledgement_after_the_limit_leaves_it_undecided(tmp_path: Path) -> None:
    log = WriterLog(tmp_path, 1, "orders")
    log.intend(insert(1, 1))
    log.acknowledge(1)
    log.intend(insert(2, 2))
    limit = positions(tmp_path)[1]
    log.acknowledge(2)
    log.intend(insert(3, 3))
    until = positions(tmp_path)[1]
    log.acknowledge(3)
    history = read_history(tmp_path, 1, settled_by=limit, until=until)
    assert history.acknowledged == 1
    assert history.rows == {1: ROW}
    assert list(history.undecided) == [2, 3]


def test_it_survives_kill_9(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from rehearsal.workload.ledger import Row, Transaction, WriterLog
log = WriterLog(Path(sys.argv[1]), 1, "orders")
number = 0
while True:
    number += 1
    log.intend(Transaction(number, "insert", {number: Row("text", "1.00", "0")}))
    log.acknowledge(number)
    print(number, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for _ in range(1000):
            child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
        heard = [int(line) for line in child.stdout if line.endswith("\n")]
    last = heard[-1] if heard else 1000
    history = read_history(tmp_path, 1)
    assert history.acknowledged >= last
    assert set(history.rows) >= set(range(1, last + 1))


def test_marks_are_kept_in_order(tmp_path: Path) -> None:
    first, second = record_mark(tmp_path, "freeze"), record_mark(tmp_path, "thaw ❄")
    assert read_marks(tmp_path) == [("freeze", first), ("thaw ❄", second)]


def history(writer: int, database: str, *acks: float, opened_at: float = 0.0) -> History:
    return History(writer, database, acks=array("d", acks), opened_at=opened_at)


def test_the_worst_database_counts() -> None:
    both = [
        history(1, "orders", 10, 11, 20, 21),
        history(2, "orders", 10.5, 12, 20.5),
        history(3, "billing", 10, 11, 12, 30, 31),
    ]
    gap = longest_gap(both, ["orders", "billing"], 0, 31)
    assert gap == ("billing", 18, 12, 30)
    assert longest_gap(both, ["orders"], 0, 21) == ("orders", 8, 12, 20)


def test_any_writer_ends_an_outage_of_its_database() -> None:
    both = [history(1, "orders", 10, 30), history(2, "orders", 12, 28)]
    assert longest_gap(both, ["orders"], 0, 30) == ("orders", 16, 12, 28)


def test_a_stretch_over_an_edge_of_the_window_counts_whole() -> None:
    both = [history(1, "orders", 10, 11, 20, 21), history(2, "orders", 9, 22)]
    for window in ((12, 19), (15, 21), (10, 14), (11, 20)):
        assert longest_gap(both, ["orders"], *window) == ("orders", 9, 11, 20)
    assert longest_gap(both, ["orders"], 20.2, 20.8) == ("orders", 1, 20, 21)


def test_an_outage_that_goes_on_counts() -> None:
    one = [history(1, "orders", 10, 11)]
    assert longest_gap(one, ["orders"], 0, 100) == ("orders", 89, 11, 100)
    assert longest_gap(one, ["orders"], 50, 60) == ("orders", 49, 11, 60)
    assert longest_gap(one, ["orders"], 50, 60, lasting_until=100) == ("orders", 89, 11, 100)


def test_a_database_without_any_write_is_not_a_database_without_outage() -> None:
    both = [history(1, "orders", 10, 11, 12), history(2, "billing", opened_at=9)]
    assert longest_gap(both, ["orders", "billing"], 0, 12) == ("billing", 3, 9, 12)


def test_nothing_is_said_about_a_time_before_the_ledger() -> None:
    assert longest_gap([history(1, "orders", 10, 11)], ["orders"], 0, 5) is None
    assert longest_gap([], ["orders"], 0, 5) is None
