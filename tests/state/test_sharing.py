"""A journal that several processes and threads read and write."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from state.errors import Refused
from state.journal import Journal
from state.records import Sample
from tests.state.invented import start


def test_data_version_tells_own_writes_and_those_of_others(journal: Journal, path: Path) -> None:
    start(journal)
    with Journal.open(path, writer=False) as watching:
        seen = [(journal.data_version(), watching.data_version())]
        assert (journal.data_version(), watching.data_version()) == seen[0]
        journal.event("run1", "note", "something")
        seen.append((journal.data_version(), watching.data_version()))
    assert seen[0][0] != seen[1][0]
    assert seen[0][1] != seen[1][1]


def test_threads_share_a_journal(journal: Journal) -> None:
    start(journal)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for n in range(20):
                journal.evidence("run1", "bake", f"{number}.{n}", key=f"k{number}", value=n)
                assert journal.fact("run1", f"k{number}") == n
                journal.runs()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(journal.evidences("run1")) == 120


def test_a_write_that_is_refused_leaves_no_trace(journal: Journal) -> None:
    start(journal)
    before = journal.events("run1")
    with pytest.raises(Refused):
        journal.samples("run1", [Sample(datetime.now(UTC), "", "a", 1.0)])
    with pytest.raises(Refused):
        journal.begin_attempt("run1", "")
    with pytest.raises(Refused):
        journal.decide("run1", "a", "b", who="", typed="")
    assert journal.events("run1") == before
    journal.event("run1", "note", "and it goes on")
