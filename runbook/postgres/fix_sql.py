"""The SQL of the repairs that checks offer, and the looks that tell whether one is still due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from runbook.postgres import membership, replication
from runbook.postgres.fix import Fix, FixKind
from runbook.postgres.queries import one_value
from runbook.postgres.statement import Statement, compose, literal, quoted
from runbook.postgres.termination import end_sessions

LOCK_S = 2
"""Other sessions queue behind an ALTER TABLE that waits for its lock."""

_IDENTITIES = {"d": "DEFAULT", "n": "NOTHING", "f": "FULL", "i": "an index"}
_FIRES = {"A": "ALWAYS", "R": "REPLICA", "D": "never"}


def title(fix: Fix) -> str:
    """Return what is done, in a few words that name the object."""
    name = ".".join(quoted(part) for part in fix.names[:2])
    where = f" in {quoted(fix.database)}" if fix.database else ""
    match fix.kind:
        case FixKind.TERMINATE:
            return f"End the session with pid {fix.names[0]}"
        case FixKind.DROP_SLOT:
            return f"Drop the slot {fix.names[0]}"
        case FixKind.DROP_PUBLICATION | FixKind.DROP_SUBSCRIPTION | FixKind.DROP_EXTENSION:
            return f"Drop the {fix.kind.removeprefix('drop-')} {name}{where}"
        case FixKind.ROLL_BACK_PREPARED:
            return f"Roll back the prepared transaction {fix.names[0]}{where}"
        case FixKind.IDENTITY_FULL:
            return f"Give {name}{where} REPLICA IDENTITY FULL"
        case FixKind.IDENTITY_INDEX:
            return f"Give {name}{where} the index {quoted(fix.names[2])} as identity"
        case FixKind.IDENTITY_DEFAULT:
            return f"Give {name}{where} its primary key as identity"
        case FixKind.PLAIN_TRIGGER:
            return f"Make the trigger {quoted(fix.names[2])} of {name}{where} a plain one"
        case FixKind.JOIN_ROLE:
            role, user = map(quoted, fix.names)
            return f"Make {user} a member of {role}"


def statements(fix: Fix) -> Sequence[Statement]:
    """Return the SQL of a repair."""
    names = fix.names
    match fix.kind:
        case FixKind.TERMINATE:
            # Pids recur: the session must be the one that was seen.
            which = compose(
                "SELECT pid FROM pg_catalog.pg_stat_activity WHERE pid = {pid} "
                "AND backend_start = {start}",
                pid=literal(int(names[0])),
                start=literal(datetime.fromisoformat(names[1])),
            )
            return [end_sessions(which)]
        case FixKind.DROP_SLOT:
            return [replication.terminate_slot_user(names[0]), replication.drop_slot(names[0])]
        case FixKind.DROP_PUBLICATION:
            return [replication.drop_publication(names[0])]
        case FixKind.DROP_SUBSCRIPTION:
            return replication.drop_subscription(names[0])
        case FixKind.ROLL_BACK_PREPARED:
            rolled = SQL("ROLLBACK PREPARED {}").format(literal(names[0]))
            return [Statement(rolled, transactional=False)]
        case FixKind.DROP_EXTENSION:
            return [Statement(compose("DROP EXTENSION {name}", name=names[0]))]
        case FixKind.JOIN_ROLE:
            return [membership.join(*names)]
        case FixKind.IDENTITY_FULL:
            how = compose("REPLICA IDENTITY FULL")
        case FixKind.IDENTITY_INDEX:
            how = compose("REPLICA IDENTITY USING INDEX {index}", index=names[2])
        case FixKind.IDENTITY_DEFAULT:
            how = compose("REPLICA IDENTITY DEFAULT")
        case FixKind.PLAIN_TRIGGER:
            how = compose("ENABLE TRIGGER {trigger}", trigger=names[2])
    table = Identifier(names[0], names[1])
    return [
        Statement(SQL("SET LOCAL lock_timeout = {}").format(literal(f"{LOCK_S}s"))),
        Statement(compose("ALTER TABLE {table} {how}", table=table, how=how)),
    ]


def in_transaction(fix: Fix) -> bool:
    """Return whether a repair's statements go into one transaction."""
    return fix.kind not in (FixKind.TERMINATE, FixKind.DROP_SLOT, FixKind.ROLL_BACK_PREPARED)


async def standing(connection: AsyncConnection, fix: Fix) -> str:
    """Return what is still to be repaired, in words; empty where nothing is."""
    names = fix.names
    match fix.kind:
        case FixKind.TERMINATE:
            query = (
                "SELECT format('pid %%s of role %%s is %%s', pid, usename, state) "
                "FROM pg_catalog.pg_stat_activity WHERE pid = %s AND backend_start = %s"
            )
            return await _text(connection, query, int(names[0]), datetime.fromisoformat(names[1]))
        case FixKind.DROP_SLOT:
            query = (
                "SELECT 'the slot is there' FROM pg_catalog.pg_replication_slots "
                "WHERE slot_name = %s"
            )
        case FixKind.DROP_PUBLICATION:
            query = "SELECT 'it is there' FROM pg_catalog.pg_publication WHERE pubname = %s"
        case FixKind.DROP_SUBSCRIPTION:
            query = (
                "SELECT 'it is there' FROM pg_catalog.pg_subscription WHERE subname = %s AND "
                "subdbid = (SELECT oid FROM pg_catalog.pg_database "
                "WHERE datname = current_database())"
            )
        case FixKind.ROLL_BACK_PREPARED:
            query = (
                "SELECT 'it is prepared' FROM pg_catalog.pg_prepared_xacts "
                "WHERE gid = %s AND database = current_database()"
            )
        case FixKind.DROP_EXTENSION:
            query = "SELECT 'it is installed' FROM pg_catalog.pg_extension WHERE extname = %s"
        case FixKind.JOIN_ROLE:
            if await membership.joined(connection, *names):
                return ""
            return f"{quoted(names[1])} is no full member of {quoted(names[0])}"
        case FixKind.IDENTITY_FULL | FixKind.IDENTITY_INDEX | FixKind.IDENTITY_DEFAULT:
            return await _identity(connection, fix)
        case FixKind.PLAIN_TRIGGER:
            query = (
                "SELECT tgenabled::text FROM pg_catalog.pg_trigger AS t "
                "JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid "
                "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
                "WHERE n.nspname = %s AND c.relname = %s AND t.tgname = %s AND tgenabled <> 'O'"
            )
            fires = await _text(connection, query, *names)
            return fires and f"it fires {_FIRES[fires]}"
    return await _text(connection, query, names[0])


async def _identity(connection: AsyncConnection, fix: Fix) -> str:
    query = (
        "SELECT concat(c.relreplident, i.relname) FROM pg_catalog.pg_class AS c "
        "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
        "LEFT JOIN pg_catalog.pg_index AS x ON x.indrelid = c.oid AND x.indisreplident "
        "LEFT JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid "
        "WHERE n.nspname = %s AND c.relname = %s"
    )
    found = await _text(connection, query, *fix.names[:2])
    wanted = {FixKind.IDENTITY_FULL: "f", FixKind.IDENTITY_DEFAULT: "d"}.get(fix.kind)
    wanted = wanted or f"i{fix.names[2]}"
    if not found or found == wanted:
        return ""
    return f"its replica identity is {_IDENTITIES[found[0]]} {found[1:]}".rstrip()


async def _text(connection: AsyncConnection, query: str, *parameters: object) -> str:
    return str(await one_value(connection, query.encode(), parameters) or "")
