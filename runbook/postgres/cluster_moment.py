"""A moment of a whole cluster, by which two looks at it are ordered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ClusterMoment:
    """The row of `fence_cluster.sql`.

    Source: https://www.postgresql.org/docs/current/functions-info.html
    """

    at: datetime
    system_identifier: int
    postmaster_started: datetime
    next_xid: int
    running: Sequence[int] = ()
    """The ids below `next_xid` that have not ended, prepared ones among them. With `next_xid` they
    stand still as long as no transaction that wrote has ended."""
