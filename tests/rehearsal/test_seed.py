"""What production looks like, as a client finds it."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from rehearsal.servers.fleet import Fleet, Seed
from rehearsal.servers.seed import APPLICATION, COURIER, READER, ROLES, databases
from rehearsal.servers.switchover import read_sequences
from tests.rehearsal.conftest import (
    MASTER,
    PASSWORD,
    ROLE_PASSWORDS,
    SETTINGS,
    SHOP,
    admin,
    ask,
    connect,
)


def test_databases_are_named_in_order() -> None:
    assert databases(1) == ("orders",)
    assert databases(2) == ("orders", SHOP)
    assert len(set(databases(6))) == 6


def test_the_databases_of_aurora_and_of_the_application(fleet: Fleet, production: str) -> None:
    assert fleet.databases(production) == ["orders", "postgres", SHOP]
    with connect(fleet, production) as connection:
        assert ask(connection, "SELECT count(*) FROM pg_database WHERE datname = 'rdsadmin'") == 1
    rejected = 'pg_hba.conf rejects connection for host "127.0.0.1", user "postgres"'
    with pytest.raises(psycopg.OperationalError, match=rejected):
        connect(fleet, production, "rdsadmin")


def test_every_password_is_kept_and_checked_as_scram(fleet: Fleet, production: str) -> None:
    with admin(fleet, production) as connection:
        unlike = "SELECT rolname FROM pg_authid WHERE rolcanlogin AND rolpassword NOT LIKE 'SCRAM%'"
        assert connection.execute(unlike).fetchall() == []
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(fleet, production, password="wrong")


def test_roles_may_do_what_they_are_for(fleet: Fleet, production: str) -> None:
    read = 'SELECT count(*) FROM "Order"'
    write = "UPDATE account SET balance = balance"
    for role in ROLES:
        for dbname in ("orders", SHOP):
            with connect(fleet, production, dbname, role, ROLE_PASSWORDS[role]) as connection:
                assert ask(connection, read) == 1000
                if role == READER:
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        connection.execute(write)
                else:
                    with connection.transaction(force_rollback=True):
                        assert connection.execute(write.encode()).rowcount == 100
                        connection.execute("SELECT nextval('customer_id_seq')")
    assert {APPLICATION, COURIER} == {*ROLES} - {READER}


def test_every_table_can_be_replicated(fleet: Fleet, production: str) -> None:
    with connect(fleet, production) as connection:
        without = """
            SELECT c.oid::regclass::text FROM pg_class AS c
            WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text !~ '^(pg_|information_)'
            AND c.relreplident <> 'f' AND NOT EXISTS (
                SELECT FROM pg_index AS i WHERE i.indrelid = c.oid
                AND CASE c.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END)"""
        assert connection.execute(without).fetchall() == []
        kinds = "SELECT DISTINCT relkind::text FROM pg_class WHERE relnamespace = 2200"
        assert {kind for (kind,) in connection.execute(kinds)} >= {"r", "p", "S", "v", "m", "i"}
        assert ask(connection, "SELECT count(*) FROM event_rest") > 0
        assert ask(connection, "SELECT bool_and(pg_column_size(scan) > 2000) FROM document")
        identities = "SELECT array_agg(DISTINCT relreplident::text) FROM pg_class"
        assert {"d", "f", "i"} <= set(ask(connection, identities))


def test_sequences_stand_in_every_awkward_position(fleet: Fleet, production: str) -> None:
    with connect(fleet, production) as connection:
        found = read_sequences(connection)
    assert found["public", "never_called"] == (42, False)
    assert found["public", "set_but_not_called"] == (77, False)
    assert found["public", "invoice_number"] == (1040, True)
    assert found["public", "around"] == (3, True)
    assert found["Lager & Søn", "Ned ad"] == (100, True)
    assert found["public", "Order_id_seq"] == (1000, True)


def test_as_many_tables_and_databases_as_asked(
    fleet: Fleet, new_id: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rehearsal.servers.seed._BATCH", 10)
    volume = new_id()
    seed = Seed(databases=databases(3), tables=25)
    fleet.create(volume, "18.4", SETTINGS, master_user=MASTER, master_password=PASSWORD, seed=seed)
    for dbname in databases(3):
        with connect(fleet, volume, dbname) as connection:
            plain = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'plain\\_%'"
            assert ask(connection, plain) == 25


def test_a_password_can_be_changed(fleet: Fleet, new_id: Callable[[], str]) -> None:
    volume = new_id()
    fleet.create(volume, "16", {}, master_user="O'Master", master_password="a", seed=Seed(()))
    fleet.set_password(volume, "O'Master", "b' \"%")
    with connect(fleet, volume, "postgres", "O'Master", "b' \"%") as connection:
        assert ask(connection, "SELECT current_user") == "O'Master"
