"""What a database and its server hold: read-only looks at the system catalogs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection

from runbook.postgres.queries import fetch, fetch_one, fetch_values, rows_of
from runbook.postgres.statement import quoted

INTERNAL_ROLES = (
    "rdsadmin",
    "rdsrepladmin",
    "rdstopmgr",
    "rdswriteforwarduser",
    "rdsproxyadmin",
    "rds_superuser",
    "rds_replication",
    "rds_iam",
    "rds_password",
    "rds_ad",
    "rds_reserved",
    "rds_extension",
)
"""AWS's own roles, by their full names: a client's role may begin with `rds` too."""


@dataclass(frozen=True, slots=True)
class Named:
    """What has a name in a schema."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.name)}"


@dataclass(frozen=True, slots=True)
class Table(Named):
    """A table that a publication FOR ALL TABLES covers: an ordinary one or a partition."""


@dataclass(frozen=True, slots=True)
class PublishedTable(Table):
    """A table of `published_tables`."""

    columns: list[str]
    size_bytes: int
    """With its TOAST data, without its indexes."""


@dataclass(frozen=True, slots=True)
class TableWithoutIdentity(Table):
    """A table whose rows cannot be told apart: published, its UPDATE and DELETE fail."""

    replica_identity: str
    """`pg_class.relreplident`: d, n, i."""
    reason: str
    deferrable: bool
    """Whether it has a primary key that is checked late, and so is none for replication."""
    size_bytes: int | None
    """As of the last VACUUM or ANALYZE, without TOAST; None: there was none."""
    rows: int | None
    """As of the last VACUUM or ANALYZE, else as far as statistics reach; None: nobody counted."""
    writes: int
    """Rows updated and deleted as far as statistics reach."""
    index: str | None
    """A unique index that could be its identity, or None."""
    full_possible: bool
    """Whether each column surely has equality, so that REPLICA IDENTITY FULL would do."""

    @property
    def own_key(self) -> str:
        """The SQL that gives it a key that is made up, which rewrites it under a lock."""
        column = f"ALTER TABLE {self} ADD COLUMN row_id bigint GENERATED ALWAYS AS IDENTITY"
        if not self.deferrable:
            return f"{column} PRIMARY KEY;"
        name = quoted(f"row_id_{self.name}")
        return (
            f"{column} CONSTRAINT {name} UNIQUE; "
            f"ALTER TABLE {self} REPLICA IDENTITY USING INDEX {name};"
        )


@dataclass(frozen=True, slots=True)
class FullIdentity(Table):
    """A table with REPLICA IDENTITY FULL and no primary key to find its rows by."""

    rows: int | None
    """As of the last VACUUM or ANALYZE, else as far as statistics reach; None: nobody counted."""
    size_bytes: int | None
    """As of the last VACUUM or ANALYZE, without TOAST; None: there was none."""
    writes: int
    """Rows updated and deleted as far as statistics reach."""
    indexed: bool
    """Whether apply, from 16 on, may find its rows by an index."""


@dataclass(frozen=True, slots=True)
class TableWithoutEquality(Table):
    """A table with REPLICA IDENTITY FULL and columns whose types have no equality: apply fails."""

    columns: list[str]
    keyed: bool
    """Whether it has a primary key, which could be its identity."""


@dataclass(frozen=True, slots=True)
class PreparedTransaction:
    """A prepared transaction of any database. It survives the end of its session."""

    gid: str
    database: str
    owner: str
    age_s: float

    def __str__(self) -> str:
        return (
            f"prepared transaction {self.gid!r} of {quoted(self.owner)} in {quoted(self.database)}"
        )


@dataclass(frozen=True, slots=True)
class LongTransaction:
    """A transaction that has been open for long, in any database."""

    pid: int
    role: str | None
    database: str | None
    application: str
    state: str | None
    backend_type: str
    backend_start: datetime
    age_s: float
    query: str


@dataclass(frozen=True, slots=True)
class Publication:
    """A publication of this database."""

    name: str


@dataclass(frozen=True, slots=True)
class SubscriptionFound:
    """A subscription of any database of the server, as far as every role may see it."""

    name: str
    database: str
    owner: str
    enabled: bool
    slot_name: str | None
    publications: list[str]


@dataclass(frozen=True, slots=True)
class SlotFound:
    """A replication slot of the server."""

    name: str
    slot_type: str
    plugin: str | None
    database: str | None
    active: bool
    temporary: bool
    wal_status: str | None
    retained_bytes: int | None
    """WAL that it holds back; None where it holds none, or on a standby."""


@dataclass(frozen=True, slots=True)
class DataKinds:
    """How much there is, in this database, of what logical replication treats specially."""

    sequences: int
    large_objects: int
    unlogged_tables: int
    materialized_views: int
    tables: int
    extensions: list[str]
    """Names of what is installed, `plpgsql` excepted."""
    partitioned_tables: int
    """Roots of partition trees."""
    unlogged_names: list[str] | None
    """The first five, as the next."""
    view_names: list[str] | None
    large_object_owners: list[str]
    """The five with the most, each as `count of owner`."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A server setting as this session sees it."""

    name: str
    value: str
    unit: str | None
    source: str
    boot_value: str | None
    pending_restart: bool


@dataclass(frozen=True, slots=True)
class LoginRole:
    """A role that may log in."""

    name: str
    superuser: bool
    internal: bool
    """The server's or AWS's own (`pg_*`, `rds*`)."""
    own: bool
    """blueprime's own (`blueprime_*`)."""
    current: bool
    """The one this connection uses."""
    alterable: bool
    """Whether the current user may take LOGIN from it."""
    sessions: int


@dataclass(frozen=True, slots=True)
class MasterPermissions:
    """What the current user may do. Each is asked of the catalogs; nothing is tried."""

    user: str
    superuser: bool
    createrole: bool
    replication: bool
    """The attribute, or membership in `rds_replication`: slots may be made and used."""
    create_in_database: bool
    """CREATE on the database, which CREATE PUBLICATION needs."""
    own_database: bool
    """Whether it may ALTER DATABASE ... SET, by which a cluster is held read-only."""
    publish_all_tables: bool
    """FOR ALL TABLES is for superusers; on Aurora for `rds_superuser`."""
    create_subscription: bool
    signal_backends: bool
    monitor: bool
    """Sees the queries and states of other roles' sessions."""
    emit_message: bool
    unreadable_tables: int
    """User tables without SELECT: they could not be compared."""
    unreadable_names: list[str]
    """The first five."""
    unsettable_owners: list[str]
    """Of sequences without SELECT and UPDATE: they could not be carried over."""
    unsettable_sequences: list[int]
    """How many each of them owns."""
    unsettable_schemas: list[str]
    major: int
    """The server's."""


@dataclass(frozen=True, slots=True)
class ReadOnlyState:
    """What keeps writes off, as a new session without own settings would meet it."""

    default_read_only: bool
    """`default_transaction_read_only` as a new session of this user has it."""
    database_setting: str | None
    """What ALTER DATABASE ... SET says for this database, or None."""


@dataclass(frozen=True, slots=True)
class AlwaysTrigger(Table):
    """A trigger that fires when replication applies a row: its side effects happen twice."""

    trigger: str
    enabled: str
    """`pg_trigger.tgenabled`: A always, R replica."""
    function: str
    unqualified: list[str]
    """Relations that its function names without their schema: apply would not find them."""


async def connectable_databases(connection: AsyncConnection) -> list[str]:
    """Return the databases that accept connections, sorted.

    Never `template0`, `template1`, Aurora's `rdsadmin`, or one left invalid by a DROP DATABASE
    (`datconnlimit = -2`).
    """
    return await fetch_values(connection, "connectable_databases")


async def existing_roles(connection: AsyncConnection, names: Iterable[str]) -> list[str]:
    """Return those of the roles that exist, sorted."""
    return await fetch_values(connection, "existing_roles", (list(names),))


published_tables = rows_of(PublishedTable, "published_tables")
"""What FOR ALL TABLES publishes, the smallest first; no members of extensions."""

tables_without_identity = rows_of(TableWithoutIdentity, "tables_without_identity")
"""Published tables whose UPDATE and DELETE would fail.

Source: https://www.postgresql.org/docs/current/logical-replication-publication.html
"""

identity_full = rows_of(FullIdentity, "identity_full")
"""Tables with REPLICA IDENTITY FULL and no primary key, the largest first."""

identity_full_without_equality = rows_of(TableWithoutEquality, "identity_full_without_equality")
"""Tables with REPLICA IDENTITY FULL whose columns cannot all be compared.

Source: https://www.postgresql.org/docs/current/logical-replication-publication.html
"""

prepared_transactions = rows_of(PreparedTransaction, "prepared_transactions")
"""The prepared transactions of all databases, the oldest first.

Source: https://www.postgresql.org/docs/current/view-pg-prepared-xacts.html
"""


async def long_transactions(
    connection: AsyncConnection, older_than_s: float
) -> list[LongTransaction]:
    """Return transactions of all databases open for longer than that, the oldest first."""
    return await fetch(connection, LongTransaction, "long_transactions", (older_than_s,))


publications = rows_of(Publication, "publications")
"""The publications of this database."""

subscriptions = rows_of(SubscriptionFound, "subscriptions")
"""The subscriptions of all databases; their connection strings stay unread."""

replication_slots = rows_of(SlotFound, "replication_slots")
"""The replication slots of the server.

Source: https://www.postgresql.org/docs/current/view-pg-replication-slots.html
"""


async def data_kinds(connection: AsyncConnection) -> DataKinds:
    """Count what replication treats specially.

    Source: https://www.postgresql.org/docs/current/logical-replication-restrictions.html
    """
    return await fetch_one(connection, DataKinds, "data_kinds")


async def settings(connection: AsyncConnection, names: Iterable[str]) -> dict[str, Setting]:
    """Return those of the named settings that the server knows."""
    rows = await fetch(connection, Setting, "settings", (list(names),))
    return {row.name: row for row in rows}


login_roles = rows_of(LoginRole, "login_roles", {"internal": list(INTERNAL_ROLES)})
"""Every role that may log in."""


async def master_permissions(connection: AsyncConnection) -> MasterPermissions:
    """Return what the current user may do in this database."""
    return await fetch_one(connection, MasterPermissions, "master_permissions")


async def read_only_state(connection: AsyncConnection) -> ReadOnlyState:
    """Return what keeps writes off this database."""
    return await fetch_one(connection, ReadOnlyState, "read_only_state")


enabled_always_triggers = rows_of(AlwaysTrigger, "enabled_always_triggers")
"""Triggers that fire on apply.

Source: https://www.postgresql.org/docs/current/sql-altertable.html
"""
