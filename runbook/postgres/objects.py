"""What applications need of a server beside their rows: roles, grants, and code, as items.

Two servers of different versions are compared, so an item is what the catalogs hold, and text that
a server prints only where there is no other way (`exact` is false then). No item holds a password,
nor what one is checked against: a digest of the latter stands for it, in memory.

Sources: https://www.postgresql.org/docs/current/catalogs.html, .../ddl-priv.html
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from runbook.postgres import schema
from runbook.postgres.catalog import INTERNAL_ROLES
from runbook.postgres.queries import fetch, fetch_values, one_value, says

Key = tuple[str, tuple[str, ...]]
"""Kind and names."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of a server or of a database."""

    kind: str
    """Of a server: role, membership, setting, password, limit. Of both: owner, grant. Else of a
    database: default, routine, view, index, trigger, policy, ... as `database_objects.sql` has
    them."""
    names: tuple[str, ...]
    """What tells it from others of its kind, unquoted. An empty role is PUBLIC or all roles."""
    made: dict[str, Any]
    exact: bool
    """Whether two servers of different versions would say the same of the same thing."""

    @property
    def key(self) -> Key:
        """Return by what it is found on the other side."""
        return self.kind, self.names


@dataclass(frozen=True, slots=True)
class ServerItems:
    """The items of a whole server."""

    items: tuple[Item, ...]
    passwords: bool
    """Whether passwords are among them: who may not read pg_authid cannot tell (Aurora)."""


def digest(made: dict[str, Any] | None) -> str:
    """Return what tells one making of an item from another; empty where there is none."""
    if made is None:
        return ""
    text = json.dumps(made, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def of_server(connection: AsyncConnection, *, common: int) -> ServerItems:
    """Return roles, memberships, settings, and what databases and parameters were granted.

    `common` is the older major of the two servers that are compared.
    """
    params = {"internal": list(INTERNAL_ROLES), "common": common}
    rows = await fetch(connection, dict[str, Any], "server_objects", params)
    readable = await says(
        connection, "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT')"
    )
    if readable:
        rows += await fetch(connection, dict[str, Any], "password_digests", params)
    return ServerItems(tuple(map(_item, rows)), readable)


async def of_database(connection: AsyncConnection, *, common: int) -> list[Item]:
    """Return owners, grants and code of this database."""
    params = {"internal": list(INTERNAL_ROLES), "common": common}
    async with connection.transaction():
        # Words that only one of the two versions knows as keywords are then quoted by both.
        await connection.execute("SET LOCAL quote_all_identifiers = on")
        rows = await fetch(connection, dict[str, Any], "database_objects", params)
    return [_item(row) for row in rows]


async def stamp(connection: AsyncConnection) -> str:
    """Return what changes whenever `of_database` may, at the cost of one scan of the catalogs."""
    (found,) = await fetch_values(connection, "objects_stamp")
    return f"{await schema.stamp(connection)}; {found}"


async def verifier(connection: AsyncConnection, role: str) -> str | None:
    """Return what a role's password is checked against, to be kept in memory alone, or None."""
    found: str | None = await one_value(
        connection, "SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = %s", (role,)
    )
    return found


def _item(row: dict[str, Any]) -> Item:
    return Item(**{**row, "names": tuple(row["names"])})
