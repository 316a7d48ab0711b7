"""What a database needs after a move: statistics, and materialized views that are fresh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from psycopg import AsyncConnection

Progress = Callable[[str, float], None]
"""Called with the object just done and the fraction of all work done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was worked on, and what the server refused, with its reason."""

    done: tuple[str, ...]
    skipped: tuple[str, ...]


async def analyze(connection: AsyncConnection, progress: Progress | None = None) -> Done:
    """ANALYZE every table of this database, the largest first."""
    raise NotImplementedError


async def refresh_materialized_views(
    connection: AsyncConnection, progress: Progress | None = None
) -> Done:
    """Refresh every populated materialized view, each after those it reads from."""
    raise NotImplementedError
