"""Checks that say something of each row of a query, in each database or of the whole server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

from runbook.preflight.look import Look, Query, Unseen
from runbook.preflight.result import Result, passed, unknown

T = TypeVar("T")


async def each(
    look: Look, query: Query[list[T]], say: Callable[[str, T], Result | None], none: str
) -> AsyncIterator[Result]:
    """Yield a result for each row in each database, or one good result where there are none."""
    clear = True
    for database, found in (await look.databases(query)).items():
        if isinstance(found, Unseen):
            clear = False
            yield unknown(database, found.error)
            continue
        for row in found:
            if (result := say(database, row)) is not None:
                clear = False
                yield result
    if clear:
        yield passed(look.plan.cluster.identifier, none)


def some(names: Iterable[str], of: int = 5) -> str:
    """Return the first few names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - of} more" if len(every) > of else ""
    return ", ".join(every[:of]) + more
