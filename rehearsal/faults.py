"""Faults that a rehearsal may order: small, but real.

Faults of the API wait for their call: the next calls of an action are throttled, answered with an
error, or performed and left without an answer. Faults of the world happen at once, to a cluster by
its name: its server dies, its link drops, somebody runs DDL or writes.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from rehearsal.aws.control import Control
from rehearsal.aws.errors import RdsFault
from rehearsal.aws.models import Cluster
from rehearsal.aws.responses import Answer, error_xml

THROTTLE = "throttle"
SERVER_ERROR = "server-error"
LOSE_RESPONSE = "lose-response"
FAIL_SWITCHOVER = "fail-switchover"
KILL_SERVER = "kill-server"
START_SERVER = "start-server"
DROP_LINK = "drop-link"
RESTORE_LINK = "restore-link"
DDL = "ddl"
STRAY_WRITE = "stray-write"

_STRAY_ROW = sql.SQL("INSERT INTO public.customer (name) VALUES ('stray')")


KINDS = {
    THROTTLE: "[ACTION [COUNT]] answer the next calls with Throttling",
    SERVER_ERROR: "[ACTION [COUNT]] answer the next calls with ServiceUnavailable",
    LOSE_RESPONSE: "[ACTION [COUNT]] perform the next calls, then close the connection",
    FAIL_SWITCHOVER: "cancel the next switchover while writes are stopped",
    KILL_SERVER: "CLUSTER let its server die as by kill -9",
    START_SERVER: "CLUSTER start its server again",
    DROP_LINK: "CLUSTER cut its endpoint's connections and refuse new ones",
    RESTORE_LINK: "CLUSTER let its endpoint work again",
    DDL: "CLUSTER [DATABASE] create a table",
    STRAY_WRITE: "CLUSTER [DATABASE] insert a row",
}
"""Every fault, with its arguments and what it does."""


class FaultError(Exception):
    """A fault that cannot be ordered as asked."""


class LostResponse(ConnectionError):
    """The call took effect and its connection closes without an answer."""


def _count(word: str | None) -> int:
    if word is None:
        return 1
    if not word.isdigit() or word == "0":
        raise FaultError(f"A fault strikes once or more often, not {word} times.")
    return int(word)


@dataclass
class _Waiting:
    """A fault of the API that waits for its calls; `action` None means any."""

    kind: str
    action: str | None
    left: int

    def shape(self) -> dict[str, Any]:
        return {"kind": self.kind, "action": self.action, "left": self.left}


class Faults:
    """The faults that were ordered from one lab."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        control.switchover_fault = self._fails_switchover
        self._at_once: dict[str, Callable[[str, str | None], object]] = {
            KILL_SERVER: lambda cluster, _: control.fleet.kill(self._volume(cluster)),
            START_SERVER: lambda cluster, _: control.fleet.start(self._volume(cluster)),
            DROP_LINK: lambda cluster, _: self._drop_link(cluster),
            RESTORE_LINK: lambda cluster, _: control.route(self._cluster(cluster)),
            DDL: self._ddl,
            STRAY_WRITE: self._stray_write,
        }

    def order(self, kind: str, *arguments: str) -> None:
        """Order a fault; raise `FaultError` for what makes no sense.

        Faults of the API take an action (none: any) and a count, those of the world a cluster and,
        where it matters, a database.
        """
        if kind not in KINDS:
            raise FaultError(f"There is no fault {kind!r}; there are {', '.join(KINDS)}.")
        if len(arguments) > 2:
            raise FaultError(f"Too many words for the fault {kind}: {KINDS[kind]}")
        first, second = (*arguments, None, None)[:2]
        strike = self._at_once.get(kind)
        if strike is None:
            with self._lock:
                self._waiting.append(_Waiting(kind, first, _count(second)))
        elif first is None:
            raise FaultError(f"The fault {kind} needs the name of a cluster.")
        else:
            try:
                strike(first, second)
            except psycopg.Error as error:
                raise FaultError(f"The server refused: {error}") from error

    def waiting(self) -> list[dict[str, Any]]:
        """Return the faults that still wait for their calls."""
        with self._lock:
            return [fault.shape() for fault in self._waiting]

    def before(self, action: str) -> Answer | None:
        """Return the answer that a fault gives instead of the call's own, if one waits."""
        if self._take(THROTTLE, action):
            return error_xml(400, "Throttling", "Rate exceeded")
        if self._take(SERVER_ERROR, action):
            return error_xml(503, "ServiceUnavailable", "Service is unavailable; try again later.")
        return None

    def loses_response(self, action: str) -> bool:
        """Tell whether the answer of a call that was performed is to be lost."""
        return self._take(LOSE_RESPONSE, action)

    def _fails_switchover(self, phase: str) -> str | None:
        """Fail in the middle: writes are stopped and everything must return."""
        if phase == "drain" and self._take(FAIL_SWITCHOVER, "SwitchoverBlueGreenDeployment"):
            return "an ordered fault of the rehearsal."
        return None

    def _take(self, kind: str, action: str) -> bool:
        with self._lock:
            for fault in self._waiting:
                if fault.kind == kind and fault.action in (None, action):
                    fault.left -= 1
                    if not fault.left:
                        self._waiting.remove(fault)
                    return True
        return False

    def _cluster(self, name: str) -> Cluster:
        try:
            return self._control.cluster(name)
        except RdsFault as missing:
            raise FaultError(missing.message) from missing

    def _volume(self, cluster: str) -> str:
        return self._cluster(cluster).resource_id

    def _drop_link(self, name: str) -> None:
        """Cut the connections of a cluster's endpoint and refuse new ones until it is restored."""
        endpoint = f"cluster:{self._cluster(name).identifier}"
        self._control.endpoints.route(endpoint, None)
        self._control.endpoints.drop(endpoint)

    def _ddl(self, cluster: str, database: str | None) -> None:
        name = f"surprise_{secrets.token_hex(4)}"
        self._execute(
            cluster,
            database,
            sql.SQL("CREATE TABLE public.{} (id bigint PRIMARY KEY)").format(sql.Identifier(name)),
        )

    def _stray_write(self, cluster: str, database: str | None) -> None:
        self._execute(cluster, database, _STRAY_ROW)

    def _execute(
        self, cluster: str, database: str | None, statement: sql.SQL | sql.Composed
    ) -> None:
        volume = self._volume(cluster)
        if database is None:
            names = [each for each in self._control.fleet.databases(volume) if each != "postgres"]
            database = names[0] if names else "postgres"
        with psycopg.connect(
            self._control.fleet.conninfo(volume, database),
            autocommit=True,
            options="-c default_transaction_read_only=off",
        ) as connection:
            connection.execute(statement)
