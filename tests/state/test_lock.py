"""One process writes at a time."""

import os
import shutil
import socket
import sqlite3
from pathlib import Path

import pytest

from state import lock
from state.errors import JournalHeld, Refused
from state.journal import Journal
from tests.state.invented import start
from tests.state.processes import heard, killed, other_process

HOLD = """
with Journal.open(path) as journal:
    start(journal)
    say("open")
    stay()
"""


def test_the_second_writer_is_told_who_holds_it(path: Path) -> None:
    with other_process(HOLD, path) as holder:
        assert heard(holder) == "open"
        with pytest.raises(JournalHeld) as held:
            Journal.open(path)
        assert held.value.holder.pid == holder.pid
        assert held.value.holder.host == socket.gethostname()
        assert str(holder.pid) in str(held.value)
        with Journal.open(path, writer=False) as watching:
            assert watching.holder() == held.value.holder
            assert [run.run for run in watching.runs()] == ["run1"]


def test_the_lock_of_a_killed_writer_is_taken_over(path: Path) -> None:
    with other_process(HOLD, path) as holder:
        assert heard(holder) == "open"
        killed(holder)
    with Journal.open(path, writer=False) as watching:
        assert watching.holder() is None
    with Journal.open(path) as journal:
        assert journal.took_over_from is not None
        assert journal.took_over_from.pid == holder.pid
        assert journal.run().id == "run1"
        assert journal.holder() is not None


def test_a_writer_that_left_in_order_is_no_holder(path: Path) -> None:
    Journal.open(path).close()
    with Journal.open(path) as journal:
        assert journal.took_over_from is None


def test_the_same_process_does_not_open_twice(journal: Journal, path: Path) -> None:
    with pytest.raises(JournalHeld) as held:
        Journal.open(path)
    assert held.value.holder.pid == os.getpid()


def test_of_many_that_open_at_once_one_writes(path: Path) -> None:
    contend = """
    try:
        with Journal.open(path):
            say("open")
            stay()
    except JournalHeld:
        say("held")
    """
    with (
        other_process(contend, path) as one,
        other_process(contend, path) as two,
        other_process(contend, path) as three,
    ):
        assert sorted(map(heard, (one, two, three))) == ["held", "held", "open"]


def test_a_deleted_lock_file_opens_no_second_writer(path: Path) -> None:
    with other_process(HOLD, path) as holder:
        assert heard(holder) == "open"
        lock.lock_path(path).unlink()
        with pytest.raises(JournalHeld) as held:
            Journal.open(path)
        assert held.value.holder.pid == holder.pid


def _written_as(path: Path, **columns: object) -> None:
    """Leave a writer's row behind, as a process that ended without a word does."""
    Journal.open(path).close()
    lock.lock_path(path).unlink()  # its mark would tell that another program wrote
    row = {
        "one": 1,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "user": "ann",
        "process_start": "another boot/1",
        "since": "2026-05-02T12:00:00.000000Z",
    } | columns
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(
        f"INSERT INTO writer ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
        list(row.values()),
    )
    connection.close()


def test_a_pid_in_use_again_is_not_its_former_owner(path: Path) -> None:
    _written_as(path, pid=os.getpid())
    with Journal.open(path) as journal:
        assert journal.took_over_from is not None
        assert journal.took_over_from.user == "ann"


def test_the_lock_of_another_host_holds_until_told_otherwise(path: Path) -> None:
    _written_as(path, host="bastion-7", pid=4711)
    with pytest.raises(JournalHeld, match="bastion-7") as held:
        Journal.open(path)
    assert held.value.elsewhere
    with Journal.open(path, writer=False) as watching:
        assert watching.holder() == held.value.holder
    with Journal.open(path, take_over=True) as journal:
        assert journal.took_over_from == held.value.holder


def test_told_to_take_over_does_not_rob_a_living_process_of_this_host(path: Path) -> None:
    with other_process(HOLD, path) as holder:
        assert heard(holder) == "open"
        with pytest.raises(JournalHeld):
            Journal.open(path, take_over=True)


def test_a_process_is_told_from_others_by_its_start(path: Path) -> None:
    with other_process("say('here'); stay()", path) as process:
        assert heard(process) == "here"
        mark = lock.process_start(process.pid)
        assert mark
        assert mark == lock.process_start(process.pid)
        assert mark != lock.process_start(os.getpid())
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert lock.process_start(process.pid) is None  # it lingers, but as a dead process
        process.wait()
    assert lock.process_start(process.pid) is None


@pytest.mark.skipif(shutil.which("ps") is None, reason="there is no ps here")
def test_ps_tells_the_start_where_there_is_no_proc() -> None:
    mark = lock._start_by_ps(os.getpid())
    assert mark
    assert mark == lock._start_by_ps(os.getpid())
    assert lock._start_by_ps(2**22 + 1) is None


def test_watching_writes_nothing(journal: Journal, path: Path) -> None:
    start(journal)
    with Journal.open(path, writer=False) as watching:
        assert not watching.writer
        with pytest.raises(Refused, match="watching"):
            watching.event("run1", "note", "from the gallery")
    assert journal.holder() is not None
