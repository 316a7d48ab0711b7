"""Faults that a rehearsal may order: small, but real.

Faults of AWS (`rehearsal.aws.faults`) mostly wait for their moment: the next call of an action, the
next clone. Faults of the world happen at once, to a cluster by its name: its server dies, its link
drops, somebody runs DDL or writes.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql

from rehearsal.aws import faults as aws
from rehearsal.aws.control import Control
from rehearsal.aws.faults import FaultError
from rehearsal.aws.resource_faults import writing_session
from rehearsal.faults.server_faults import KINDS as SERVER_KINDS
from rehearsal.faults.server_faults import ServerFaults, named_cluster

__all__ = ["KINDS", "FaultError", "Faults"]

KILL_SERVER = "kill-server"
START_SERVER = "start-server"
DROP_LINK = "drop-link"
RESTORE_LINK = "restore-link"
DDL = "ddl"
STRAY_WRITE = "stray-write"

_STRAY_ROW = sql.SQL("INSERT INTO public.customer (name) VALUES ('stray')")


KINDS = {
    **aws.KINDS,
    KILL_SERVER: "CLUSTER let its server die as by kill -9",
    START_SERVER: "CLUSTER start its server again",
    DROP_LINK: "CLUSTER cut its endpoint's connections and refuse new ones",
    RESTORE_LINK: "CLUSTER let its endpoint work again",
    DDL: "CLUSTER [DATABASE] create a table",
    STRAY_WRITE: "CLUSTER [DATABASE] insert a row",
    **SERVER_KINDS,
}
"""Every fault, with its arguments and what it does."""


class Faults:
    """The faults that were ordered from one lab."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._servers = ServerFaults(control)
        self._aws = aws.AwsFaults(control)
        self._at_once: dict[str, Callable[[str, str | None], object]] = {
            KILL_SERVER: lambda cluster, _: control.fleet.kill(self._volume(cluster)),
            START_SERVER: lambda cluster, _: control.fleet.start(self._volume(cluster)),
            DROP_LINK: lambda cluster, _: self._drop_link(cluster),
            RESTORE_LINK: lambda cluster, _: control.route(named_cluster(control, cluster)),
            DDL: self._ddl,
            STRAY_WRITE: self._stray_write,
        }

    def order(self, kind: str, *arguments: str) -> None:
        """Order a fault; raise `FaultError` for what makes no sense.

        Faults of the world take a cluster and, where it matters, a database.
        """
        if kind not in KINDS:
            raise FaultError(f"There is no fault {kind!r}; there are {', '.join(KINDS)}.")
        try:
            if kind in aws.KINDS:
                self._aws.order(kind, *arguments)
            elif kind in SERVER_KINDS:
                self._servers.order(kind, arguments)
            else:
                self._strike(kind, *arguments)
        except psycopg.Error as error:
            raise FaultError(f"The server refused: {error}") from error

    def _strike(self, kind: str, *arguments: str) -> None:
        if len(arguments) > 2:
            raise FaultError(f"Too many words for the fault {kind}: {KINDS[kind]}")
        if not arguments:
            raise FaultError(f"The fault {kind} needs the name of a cluster.")
        cluster, database = (*arguments, None)[:2]
        assert cluster is not None
        self._at_once[kind](cluster, database)

    def waiting(self) -> list[dict[str, Any]]:
        """Return the faults that still wait for their moment."""
        return self._control.orders.waiting() + self._servers.waiting()

    def _volume(self, cluster: str) -> str:
        return named_cluster(self._control, cluster).resource_id

    def _drop_link(self, name: str) -> None:
        """Cut the connections of a cluster's endpoint and refuse new ones until it is restored."""
        endpoint = f"cluster:{named_cluster(self._control, name).identifier}"
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
        with writing_session(self._control, volume, database) as connection:
            connection.execute(statement)
