"""Lost connections: at the message that was meant, on the connection that was meant, once."""

from __future__ import annotations

from rehearsal.servers.connection_cutter import ConnectionCut, ConnectionCutter, Moment, settled

START = b"\0\0\0\x50\0\x03\0\0user\0postgres\0database\0orders\0application_name\0blueprime\0\0"


def query(text: str) -> bytes:
    body = text.encode() + b"\0"
    return b"Q" + (len(body) + 4).to_bytes(4, "big") + body


def shears(
    *cuts: ConnectionCut, start: bytes = START, volume: str = "cluster-1"
) -> tuple[ConnectionCutter, list[ConnectionCut]]:
    waiting = list(cuts)
    made = ConnectionCutter(waiting, volume)
    made.moment(start)
    return made, waiting


def test_a_statement_outside_of_a_transaction_is_where_it_strikes() -> None:
    made, waiting = shears(ConnectionCut(Moment.AFTER, "ALTER ROLE"))
    assert made.moment(query("SELECT 1")) is None
    assert made.moment(query("ALTER ROLE a NOLOGIN")) is Moment.AFTER
    assert waiting == []
    assert made.moment(query("ALTER ROLE a NOLOGIN")) is None


def test_inside_of_a_transaction_it_strikes_at_its_commit() -> None:
    made, waiting = shears(ConnectionCut(Moment.BEFORE, "CREATE PUBLICATION"))
    assert made.moment(query("BEGIN")) is None
    assert made.moment(query("CREATE PUBLICATION p FOR ALL TABLES")) is None
    assert waiting == []
    assert made.moment(query("COMMIT")) is Moment.BEFORE


def test_a_transaction_that_is_rolled_back_leaves_it_waiting() -> None:
    cut = ConnectionCut(Moment.BEFORE, "CREATE PUBLICATION")
    made, waiting = shears(cut)
    for text in ("BEGIN", "CREATE PUBLICATION p", "ROLLBACK"):
        assert made.moment(query(text)) is None
    assert waiting == [cut]
    assert made.moment(query("CREATE PUBLICATION p")) is Moment.BEFORE


def test_other_databases_applications_and_volumes_are_spared() -> None:
    for cut in (
        ConnectionCut(Moment.BEFORE, "x", database="billing"),
        ConnectionCut(Moment.BEFORE, "x", application="psql"),
        ConnectionCut(Moment.BEFORE, "x", volume="cluster-2"),
    ):
        made, waiting = shears(cut)
        assert made.moment(query("x")) is None
        assert waiting == [cut]
    made, _ = shears(ConnectionCut(Moment.BEFORE, "x", 0, "cluster-1", "orders", "blueprime"))
    assert made.moment(query("x")) is Moment.BEFORE


def test_so_many_are_let_pass() -> None:
    made, waiting = shears(ConnectionCut(Moment.DURING, skip=2))
    assert waiting[0].skip == 1  # the start of the connection is a message too
    assert made.moment(query("SELECT 1")) is None
    assert made.moment(query("SELECT 2")) is Moment.DURING


def test_an_answer_is_whole_when_the_server_waits_for_the_client() -> None:
    assert settled(b"C\0\0\0\x0bCOMMIT\0Z\0\0\0\x05I")
    assert settled(b"G\0\0\0\x07\0\0\0")
    assert not settled(b"T\0\0\0\x1b\0\x01")
