"""Checks that say something of each row of a query, in each database or of the whole server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from runbook.preflight.result import Result, passed, unknown
from runbook.preflight.survey import Query, Survey, Unreadable

T = TypeVar("T")


async def each(
    look: Survey, query: Query[list[T]], say: Callable[[str, T], Result | None], none: str
) -> AsyncIterator[Result]:
    """Yield a result for each row in each database, or one good result where there are none."""
    clear = True
    for database, found in (await look.databases(query)).items():
        if isinstance(found, Unreadable):
            clear = False
            yield unknown(database, found.error)
            continue
        for row in found:
            if (result := say(database, row)) is not None:
                clear = False
                yield result
    if clear:
        yield passed(look.plan.cluster.identifier, none)
