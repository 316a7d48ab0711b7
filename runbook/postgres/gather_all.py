"""Work that goes on side by side, on connections that outlive it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from psycopg import AsyncConnection

T = TypeVar("T")
K = TypeVar("K")


async def together(*work: Awaitable[T]) -> list[T]:
    """Let all come to their ends, then return their results or raise the first error.

    `asyncio.gather` raises at once and leaves the others running: whoever cleans up then closes
    connections under a query in flight, which reads memory that libpq has freed.
    """
    results = await asyncio.gather(*work, return_exceptions=True)
    done: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done


async def for_each(keys: Iterable[K], work: Callable[[K], Awaitable[T]]) -> dict[K, T]:
    """Let the work for each of some keys come to its end, as `together` does; return all by key."""
    listed = list(keys)
    return dict(zip(listed, await together(*map(work, listed)), strict=True))


def of_the_cluster(connections: Mapping[str, AsyncConnection]) -> AsyncConnection:
    """Return the one of a cluster's connections by which to read what its databases share.

    Through one in LATIN1, names of roles and databases beyond ASCII would not be those that every
    other connection reads.
    """
    return min(connections.values(), key=lambda each: each.info.encoding != "utf-8")
