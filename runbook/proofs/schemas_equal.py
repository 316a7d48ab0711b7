"""Parts of a schema that two majors write differently, and that are the same: what is known of it.

Each is kept with both texts, under the fact `schema.alike`: as soon as one of them is another, the
pair says nothing any more. What the servers cannot prove, a person may take for the same by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psycopg import AsyncConnection
from pydantic import TypeAdapter

from runbook.base.context import RunContext
from runbook.postgres import schema
from runbook.postgres.schema import Key, Line
from state.records import Json

FACT = "schema.alike"

Pairs = Mapping[Key, tuple[Line, Line]]
"""What both sides have and do not write alike, on the publisher and on the subscriber."""


@dataclass(frozen=True, slots=True)
class Alike:
    """One part, and the two texts in which it is the same."""

    database: str
    kind: str
    names: tuple[str, ...]
    texts: tuple[str, str]
    """Sorted: which side serves changes, what is the same does not."""

    @classmethod
    def of(cls, database: str, pair: tuple[Line, Line]) -> Alike:
        """Return that a pair of lines is the same."""
        first, second = sorted(line.text for line in pair)
        return cls(database, pair[0].kind, tuple(pair[0].names), (first, second))


_LIST = TypeAdapter(list[Alike])


def kept(context: RunContext) -> list[Alike]:
    """Return what is known to be the same."""
    return _LIST.validate_python(context.fact(FACT) or [])


def with_more(context: RunContext, more: Iterable[Alike]) -> Json:
    """Return the value of the fact, with more of them."""
    return _LIST.dump_python([*dict.fromkeys([*kept(context), *more])], mode="json")


async def same(
    context: RunContext, database: str, connection: AsyncConnection, pairs: Pairs
) -> frozenset[Key]:
    """Return which pairs are the same: those known to be, and those that a server proves now.

    `connection` is to the side that serves nobody; see `schema.proved` for what is done there.
    """
    if not pairs:
        return frozenset()
    known = set(kept(context))
    told = frozenset(key for key, pair in pairs.items() if Alike.of(database, pair) in known)
    open_ = {key: pair for key, pair in pairs.items() if key not in told}
    return told | await schema.proved(connection, open_)
