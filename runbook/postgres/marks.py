"""Marks on a frozen cluster, by which it is later seen whether anything has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from psycopg import AsyncConnection


@dataclass(frozen=True, slots=True)
class DatabaseMarks:
    """The marks of one database."""

    counters: Mapping[str, tuple[int, int, int]]
    """Rows inserted, updated, deleted since the statistics began, by quoted table name."""
    stats_reset: datetime | None
    sequences: str
    """A digest of every sequence's state."""
    large_objects: int


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of a cluster at one time."""

    at: datetime
    system_identifier: int
    postmaster_started: datetime
    next_xid: int
    databases: Mapping[str, DatabaseMarks]

    def as_json(self) -> dict[str, Any]:
        """Return the marks as plain JSON values, fit for a journal."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the marks that `as_json` gave."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class MarkVerdict:
    """Whether a cluster is as it was. None: it cannot be told, and `changed` says why."""

    same: bool | None
    changed: tuple[str, ...]
    """Database, table and counts of what changed."""
    proof: str
    """What the answer rests on."""


async def take(connections: Mapping[str, AsyncConnection]) -> Marks:
    """Take the marks through one connection to each database; works on a hot standby."""
    raise NotImplementedError


def compare(before: Marks, after: Marks) -> MarkVerdict:
    """Return whether the cluster has changed between two takings."""
    raise NotImplementedError
