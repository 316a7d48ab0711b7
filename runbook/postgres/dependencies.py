"""Functions and views in an order in which they can be made: each after what it rests on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from psycopg import AsyncConnection

from runbook.postgres.objects import Key
from runbook.postgres.queries import fetch

Rests = Mapping[Key, Collection[Key]]
"""By a function or a view: what it rests on. A table or a type stands under its owner's key."""


@dataclass(frozen=True, slots=True)
class _Row:
    kind: str
    names: list[str]
    on_kind: str
    on_names: list[str]


async def rests_on(connection: AsyncConnection) -> dict[Key, list[Key]]:
    """Return what each function and view of this database rests on, sorted."""
    async with connection.transaction():
        # As `objects.of_database` names them.
        await connection.execute("SET LOCAL quote_all_identifiers = on")
        rows = await fetch(connection, _Row, "code_rests_on")
    found: dict[Key, list[Key]] = {}
    for row in rows:
        of = found.setdefault((row.kind, tuple(row.names)), [])
        of.append((row.on_kind, tuple(row.on_names)))
    return {key: sorted(of) for key, of in found.items()}


def below(key: Key, rests: Rests) -> list[Key]:
    """Return everything that one rests on, and itself at the end: each after what it rests on."""
    return _walked([key], rests)


def in_order(keys: Iterable[Key], rests: Rests) -> list[Key]:
    """Return the keys, each after those that it rests on; otherwise as they come."""
    wanted = list(keys)
    return [key for key in _walked(wanted, rests) if key in wanted]


def _walked(keys: Iterable[Key], rests: Rests) -> list[Key]:
    seen: set[Key] = set()
    done: list[Key] = []
    waiting = [(key, False) for key in keys][::-1]
    while waiting:
        key, entered = waiting.pop()
        if entered:
            done.append(key)
        elif key not in seen:
            # Those that rest on each other in a circle stand as they are come upon.
            seen.add(key)
            waiting.append((key, True))
            waiting += [(each, False) for each in rests.get(key, ())][::-1]
    return done
