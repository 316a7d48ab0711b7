"""Eventual consistency: the describes answer from a copy that is some seconds behind.

What was just created is not found, what was renamed bears its old name, what was deleted is still
listed, and a switchover that has begun still says AVAILABLE.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import deque
from contextlib import AbstractContextManager
from typing import Any, Generic, Protocol, TypeVar

from rehearsal.aws.pace import Pace, Stopped

_EVERY_S = 0.05


class Records(Protocol):
    """What is copied of a control plane, under its lock."""

    pace: Pace
    clusters: list[Any]
    deployments: list[Any]
    snapshots: list[Any]
    groups: list[Any]

    @property
    def lock(self) -> AbstractContextManager[bool]:
        """Held while the records are changed or copied."""


C = TypeVar("C", bound=Records)


class StaleReads(Generic[C]):
    """The copies of one control plane's records, taken while the describes are to trail it."""

    def __init__(self, control: C) -> None:
        self._control = control
        self._lock = threading.Lock()
        self._behind_s = 0.0
        self._copies: deque[tuple[float, C]] = deque()

    def set(self, seconds: float) -> None:
        """Let the describes be `seconds` behind from now on; 0 ends it."""
        with self._lock:
            running = self._behind_s > 0
            self._behind_s = seconds
            if not seconds:
                self._copies.clear()
                return
        if not running:
            self._take_copy()
            threading.Thread(target=self._keep_copying, name="trail", daemon=True).start()

    def view(self) -> C:
        """Return the control plane as the describes see it now."""
        with self._lock:
            if not self._copies:
                return self._control
            latest = time.monotonic() - self._behind_s
            while len(self._copies) > 1 and self._copies[1][0] <= latest:
                self._copies.popleft()
            return self._copies[0][1]

    def _keep_copying(self) -> None:
        try:
            while self._behind_s:
                self._control.pace.wait(_EVERY_S)
                self._take_copy()
        except Stopped:
            return

    def _take_copy(self) -> None:
        control = self._control
        with control.lock:
            at = time.monotonic()
            taken = copy.copy(control)
            taken.clusters, taken.deployments, taken.snapshots, taken.groups = copy.deepcopy(
                (control.clusters, control.deployments, control.snapshots, control.groups)
            )
        with self._lock:
            if self._behind_s:
                self._copies.append((at, taken))
