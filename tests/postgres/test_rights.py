"""Each right that a run needs: proved by doing, told where it is missing, and nothing is left."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from rehearsal.servers import rights as lab
from runbook.postgres import fix_sql, rights
from runbook.postgres.connect import connect
from runbook.postgres.fix import Fix, FixKind
from runbook.postgres.right_proof import Refusal, Unproved
from runbook.postgres.rights import PROOFS
from tests.postgres.conftest import LIMIT_S, SECRET, Pair, master_password, two_servers

NAME = "blueprime_t35t_proof"

_numbers = itertools.count(1)

CATALOGS = (
    "SELECT to_jsonb(r) FROM pg_authid AS r",
    "SELECT to_jsonb(m) FROM pg_auth_members AS m",
    "SELECT to_jsonb(d) - 'datfrozenxid' - 'datminmxid' FROM pg_database AS d",
    "SELECT to_jsonb(s) FROM pg_db_role_setting AS s",
    "SELECT to_jsonb(p) FROM pg_publication AS p",
    "SELECT to_jsonb(s) FROM pg_subscription AS s",
    "SELECT to_jsonb(o) FROM pg_replication_origin AS o",
    "SELECT to_jsonb(s.slot_name) FROM pg_replication_slots AS s",
    "SELECT to_jsonb(c.relname) FROM pg_class AS c WHERE relnamespace <> 99",
    "SELECT to_jsonb(p.proacl::text) FROM pg_proc AS p WHERE proacl IS NOT NULL",
)


@pytest.fixture(scope="module")
def aurora(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two servers on which members of `rds_superuser` may do what Aurora lets them."""
    with two_servers(tmp_path_factory.mktemp("rights")) as made:
        for server in made.servers.values():
            with server.connect() as admin:
                admin.execute("CREATE DATABASE rdsadmin")
            lab.make_groups(server)
            lab.lend(server)
        yield made


@dataclass
class Site:
    """A database, the plan's user who owns it, an application's role, and somebody else."""

    pair: Pair
    major: int
    user: str
    application: str
    other: str
    database: str

    def run(self, *statements: LiteralString) -> None:
        """Run SQL as the server's superuser; its placeholders are the names of this site."""
        with self.pair.admin(self.major, self.database) as admin:
            for statement in statements:
                admin.execute(
                    SQL(statement).format(
                        user=Identifier(self.user),
                        application=Identifier(self.application),
                        other=Identifier(self.other),
                        database=Identifier(self.database),
                    )
                )

    def catalogs(self) -> list[list[Any]]:
        with self.pair.admin(self.major, self.database) as admin:
            return [
                sorted(map(str, admin.execute(query.encode()).fetchall())) for query in CATALOGS
            ]

    async def connect(self) -> AsyncConnection:
        # A server of the lab says its own name, as Aurora does.
        target = self.pair.target(self.major, user=self.user, instance_ids=frozenset({""}))
        return await connect(target, master_password, self.database, deadline_s=LIMIT_S)

    async def prove(self) -> list[Refusal | Unproved]:
        async with await self.connect() as connection:
            return await rights.prove(
                connection,
                PROOFS,
                name=NAME,
                applications=[self.application],
                databases=["postgres", self.database],
            )

    async def refused(self) -> list[Refusal]:
        found = await self.prove()
        refused = [each for each in found if isinstance(each, Refusal)]
        assert len(refused) == len(found), found
        return refused


@pytest.fixture(params=[16, 18])
def site(aurora: Pair, request: pytest.FixtureRequest) -> Iterator[Site]:
    number = next(_numbers)
    made = Site(
        aurora, request.param, f'Må"ster {number}%', f"app 🚚 {number}", f"o'ther {number}",
        f'Ær "ø" {number}%',
    )  # fmt: skip
    with aurora.admin(made.major) as admin:
        verifier = admin.pgconn.encrypt_password(
            SECRET.encode(), made.user.encode(), b"scram-sha-256"
        ).decode()
        for statement in (
            SQL("CREATE ROLE {} LOGIN {} PASSWORD {}").format(
                Identifier(made.user), SQL(lab.master_attributes("aurora")), verifier
            ),
            SQL("GRANT rds_superuser TO {}").format(Identifier(made.user)),
            SQL("CREATE ROLE {} LOGIN").format(Identifier(made.application)),
            SQL("CREATE ROLE {}").format(Identifier(made.other)),
            SQL("GRANT {} TO {} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE").format(
                Identifier(made.application), Identifier(made.user)
            ),
            SQL("CREATE DATABASE {} OWNER {}").format(
                Identifier(made.database), Identifier(made.user)
            ),
        ):
            admin.execute(statement)
    yield made
    with aurora.admin(made.major) as admin:
        admin.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(made.database)))
        for role in (made.user, made.application, made.other):
            admin.execute(SQL("DROP OWNED BY {}").format(Identifier(role)))
            admin.execute(SQL("DROP ROLE {}").format(Identifier(role)))


@dataclass(frozen=True)
class Taken:
    """A right that is taken away: who misses it, and how it comes back for the other tests."""

    proof: str
    away: tuple[LiteralString, ...]
    grant: str
    """Words of the SQL that gives it back."""
    said: str = ""
    back: tuple[LiteralString, ...] = ()


THEIRS: LiteralString = "ALTER DATABASE {database} OWNER TO {other}"
CLOSED: tuple[LiteralString, ...] = (
    THEIRS,
    "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
    "GRANT CONNECT ON DATABASE {database} TO {user}",
)
SLOT_AWAY: LiteralString = "ALTER ROLE {user} NOREPLICATION"

TAKEN = (
    Taken("replication-role", ("ALTER ROLE {user} NOCREATEROLE",), "CREATEROLE"),
    Taken("replication-role", (*CLOSED, "GRANT TEMPORARY ON DATABASE {database} TO {user}"),
          "WITH GRANT OPTION", "no privileges were granted"),
    Taken("replication-role", CLOSED, "GRANT TEMPORARY ON DATABASE", "temporary tables"),
    Taken("publication", (THEIRS,), "GRANT CREATE ON DATABASE"),
    Taken("publication", ("REVOKE rds_superuser FROM {user}",), "GRANT rds_superuser TO",
          "must be superuser"),
    Taken("slot", (SLOT_AWAY,), "REPLICATION", "permission denied to use replication slots"),
    Taken("message", (
        "REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text{more}) FROM PUBLIC",
    ), "GRANT EXECUTE ON FUNCTION pg_logical_emit_message", "", (
        "GRANT EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text{more}) TO PUBLIC",
    )),
    Taken("subscription", ("REVOKE pg_create_subscription FROM rds_superuser",),
          '"pg_create_subscription" TO', "permission denied to create subscription",
          ("GRANT pg_create_subscription TO rds_superuser WITH ADMIN OPTION",)),
    Taken("read-only", (THEIRS, "GRANT CREATE ON DATABASE {database} TO {user}"),
          "WITH INHERIT TRUE, SET TRUE", "must be owner of database"),
    Taken("lock-roles", ("REVOKE {application} FROM {user}",), "WITH ADMIN OPTION",
          "permission denied to alter role"),
    Taken("copy", ("REVOKE pg_read_all_data FROM rds_superuser",),
          "GRANT pg_read_all_data TO", "permission denied to grant role",
          ("GRANT pg_read_all_data TO rds_superuser WITH ADMIN TRUE, INHERIT FALSE, SET FALSE",)),
    Taken("replica", ("REVOKE SET ON PARAMETER session_replication_role FROM rds_superuser",),
          "GRANT SET ON PARAMETER session_replication_role", "permission denied to set parameter",
          ("GRANT SET ON PARAMETER session_replication_role TO rds_superuser",)),
    Taken("origins", ("REVOKE SELECT ON pg_replication_origin_status FROM rds_superuser",),
          "GRANT SELECT ON pg_replication_origin_status", "permission denied for",
          ("GRANT SELECT ON pg_replication_origin_status TO rds_superuser",)),
)  # fmt: skip


def test_each_proof_is_taken_away_once() -> None:
    assert {each.proof for each in TAKEN} == {each.key for each in PROOFS}


@pytest.mark.parametrize("taken", TAKEN, ids=lambda each: f"{each.proof}-{each.grant[:20]}")
async def test_what_is_taken_away_is_told_with_the_sql_that_gives_it_back(
    site: Site, taken: Taken
) -> None:
    more: LiteralString = ", boolean" if site.major >= 17 else ""
    assert await site.refused() == []
    site.run(*(each.replace("{more}", more) for each in taken.away))
    try:
        before = site.catalogs()
        refused = await site.refused()
        assert site.catalogs() == before
        (mine,) = [each for each in refused if each.proof.key == taken.proof]
        assert taken.grant in mine.tried.grant
        assert taken.said in mine.said
        for _ in PROOFS:
            # What stood behind a refusal shows once that is mended.
            for each in refused:
                _give(site, each)
            if not (refused := await site.refused()):
                break
        assert refused == []
    finally:
        site.run(*(each.replace("{more}", more) for each in taken.back))


def _give(site: Site, refused: Refusal) -> None:
    """Run the SQL that is told, as whoever may; of several ways the last, without the plan's."""
    ways = refused.tried.grant.replace("on a plain server: ", "").split("; or ")[0]
    with site.pair.admin(site.major, site.database) as admin:
        for statement in ways.rstrip(";").split("; "):
            admin.execute(statement.encode())


async def test_the_user_joins_the_owner_where_it_administers_it(site: Site) -> None:
    site.run(
        THEIRS,
        "GRANT {other} TO {user} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE",
    )
    refused = await site.refused()
    assert {each.proof.key for each in refused} == {"publication", "read-only"}
    assert {each.joins for each in refused} == {site.other}
    assert any("must be owner of database" in each.said for each in refused)
    fix = Fix(FixKind.JOIN_ROLE, "", (site.other, site.user))
    async with await site.connect() as connection:
        assert "no full member" in await fix_sql.standing(connection, fix)
        for statement in fix_sql.statements(fix):
            await statement.execute(connection)
        assert await fix_sql.standing(connection, fix) == ""
    assert await site.refused() == []


async def test_a_member_that_does_not_inherit_acts_as_the_owner(site: Site) -> None:
    site.run(
        THEIRS,
        "GRANT {other} TO {user} WITH INHERIT FALSE, SET TRUE",
        "GRANT CREATE ON DATABASE {database} TO {user}",
    )
    assert await site.refused() == []


async def test_what_is_done_reaches_no_subscriber(site: Site) -> None:
    site.run(
        "CREATE PUBLICATION theirs FOR ALL TABLES",
        "SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')",
    )
    assert await site.refused() == []
    with site.pair.admin(site.major, site.database) as admin:
        rows = admin.execute(
            "SELECT * FROM pg_logical_slot_get_binary_changes('theirs', NULL, NULL,"
            " 'proto_version', '1', 'publication_names', 'theirs')"
        ).fetchall()
        admin.execute("SELECT pg_drop_replication_slot('theirs')")
    assert rows == []


async def test_what_is_in_the_way_leaves_a_right_unproved(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rights, "LOCK_LIMIT", "50ms")
    with site.pair.admin(site.major, site.database) as admin, admin.transaction():
        admin.execute("LOCK TABLE pg_publication IN ACCESS EXCLUSIVE MODE")
        found = await site.prove()
    assert [(type(each), each.proof.key) for each in found] == [(Unproved, "publication")]


@pytest.mark.parametrize("how", ["the server ends it", "the client is gone"])
async def test_a_proof_that_is_cut_short_leaves_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(rights, "LOCK_LIMIT", "60s")
    monkeypatch.setattr(rights, "STATEMENT_LIMIT", "60s")
    before = site.catalogs()
    async with await site.connect() as connection:
        pid = connection.info.backend_pid
        with site.pair.admin(site.major, site.database) as admin:
            with admin.transaction():
                # The role is made by then, and its settings wait.
                admin.execute("LOCK TABLE pg_db_role_setting IN ACCESS EXCLUSIVE MODE")
                proving = asyncio.create_task(rights.prove(connection, PROOFS, name=NAME))
                await _until(lambda: _waits(admin, pid))
                if how == "the client is gone":
                    with socket.socket(fileno=os.dup(connection.pgconn.socket)) as line:
                        line.shutdown(socket.SHUT_RDWR)
                else:
                    admin.execute("SELECT pg_terminate_backend(%s)", (pid,))
                with pytest.raises(psycopg.OperationalError):
                    await proving
            await _until(lambda: not _there(admin, pid))
    assert site.catalogs() == before


async def _until(true: Callable[[], bool]) -> None:
    ends = monotonic() + LIMIT_S
    for _ in itertools.count():
        if true():
            return
        assert monotonic() < ends
        await asyncio.sleep(0.02)


def _waits(admin: psycopg.Connection[Any], pid: int) -> bool:
    query = "SELECT FROM pg_locks WHERE pid = %s AND NOT granted"
    return admin.execute(query, (pid,)).fetchone() is not None


def _there(admin: psycopg.Connection[Any], pid: int) -> bool:
    query = "SELECT FROM pg_stat_activity WHERE pid = %s"
    return admin.execute(query, (pid,)).fetchone() is not None
