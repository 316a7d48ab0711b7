"""What stands in the way of an upgrade, or of its way back: read-only looks for the preflight.

None of them takes a lock on a table. Each is one query, whatever the number of objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection

from runbook.postgres.catalog import INTERNAL_ROLES, Named, Table
from runbook.postgres.queries import fetch, fetch_values, load, rows_of, says
from runbook.postgres.statement import quoted


@dataclass(frozen=True, slots=True)
class DatabaseFound:
    """A database of the server; `template0` and Aurora's `rdsadmin` are left out."""

    name: str
    accepts: bool
    """`datallowconn`: pg_upgrade refuses a server where it is false."""
    invalid: bool
    """A DROP DATABASE was cut short; pg_upgrade refuses it."""
    encoding: str
    """`SQL_ASCII`: none, its text is bytes."""
    may_connect: bool
    """Whether the current user has CONNECT."""
    may_let_in: bool
    """Whether a role that the user makes may have CONNECT: by PUBLIC, or by a grant of his."""
    collation_then: str | None
    """Version of the default collation when the database was made; None: it has none."""
    collation_now: str | None


@dataclass(frozen=True, slots=True)
class ReadOnlyOverride:
    """A role whose own setting beats what keeps a database read-only."""

    role: str
    database: str
    """The database that it is set for, or empty for all."""


@dataclass(frozen=True, slots=True)
class PlainSessions:
    """Sessions of a role that came over the network without TLS."""

    role: str
    sessions: int


@dataclass(frozen=True, slots=True)
class RepackSession:
    """A session of pg_repack."""

    pid: int
    database: str
    backend_start: datetime


@dataclass(frozen=True, slots=True)
class ExtensionTable(Table):
    """A table that an extension owns."""

    extension: str
    identified: bool
    """Whether it has a usable replica identity."""


@dataclass(frozen=True, slots=True)
class EventTrigger:
    """An event trigger that fires: on DDL, so on publications and subscriptions too."""

    name: str
    event: str
    enabled: str
    """`pg_event_trigger.evtenabled`: O, A always, R replica."""
    function: str

    def __str__(self) -> str:
        return quoted(self.name)


@dataclass(frozen=True, slots=True)
class GeneratedIdentity(Table):
    """A table with generated columns in its replica identity."""

    in_full: bool
    """Whether that is because the identity is FULL."""
    columns: list[str]


@dataclass(frozen=True, slots=True)
class ForeignServer:
    """A foreign server, with the host that it names (empty: none)."""

    name: str
    wrapper: str
    host: str
    tables: int


@dataclass(frozen=True, slots=True)
class StaleCollation(Named):
    """A collation whose library is another one now than when it was made."""

    version_then: str
    version_now: str | None


@dataclass(frozen=True, slots=True)
class CronJob:
    """An active job of pg_cron."""

    number: int
    schedule: str
    database: str
    role: str
    refreshes: bool
    """Whether it refreshes a materialized view."""


@dataclass(frozen=True, slots=True)
class OutdatedExtension:
    """An extension for which the server has a newer version."""

    name: str
    installed: str
    current: str


@dataclass(frozen=True, slots=True)
class Unmaintained:
    """What one owner's is, and the current user may not keep fit."""

    owner: str
    user: str
    major: int
    """The server's."""
    unanalyzed: list[str]
    """Tables and materialized views that it may not ANALYZE, quoted."""
    unrefreshed: list[str]
    """Materialized views that it may not REFRESH, quoted."""


@dataclass(frozen=True, slots=True)
class ByteName:
    """A name in a database without an encoding that is not plain ASCII."""

    kind: str
    bytes: str
    """In hexadecimal digits."""

    @property
    def decodes(self) -> bool:
        """Whether it reads as UTF-8."""
        try:
            bytes.fromhex(self.bytes).decode()
        except UnicodeDecodeError:
            return False
        return True

    def __str__(self) -> str:
        return bytes.fromhex(self.bytes).decode(errors="backslashreplace")


@dataclass(frozen=True, slots=True)
class PathFunction:
    """A function that is run without a search_path and names something without its schema."""

    kind: str
    """What uses it: an index, a check, a domain, a generated or a materialized one."""
    schema: str
    name: str
    """The table or view, or the domain, whose schema is empty."""
    part: str
    """The index, check or column; empty for a domain or a view."""
    function: str
    """As SQL names it, with its arguments."""
    unqualified: list[str]
    schemas: list[str]
    """Where what it names is found."""

    @property
    def place(self) -> str:
        """What it belongs to, as people name it."""
        return f"{self.schema}.{self.name}" if self.schema else self.name

    @property
    def refreshed(self) -> bool:
        """Whether it is run by REFRESH MATERIALIZED VIEW alone."""
        return self.kind == "materialized view"


@dataclass(frozen=True, slots=True)
class RefusedColumn(Table):
    """A column of a type that pg_upgrade refuses."""

    column: str
    type: str


@dataclass(frozen=True, slots=True)
class FullSequence(Named):
    """A sequence that has used more than four fifths of its range and does not cycle."""

    last_value: int
    calls_left: int


databases = rows_of(DatabaseFound, "databases")
"""The databases of the server, those that nobody can connect to among them."""

read_only_overrides = rows_of(ReadOnlyOverride, "read_only_overrides", (list(INTERNAL_ROLES),))
"""The roles that a read-only database does not hold."""

plain_sessions = rows_of(PlainSessions, "plain_sessions", (list(INTERNAL_ROLES),))
"""Who is connected without TLS; AWS's own and blueprime are left out."""

repack_sessions = rows_of(RepackSession, "repack_sessions")
"""The sessions of pg_repack, which gives its name itself."""

extension_tables = rows_of(ExtensionTable, "extension_tables")
"""The permanent tables that extensions own."""

event_triggers = rows_of(EventTrigger, "event_triggers", (list(INTERNAL_ROLES),))
"""The event triggers that are not disabled; AWS's and those of extensions left out."""

generated_identities = rows_of(GeneratedIdentity, "generated_identities")
"""The tables whose rows are told apart by generated columns."""

foreign_servers = rows_of(ForeignServer, "foreign_servers")
"""The foreign servers of this database."""

stale_collations = rows_of(StaleCollation, "stale_collations")
"""The collations of this database whose version has changed under it."""


async def cron_jobs(connection: AsyncConnection) -> list[CronJob]:
    """Return the active jobs of pg_cron, which keeps those of all databases in one of them."""
    if not await says(connection, "SELECT to_regclass('cron.job') IS NOT NULL"):
        return []
    return await fetch(connection, CronJob, "cron_jobs")


async def iam_roles(connection: AsyncConnection) -> list[str]:
    """Return the roles that log in with IAM tokens: from Aurora's `rds_iam`."""
    return await fetch_values(connection, "iam_roles")


repack_leftovers = rows_of(Table, "repack_leftovers")
"""The work tables of pg_repack, and the tables that bear its trigger."""

outdated_extensions = rows_of(OutdatedExtension, "outdated_extensions")
"""The extensions that can be updated."""

partitioned_tables = rows_of(Table, "partitioned_tables")
"""The roots of partition trees."""

unmaintained = rows_of(Unmaintained, "unmaintained")
"""What others own, and REFRESH MATERIALIZED VIEW or ANALYZE would be refused for.

Source: https://www.postgresql.org/docs/current/ddl-priv.html
"""

refused_columns = rows_of(RefusedColumn, "refused_columns")
"""The columns for which pg_upgrade refuses the database."""

byte_names = rows_of(ByteName, "byte_names")
"""The names of this database that are not plain ASCII, if it has no encoding."""

path_functions = rows_of(PathFunction, "path_functions")
"""The functions that apply, ANALYZE or REFRESH could not run as they are."""


async def full_sequences(connection: AsyncConnection) -> list[FullSequence]:
    """Return the sequences that are near the end of their range; the current user sees its own.

    The connection must be in autocommit: the locks of a few hundred sequences are let go at a time.
    """
    await connection.execute(load("full_sequences", connection.info.server_version).encode())
    return await fetch(connection, FullSequence, "full_sequences_found")
