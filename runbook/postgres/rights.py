"""Rights proved by doing: what a run will do on a cluster, done and rolled back.

The catalogs say who may do what on a plain server. Aurora's PostgreSQL is patched there, so that
only the server itself can tell. Each proof is a transaction of its own that is never committed: an
end of the connection ends it likewise. It waits for no lock longer than `LOCK_LIMIT`, and takes
none that holds up an application. What it writes reaches no subscriber: logical decoding passes
over what was rolled back
(https://www.postgresql.org/docs/current/logicaldecoding-output-plugin.html).

Not proved so, but read from the catalogs: `setval`, which no rollback undoes; REFRESH MATERIALIZED
VIEW, LOCK TABLE and writes to tables, which would hold up the applications; the end of sessions,
which would be one of theirs.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import AsyncConnection, errors
from psycopg.sql import SQL

from runbook.postgres import fence_sql, replication
from runbook.postgres.membership import joinable
from runbook.postgres.queries import fetch_one
from runbook.postgres.replication.role import hash_password, set_password_statement
from runbook.postgres.replication.subscriber import unconnected_subscription
from runbook.postgres.right_proof import (
    BOTH,
    Part,
    Place,
    Proof,
    Refusal,
    Transaction,
    Try,
    Unproved,
)
from runbook.postgres.statement import Statement, compose, quoted

LOCK_LIMIT = "1s"
STATEMENT_LIMIT = "5s"

TRIES = 3
"""So often a proof is begun anew that another session was in the way of."""

_IN_THE_WAY = (errors.LockNotAvailable, errors.QueryCanceled, errors.DeadlockDetected)
_NOT_GRANTED = "01007"
_CONCURRENTLY = "concurrently"
"""In the words of an internal error: two sessions changed one row of a catalog."""

NO_SLOT = "blueprime asks, and makes no slot"
"""No valid name of a slot. It is looked at after the right to make one, and after wal_level
(src/backend/replication/slotfuncs.c); a slot itself could not be rolled back."""


@dataclass(frozen=True, slots=True)
class _Found:
    user: str
    database: str
    owner: str
    owner_superuser: bool


def _replication_role(place: Place) -> Iterator[Transaction]:
    """Make the replication's role as the capture does, let it in, and drop it as the end does."""
    user, name = quoted(place.user), place.name
    yield [
        Try(
            replication.create_replication_role(name),
            "make the role of the replication",
            f"ALTER ROLE {user} CREATEROLE; GRANT rds_replication TO {user} WITH ADMIN OPTION;",
        ),
        _temporary_table(place),
        Try(
            set_password_statement(name, place.verifier),
            "give that role a password",
            f"GRANT rds_password TO {user};",
        ),
        *(
            Try(
                replication.let_connect(name, database),
                f"let that role into database {quoted(database)}",
                f"GRANT CONNECT ON DATABASE {quoted(database)} TO {user} WITH GRANT OPTION;",
            )
            for database in place.closed
        ),
        Try(
            replication.drop_owned(name),
            "take away what that role was granted",
            f"ALTER ROLE {user} CREATEROLE;",
        ),
        Try(replication.drop_role(name), "drop that role again", f"ALTER ROLE {user} CREATEROLE;"),
    ]


def _temporary_table(place: Place) -> Try:
    """Passwords reach the server in one, so that they stand in no log."""
    return Try(
        Statement(compose("CREATE TEMPORARY TABLE {name} ()", name=place.name)),
        f"make a temporary table in database {quoted(place.database)}",
        f"GRANT TEMPORARY ON DATABASE {quoted(place.database)} TO {quoted(place.user)};",
        member_of=place.owner,
    )


def _anything(place: Place) -> Try:
    return Try(
        Statement(compose("CREATE PUBLICATION {name}", name=f"{place.name}_none")),
        f"make anything in database {quoted(place.database)}",
        f"GRANT CREATE ON DATABASE {quoted(place.database)} TO {quoted(place.user)};",
        member_of=place.owner,
    )


def _publication(place: Place) -> Iterator[Transaction]:
    yield [
        _anything(place),
        Try(
            replication.create_publication(place.name),
            "publish all tables",
            f"GRANT rds_superuser TO {quoted(place.user)};",
        ),
    ]


def _slot(place: Place) -> Iterator[Transaction]:
    user = quoted(place.user)
    yield [
        Try(
            replication.create_slot_statement(NO_SLOT),
            "make a logical slot",
            f"GRANT rds_replication TO {user}; on a plain server: ALTER ROLE {user} REPLICATION;",
            answer=errors.InvalidName,
        )
    ]


def _message(place: Place) -> Iterator[Transaction]:
    more = ", boolean" if place.major >= 17 else ""
    yield [
        Try(
            Statement(SQL("SELECT pg_catalog.pg_logical_emit_message(true, 'blueprime', '')")),
            "write a message into the WAL, by which it is known how far the other side is",
            "GRANT EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text"
            f"{more}) TO {quoted(place.user)};",
        )
    ]


def _subscription(place: Place) -> Iterator[Transaction]:
    role = "pg_create_subscription" if place.major >= 16 else "rds_superuser"
    yield [
        _anything(place),
        _temporary_table(place),
        Try(
            unconnected_subscription(place.name),
            "make a subscription",
            place.grant(role),
            member_of=role,
        ),
        *(
            Try(statement, "drop a subscription", place.grant(role), member_of=role)
            for statement in replication.drop_subscription(place.name)
        ),
    ]


def _read_only(place: Place) -> Iterator[Transaction]:
    yield [
        Try(
            fence_sql.set_database_read_only(place.database, on),
            f"close database {quoted(place.database)}, which {quoted(place.owner)} owns, to writes",
            place.own,
            member_of=place.owner,
        )
        for on in (True, False)
    ]


def _lock_roles(place: Place) -> Iterator[Transaction]:
    for role in place.applications:
        yield [
            Try(
                statement,
                f"take LOGIN from {quoted(role)}, which the fence does",
                f"GRANT {quoted(role)} TO {quoted(place.user)} WITH ADMIN OPTION; "
                "or set traffic.lock_roles = false.",
            )
            for statement in (*fence_sql.lock_roles([role]), *fence_sql.unlock_roles([role]))
        ]


def _replica(place: Place) -> Iterator[Transaction]:
    user = quoted(place.user)
    yield [
        Try(
            Statement(SQL("SET LOCAL session_replication_role = replica")),
            "keep triggers from firing on rows that a repair copies",
            f"GRANT SET ON PARAMETER session_replication_role TO {user};"
            if place.major >= 15
            else f"GRANT rds_superuser TO {user};",
        )
    ]


def _copy(place: Place) -> Iterator[Transaction]:
    if place.major < 14:
        return
    yield [
        Try(
            replication.create_replication_role(place.name),
            "make the role of the replication",
            f"ALTER ROLE {quoted(place.user)} CREATEROLE;",
        ),
        Try(
            replication.let_read(place.name),
            "let the replication's role copy tables, as a repair does that takes one in",
            f"GRANT pg_read_all_data TO {quoted(place.user)} WITH ADMIN OPTION;",
        ),
    ]


def _origins(place: Place) -> Iterator[Transaction]:
    user = quoted(place.user)
    yield [
        Try(
            Statement(SQL("SELECT count(*) FROM pg_catalog.pg_replication_origin_status")),
            "see how far rows of other origins have come, which replication does not carry",
            f"GRANT SELECT ON pg_replication_origin_status TO {user}; "
            f"GRANT EXECUTE ON FUNCTION pg_show_replication_origin_status() TO {user};",
        )
    ]


_PUBLISHER = frozenset({Part.PUBLISHER})
_SUBSCRIBER = frozenset({Part.SUBSCRIBER})

PROOFS = (
    Proof("replication-role", _replication_role, _PUBLISHER, makes=True),
    # The subscriber publishes to itself, to see what is written there by anybody else.
    Proof("publication", _publication, BOTH, everywhere=True, makes=True),
    Proof("slot", _slot, BOTH),
    Proof("message", _message, _PUBLISHER),
    Proof("subscription", _subscription, _SUBSCRIBER, everywhere=True, makes=True),
    Proof("read-only", _read_only, everywhere=True),
    Proof("lock-roles", _lock_roles),
    Proof("copy", _copy, _PUBLISHER, makes=True, needed=False),
    Proof("replica", _replica, needed=False),
    Proof("origins", _origins, BOTH, needed=False),
)
"""Each right that a run needs, and what is done to prove it. The page to read."""


async def prove(
    connection: AsyncConnection,
    proofs: Iterable[Proof],
    *,
    name: str,
    applications: Sequence[str] = (),
    databases: Sequence[str] = (),
) -> list[Refusal | Unproved]:
    """Do what is to be proved in the connection's database; nothing of it is left.

    `name` is that of a role, a publication and a subscription that are not there. `applications`
    are roles that are there; `databases` those that the replication's role enters.

    Raises psycopg's errors where the connection ends.
    """
    found = await fetch_one(connection, _Found, "rights_place")
    place = Place(
        found.user,
        found.database,
        found.owner,
        found.owner_superuser,
        frozenset(await joinable(connection)),
        connection.info.server_version // 10000,
        name,
        applications,
        await replication.closed_databases(connection, databases),
        hash_password(connection, name, secrets.token_urlsafe(32)),
    )
    said: list[Refusal | Unproved] = []
    for proof in proofs:
        for transaction in proof.tries(place):
            problem = await _rolled_back(connection, proof, place, transaction)
            if problem is not None and not any(each.tried == problem.tried for each in said):
                said.append(problem)
    return said


def proofs_of(
    parts: Collection[Part], *, server: bool, database: bool, quiet: bool = False
) -> list[Proof]:
    """Return the proofs of some parts: those of the whole server, those of each database, or both.

    `quiet`: only those that make nothing.
    """
    return [
        proof
        for proof in PROOFS
        if (not proof.parts or proof.parts & frozenset(parts))
        and (database if proof.everywhere else server)
        and not (quiet and proof.makes)
    ]


async def _rolled_back(
    connection: AsyncConnection, proof: Proof, place: Place, transaction: Transaction
) -> Refusal | Unproved | None:
    """Run it and roll it back, some times over where another session is in the way."""
    problem: Refusal | Unproved | None = None
    for _ in range(TRIES):
        problem = await _once(connection, proof, place, transaction)
        if not isinstance(problem, Unproved):
            break
    return problem


async def _once(
    connection: AsyncConnection, proof: Proof, place: Place, transaction: Transaction
) -> Refusal | Unproved | None:
    tried = transaction[0]
    ignored: list[str] = []

    def note(diagnostic: errors.Diagnostic) -> None:
        # A GRANT of what one has, and may not grant, does nothing and is no error.
        if diagnostic.sqlstate == _NOT_GRANTED:
            ignored.append(diagnostic.message_primary or "no privileges were granted")

    connection.add_notice_handler(note)
    try:
        async with connection.transaction(force_rollback=True):
            await connection.execute(
                "SELECT pg_catalog.set_config('lock_timeout', %s, true),"
                " pg_catalog.set_config('statement_timeout', %s, true)",
                (LOCK_LIMIT, STATEMENT_LIMIT),
            )
            for tried in transaction:
                await tried.statement.execute(connection)
                if ignored:
                    return Refusal(proof, place, tried, ignored[0])
    except psycopg.Error as error:
        if error.diag.severity_nonlocalized != "ERROR":
            raise
        said = (error.diag.message_primary or str(error)).strip()
        if tried.answer is not None and isinstance(error, tried.answer):
            return None
        if isinstance(error, _IN_THE_WAY) or _CONCURRENTLY in said:
            return Unproved(proof, place, tried, error)
        return Refusal(proof, place, tried, said)
    finally:
        connection.remove_notice_handler(note)
    return None
