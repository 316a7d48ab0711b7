"""Whom a server lets in: who is inside, who may come in, and where they could write."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from runbook.postgres.catalog import INTERNAL_ROLES
from runbook.postgres.fence_sql import ClientSession, client_sessions
from runbook.postgres.queries import fetch_one


@dataclass(frozen=True, slots=True)
class Admission:
    """One look at a whole server, through one database."""

    in_recovery: bool
    able: Sequence[str]
    """Roles of clients that may log in."""
    writable: Sequence[str]
    """Databases that do not begin sessions read-only; none in recovery."""
    sessions: tuple[ClientSession, ...]
    """Sessions of those roles' kind; never blueprime's own."""

    @property
    def open(self) -> bool:
        """Whether a client that finds the server could write there."""
        return bool(self.able and self.writable)

    @property
    def inside(self) -> tuple[ClientSession, ...]:
        """The sessions in databases that could be written."""
        return tuple(each for each in self.sessions if each.database in self.writable)


async def look(connection: AsyncConnection, roles: Collection[str]) -> Admission:
    """Return whom the server lets in. `roles`: those of the applications; empty: any client's.

    Source: https://www.postgresql.org/docs/current/catalog-pg-db-role-setting.html
    """
    names = list(roles) or None
    params = {"internal": list(INTERNAL_ROLES), "roles": names}
    found = await fetch_one(connection, dict[str, Any], "admission", params)
    return Admission(**found, sessions=tuple(await client_sessions(connection, names)))
