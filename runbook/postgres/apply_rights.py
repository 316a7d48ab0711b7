"""Whether an apply worker may write its tables, and as whom: what PostgreSQL would refuse.

Up to 14 a worker writes whatever it gets, on 15 as the subscription's owner, from 16 on as each
table's owner unless the subscription says `run_as_owner` ("Logical Replication: Security" in
PostgreSQL's documentation). The words of a refusal are those that the server writes into its log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from psycopg import AsyncConnection

from runbook.postgres.catalog import Table
from runbook.postgres.membership import joining
from runbook.postgres.queries import fetch, says
from runbook.postgres.statement import Statement, compose, quoted

CHECKED_SINCE = 15
"""From this major on apply asks for privileges at all."""

AS_OWNER_SINCE = 16
"""From this major on apply writes as the table's owner."""


@dataclass(frozen=True, slots=True)
class ApplyRights(Table):
    """A table that apply may be refused, as one of the two who could write it."""

    owner: str
    user: str
    """The subscription's owner: whoever makes it, blueprime's user."""
    enters: bool
    """Whether the user has USAGE on the schema, without which the table is not found."""
    may_set: bool
    """Whether the user may SET ROLE to the owner."""
    owner_lacks: list[str]
    """Of SELECT, INSERT, UPDATE, DELETE and TRUNCATE, as the next."""
    user_lacks: list[str]
    owner_secured: bool
    """Whether row-level security applies to the owner, as the next to the user."""
    user_secured: bool
    owner_enters: bool = True
    """As `enters`, of the owner."""
    major: int = AS_OWNER_SINCE
    """The server's."""

    @property
    def owner_may(self) -> bool:
        """Whether the owner is refused nothing, so that it is enough to be a member of it."""
        return self.owner_enters and not self.owner_lacks and not self.owner_secured

    def refusals(self, *, as_owner: bool) -> list[str]:
        """Return what PostgreSQL would say to apply, as the table's owner or as the user."""
        said = [] if self.enters else [f"permission denied for schema {self.schema}"]
        if as_owner and not self.may_set:
            said.append(f'role "{self.user}" cannot SET ROLE to "{self.owner}"')
        if lacks := self.owner_lacks if as_owner else self.user_lacks:
            who = self.owner if as_owner else self.user
            said.append(f"permission denied for table {self.name} ({who} lacks {', '.join(lacks)})")
        if self.owner_secured if as_owner else self.user_secured:
            who = self.owner if as_owner else self.user
            said.append(
                f'user "{who}" cannot replicate into relation with row-level security enabled: '
                f'"{self.name}"'
            )
        return said

    def grants(self, *, as_owner: bool) -> list[str]:
        """Return the SQL that lets apply write, as the table's owner or as the user."""
        owner, user = quoted(self.owner), quoted(self.user)
        made = []
        if not self.enters:
            made.append(f"GRANT USAGE ON SCHEMA {quoted(self.schema)} TO {user};")
        if as_owner and not self.may_set:
            made.append(joining(self.owner, self.user, self.major))
        if lacks := self.owner_lacks if as_owner else self.user_lacks:
            made.append(f"GRANT {', '.join(lacks)} ON {self} TO {owner if as_owner else user};")
        if as_owner and self.owner_secured:
            made.append(f"ALTER TABLE {self} NO FORCE ROW LEVEL SECURITY;")
        if not as_owner and self.user_secured:
            made.append(f"ALTER ROLE {user} BYPASSRLS;")
        return made


@dataclass(frozen=True, slots=True)
class Mode:
    """How a subscription of a database best writes its tables."""

    run_as_owner: bool
    """The subscription's option: as the subscription's owner instead of each table's."""
    refused: tuple[ApplyRights, ...]
    """The tables that apply would be refused even so."""
    refused_otherwise: tuple[ApplyRights, ...]
    """Those that it would be refused without the option, where it is needed."""

    @property
    def as_owner(self) -> bool:
        """Whether apply writes as each table's owner."""
        return not self.run_as_owner


async def apply_rights(connection: AsyncConnection) -> list[ApplyRights]:
    """Return the tables of this database that apply may be refused, in one way or the other.

    Source: https://www.postgresql.org/docs/current/logical-replication-security.html
    """
    return await fetch(connection, ApplyRights, "apply_rights")


def mode(tables: Iterable[ApplyRights], major: int) -> Mode:
    """Return how a subscription on a server of a major writes, and what it would be refused."""
    found = list(tables)
    if major < CHECKED_SINCE:
        return Mode(True, tuple(each for each in found if not each.enters), ())
    by_user = tuple(each for each in found if each.refusals(as_owner=False))
    if major < AS_OWNER_SINCE:
        return Mode(True, by_user, ())
    by_owner = tuple(each for each in found if each.refusals(as_owner=True))
    if by_owner and len(by_user) < len(by_owner):
        return Mode(True, by_user, by_owner)
    return Mode(False, by_owner, ())


async def runs_as_owner(connection: AsyncConnection, subscription: str) -> bool:
    """Return whether a subscription of this database writes as its own owner, below 16 always."""
    if connection.info.server_version < AS_OWNER_SINCE * 10000:
        return True
    return await says(
        connection,
        "SELECT subrunasowner FROM pg_catalog.pg_subscription WHERE subname = %s AND subdbid = "
        "(SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())",
        (subscription,),
    )


def run_as_owner(subscription: str) -> Statement:
    """Return ALTER SUBSCRIPTION ... SET (run_as_owner = true); its worker starts anew by itself.

    Source: https://www.postgresql.org/docs/current/sql-createsubscription.html
    """
    return Statement(
        compose("ALTER SUBSCRIPTION {name} SET (run_as_owner = true)", name=subscription)
    )


def of_tables(
    tables: Iterable[ApplyRights], names: Collection[tuple[str, str]]
) -> list[ApplyRights]:
    """Return those of the tables that are named, by schema and name."""
    return [each for each in tables if (each.schema, each.name) in names]
