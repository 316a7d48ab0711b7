"""What applications do on a cluster right now, in one query that asks one database only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection

from runbook.postgres.queries import fetch_one


@dataclass(frozen=True, slots=True)
class Activity:
    """One look at a whole server."""

    sessions: int
    """Client sessions of the named roles, in all databases."""
    rows_written: int
    """Rows inserted, updated and deleted in all databases since statistics began."""
    read_only: bool
    """Whether the server is in recovery or its default is read-only."""


async def look(connection: AsyncConnection, roles: Sequence[str]) -> Activity:
    """Return the sessions of the roles and the rows written so far."""
    return await fetch_one(connection, Activity, "activity", (list(roles),))
