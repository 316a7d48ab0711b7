"""Checks that say something of what a query finds in each database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

from runbook.preflight.check import Check, check
from runbook.preflight.result import Result, unknown
from runbook.preflight.survey import Query, Survey, Unreadable

T = TypeVar("T")


async def in_databases(
    look: Survey, query: Query[T], say: Callable[[str, T], Iterable[Result]]
) -> AsyncIterator[Result]:
    """Yield what there is to say of each database, or why nothing can be said of it."""
    for database, found in (await look.databases(query)).items():
        if isinstance(found, Unreadable):
            yield unknown(database, found.error)
        else:
            for result in say(database, found):
                yield result


def each(
    look: Survey, query: Query[list[T]], say: Callable[[str, T], Result | None]
) -> AsyncIterator[Result]:
    """Yield what there is to say of each row in each database."""

    def said(database: str, rows: list[T]) -> Iterable[Result]:
        return filter(None, (say(database, row) for row in rows))

    return in_databases(look, query, said)


def check_rows(
    key: str, query: Query[list[T]], *, none: str, why: str, waivable: bool = False
) -> Callable[[Callable[[str, T], Result | None]], Check]:
    """Make a check of a function that says something of a row in a database.

    `none` is what is said where no row of any database calls for it.
    """

    def decorate(say: Callable[[str, T], Result | None]) -> Check:
        def question(look: Survey) -> AsyncIterator[Result]:
            return each(look, query, say)

        question.__doc__ = say.__doc__
        return check(key, why=why, none=none, waivable=waivable)(question)

    return decorate
