"""Volumes of the fleet: servers that start, stop, die and are cloned."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rehearsal.servers.fleet import Fleet, ServerError
from tests.rehearsal.conftest import (
    BOTH,
    SETTINGS,
    SHOP,
    Load,
    ask,
    connect,
    nothing_missing,
    same_content,
)


def test_settings_take_effect_when_postgresql_lets_them(fleet: Fleet, blue: str) -> None:
    waiting = "SELECT coalesce(string_agg(name, ' ' ORDER BY name), '') FROM pg_settings"
    waiting += " WHERE pending_restart"
    fleet.apply_settings(blue, SETTINGS | {"work_mem": "5MB", "ssl": "on"})
    with connect(fleet, blue) as connection:
        assert ask(connection, waiting) == ""
        assert ask(connection, "SHOW work_mem") == "5MB"
        assert ask(connection, "SHOW rds.logical_replication") == "on"
        assert ask(connection, "SHOW wal_level") == "logical"
    off = SETTINGS | {"rds.logical_replication": "0", "max_wal_senders": "30"}
    fleet.apply_settings(blue, off)
    with connect(fleet, blue) as connection:
        assert ask(connection, waiting) == "max_wal_senders wal_level"
        assert ask(connection, "SHOW rds.logical_replication") == "on"
    with pytest.raises(ServerError, match=r"work_mem.*lots"):
        fleet.apply_settings(blue, off | {"work_mem": "lots"})
    fleet.restart(blue)
    with connect(fleet, blue) as connection:
        assert ask(connection, waiting) == ""
        assert ask(connection, "SHOW rds.logical_replication") == "off"
        assert ask(connection, "SHOW wal_level") == "replica"
        assert ask(connection, "SHOW max_wal_senders") == "30"


def test_the_identity_follows_at_once(fleet: Fleet, blue: str) -> None:
    with connect(fleet, blue, SHOP) as connection:
        connection.execute("CREATE DATABASE later")
    for name in ("orders-1", "it's \\ 100%"):
        fleet.set_identity(blue, name)
        for dbname in ("orders", SHOP, "later"):
            with connect(fleet, blue, dbname) as connection:
                assert ask(connection, "SELECT aurora_db_instance_identifier()") == name
    with connect(fleet, blue) as connection:
        assert ask(connection, "SELECT aurora_version()") == "16.14" == fleet.version(blue)
    fleet.set_identity(blue, "orders-1", ["orders-2", "orders-3"])
    members = "SELECT server_id, session_id, replica_lag_in_msec FROM aurora_replica_status()"
    with connect(fleet, blue) as connection:
        writer, *readers = connection.execute(members).fetchall()
    assert writer == ("orders-1", "MASTER_SESSION_ID", None)
    assert [(name, lag) for name, _, lag in readers] == [("orders-2", 0), ("orders-3", 0)]


def test_a_killed_server_comes_back_with_all_it_acknowledged(fleet: Fleet, blue: str) -> None:
    with Load(fleet, blue, BOTH) as load:
        fleet.kill(blue)
    assert not fleet.running(blue)
    assert fleet.port(blue) is None
    fleet.start(blue)
    nothing_missing(fleet, blue, load)


def test_a_clone_is_an_exact_copy_and_its_own(
    fleet: Fleet, blue: str, new_id: Callable[[], str]
) -> None:
    copy = new_id()
    fleet.clone(blue, copy)
    assert not fleet.running(copy)
    fleet.start(copy)
    same_content(fleet, blue, copy)
    with connect(fleet, copy) as connection:
        connection.execute("DELETE FROM ledger_entry")
        connection.execute("UPDATE account SET balance = 0")
    with connect(fleet, blue) as connection:
        assert ask(connection, "SELECT sum(balance) FROM account") == 100_000


def test_a_clone_under_load_is_consistent(
    fleet: Fleet, blue: str, new_id: Callable[[], str]
) -> None:
    copy = new_id()
    with Load(fleet, blue, BOTH):
        fleet.clone(blue, copy)
    fleet.start(copy)
    with connect(fleet, copy) as connection:
        torn = "SELECT writer, seq / 10 FROM ledger_entry GROUP BY 1, 2 HAVING count(*) <> 5"
        assert connection.execute(torn).fetchall() == []
