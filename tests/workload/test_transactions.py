"""What the writers send, without a server: a writer's rows are its own, and doubt is left alone."""

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.workload.ledger import History, Row, Transaction, Transfer, WriterLog, read_history
from rehearsal.workload.transactions import OwnRows, compose, statements

ACCOUNTS = range(1, 11)
FATES = ("acknowledged", "undone", "in doubt, happened", "in doubt, did not")


@given(rng=st.randoms(use_true_random=False), fates=st.lists(st.sampled_from(FATES), max_size=80))
def test_the_record_tells_the_table_whatever_happens(rng: random.Random, fates: list[str]) -> None:
    table: dict[int, Row] = {}
    doubtful: set[int] = set()
    with tempfile.TemporaryDirectory() as folder:
        log = WriterLog(Path(folder), 1, "orders")
        history = History(1, "orders")
        own = OwnRows(history)
        for fate in fates:
            transaction = compose(rng, history, own, ACCOUNTS)
            assert not doubtful & set(transaction.after)
            log.intend(transaction)
            if fate in ("acknowledged", "in doubt, happened"):
                for seq, row in transaction.after.items():
                    if row is None:
                        del table[seq]
                    else:
                        table[seq] = row
            if fate == "acknowledged":
                log.acknowledge(transaction.number)
                own.settle(transaction)
            elif fate == "undone":
                log.undone(transaction.number, "40001")
            else:
                log.doubt(transaction.number, "08006")
                doubtful |= set(transaction.after)
                for seq in transaction.after:
                    own.forget(seq)
        log.close()
        replayed = read_history(Path(folder), 1)
    certain = {seq: row for seq, row in table.items() if seq not in doubtful}
    recorded = {seq: row for seq, row in replayed.rows.items() if seq not in doubtful}
    assert recorded == certain
    assert replayed.acknowledged == fates.count("acknowledged")
    assert {seq for t in replayed.undecided.values() for seq in t.after} == doubtful
    # A new process draws from the same rows.
    again = OwnRows(replayed)
    assert sorted(again.draw(rng, 1000)) == sorted(own.draw(rng, 1000))


def test_all_kinds_are_sent() -> None:
    history = History(1, "orders")
    own = OwnRows(history)
    rng = random.Random(1)
    kinds = set()
    sizes = set()
    for _ in range(1000):
        transaction = compose(rng, history, own, ACCOUNTS)
        own.settle(transaction)
        kinds.add(transaction.kind)
        sizes.add(len(statements(1, transaction)))
    assert kinds == {"insert", "update", "delete", "transfer"}
    assert sizes == {1, 2, 3, 4, 5}


def test_transfers_always_lock_in_the_same_order() -> None:
    row = Row("text", "1.00", "0")
    for transfer in (Transfer(3, 9, 5), Transfer(9, 3, 5)):
        sent = statements(1, Transaction(1, "transfer", {1: row}, transfer))
        assert [values[1] for query, values in sent if "account" in query] == [3, 9]
        assert sum(values[0] for query, values in sent if "account" in query) == 0  # type: ignore[misc]


@pytest.mark.parametrize("count", [0, 1, 5, 50])
def test_drawn_rows_are_different_and_alive(count: int) -> None:
    history = History(1, "orders")
    own = OwnRows(history)
    row = Row("text", "1.00", "0")
    own.settle(Transaction(1, "insert", dict.fromkeys(range(20), row)))
    for seq in range(0, 20, 2):
        own.forget(seq)
    own.forget(999)
    drawn = own.draw(random.Random(1), count)
    assert len(drawn) == len(set(drawn)) == min(count, 10)
    assert all(seq % 2 for seq in drawn)
