"""The audit of a lab: every call that changed something, in the order in which it was performed.

It is what CloudTrail is on AWS, less the calls that were refused: a test, or a person, reads from
it whether anything was done twice.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

KEPT_REQUESTS = 50_000
"""So many of the latest requests are kept: those of some hours."""

_READS = ("Describe", "Download", "Get", "List", "Test")

_NAMES = (
    "BlueGreenDeploymentName",
    "BlueGreenDeploymentIdentifier",
    "DBClusterSnapshotIdentifier",
    "DBInstanceIdentifier",
    "DBClusterIdentifier",
    "TargetDBClusterParameterGroupIdentifier",
    "DBClusterParameterGroupName",
    "DBParameterGroupName",
    "ResourceName",
)
"""The parameters that say whom a call means, the most telling first."""

_NEW_NAMES = ("NewDBClusterIdentifier", "NewDBInstanceIdentifier")

_RECORD_SETS = re.compile(r"/2013-04-01/hostedzone/([^/]+)/rrset/?$")


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was performed."""

    at: float
    """When its effect was there, in seconds since the epoch."""
    action: str
    target: str
    """Whom it means; `OLD -> NEW` for a rename."""
    lost: bool
    """Its caller was left without an answer, by an ordered fault."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One request to RDS, whatever its answer: each counts against the account's rate."""

    at: float
    """When it came in, in seconds since the epoch."""
    action: str


class Audit:
    """The changing calls of one lab, and every request to RDS, kept in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._sent: deque[Sent] = deque(maxlen=KEPT_REQUESTS)

    def came_in(self, action: str) -> None:
        """Note a request to RDS before it is answered, or refused, or lost."""
        with self._lock:
            self._sent.append(Sent(time.time(), action))

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests that came in, oldest first."""
        with self._lock:
            return [asdict(each) for each in self._sent]

    def record(self, action: str, target: str, *, lost: bool) -> None:
        """Note a call that was performed; one that only reads is passed over."""
        if not action or action.startswith(_READS):
            return
        with self._lock:
            self._calls.append(Call(time.time(), action, target, lost))

    def calls(self) -> list[dict[str, Any]]:
        """Return what was performed, oldest first."""
        with self._lock:
            return [asdict(call) for call in self._calls]


def target(params: Mapping[str, Any]) -> str:
    """Return whom a call means, from its parameters as they came over the wire."""
    name = next((str(params[key]) for key in _NAMES if params.get(key)), "")
    new = next((str(params[key]) for key in _NEW_NAMES if params.get(key)), "")
    return f"{name} -> {new}" if new else name


def changed_zone(method: str, path: str) -> str | None:
    """Return the hosted zone that a request to Route 53 changes, or None."""
    found = _RECORD_SETS.search(path)
    return found[1] if found and method == "POST" else None
