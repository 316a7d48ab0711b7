"""Reads the `.sql` files beside it, and their answers into dataclasses."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, LiteralString, TypeVar

from psycopg import AsyncConnection
from psycopg.abc import Params
from psycopg.rows import class_row, scalar_row
from psycopg.sql import SQL, Composed

T = TypeVar("T")
Query = LiteralString | bytes | SQL | Composed

_MARK = re.compile(r"--\s*(since|before) (\d+)\s*$")


@cache
def load(name: str, server_version: int) -> str:
    """Return `sql/<name>.sql` as a server of a version understands it.

    `server_version` is as in `server_version_num`. A line that ends in `-- since 15` is kept from
    that major version on, one that ends in `-- before 15` is kept below it.
    """
    text = files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    major = server_version // 10000
    lines = []
    for line in text.splitlines():
        mark = _MARK.search(line)
        if mark and (major >= int(mark[2])) != (mark[1] == "since"):
            continue
        lines.append(_MARK.sub("", line).rstrip() if mark else line)
    return "\n".join(lines)


async def fetch(
    connection: AsyncConnection,
    kind: type[T],
    name: str,
    params: Sequence[Any] | Mapping[str, Any] | None = None,
) -> list[T]:
    """Run `sql/<name>.sql` and return its rows, each column a field of the dataclass `kind`."""
    query = load(name, connection.info.server_version)
    async with connection.cursor(row_factory=class_row(kind)) as cursor:
        await cursor.execute(query, params)
        return await cursor.fetchall()


def rows_of(
    kind: type[T], name: str, params: Sequence[Any] | Mapping[str, Any] | None = None
) -> Callable[[AsyncConnection], Awaitable[list[T]]]:
    """Return what asks a connection by `sql/<name>.sql`, and returns the rows as `fetch` does."""

    async def rows(connection: AsyncConnection) -> list[T]:
        return await fetch(connection, kind, name, params)

    return rows


async def fetch_one(
    connection: AsyncConnection,
    kind: type[T],
    name: str,
    params: Sequence[Any] | Mapping[str, Any] | None = None,
) -> T:
    """Run `sql/<name>.sql`, which always answers with exactly one row, and return it."""
    (row,) = await fetch(connection, kind, name, params)
    return row


async def one_value(connection: AsyncConnection, query: Query, params: Params | None = None) -> Any:
    """Run a query and return the first column of its first row, or None where it has no row."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(query, params)
        return await cursor.fetchone()


async def says(connection: AsyncConnection, query: Query, params: Params | None = None) -> bool:
    """Return whether the first column of the first row is true."""
    return await one_value(connection, query, params) is True


async def number(connection: AsyncConnection, query: Query, params: Params | None = None) -> int:
    """Return the number in the first column of the first row, which is always there."""
    return int(await one_value(connection, query, params))


async def fetch_values(
    connection: AsyncConnection,
    name: str,
    params: Sequence[Any] | Mapping[str, Any] | None = None,
) -> list[Any]:
    """Run `sql/<name>.sql` and return its only column."""
    query = load(name, connection.info.server_version)
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(query, params)
        return await cursor.fetchall()


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into pieces of at most `size`."""
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]
