"""Checks that say something of what a query finds in each database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

from runbook.preflight.check import Check, check
from runbook.preflight.result import Result, passed, unknown
from runbook.preflight.survey import Query, Survey, Unreadable

T = TypeVar("T")


async def in_databases(
    look: Survey,
    query: Query[T],
    say: Callable[[str, T], Iterable[Result]],
    none: str,
    *,
    subject: str = "",
) -> AsyncIterator[Result]:
    """Yield what there is to say of each database, or one good result where there is nothing.

    That is about the cluster, or `subject`.
    """
    clear = True
    for database, found in (await look.databases(query)).items():
        if isinstance(found, Unreadable):
            results: Iterable[Result] = [unknown(database, found.error)]
        else:
            results = say(database, found)
        for result in results:
            clear = False
            yield result
    if clear:
        yield passed(subject or look.plan.cluster.identifier, none)


def each(
    look: Survey, query: Query[list[T]], say: Callable[[str, T], Result | None], none: str
) -> AsyncIterator[Result]:
    """Yield a result for each row in each database, or one good result where there are none."""

    def said(database: str, rows: list[T]) -> Iterable[Result]:
        return filter(None, (say(database, row) for row in rows))

    return in_databases(look, query, said, none)


def check_rows(
    key: str,
    query: Query[list[T]],
    *,
    none: str,
    why: str,
    waivable: bool = False,
) -> Callable[[Callable[[str, T], Result | None]], Check]:
    """Make a check of a function that says something of a row in a database.

    `none` is what is said where no row of any database calls for it.
    """

    def decorate(say: Callable[[str, T], Result | None]) -> Check:
        def question(look: Survey) -> AsyncIterator[Result]:
            return each(look, query, say, none)

        question.__doc__ = say.__doc__
        return check(key, why=why, waivable=waivable)(question)

    return decorate
