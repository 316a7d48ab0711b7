"""Faults of the servers and of the way to them: lost connections, restarts, full disks, lost slots.

A cluster is meant by its name as it is now; what it does not say is found out from its server.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import Connection

from rehearsal.aws.control import Control
from rehearsal.aws.errors import RdsFault
from rehearsal.aws.faults import FaultError
from rehearsal.aws.late_certificates import TRAIL_CERTIFICATE
from rehearsal.aws.models import Cluster
from rehearsal.aws.resource_faults import writing_session
from rehearsal.servers.connection_cutter import ConnectionCut, Moment
from rehearsal.servers.ground import ServerError

RESTART_SERVER = "restart-server"
LOSE_CONNECTION = "lose-connection"
SPARE_CONNECTIONS = "spare-connections"
STALE_ENDPOINT = "stale-endpoint"
MISLEAD_ENDPOINT = "mislead-endpoint"
FRESH_ENDPOINT = "fresh-endpoint"
RENEW_CERTIFICATE = "renew-certificate"
SHUT_OUT = "shut-out"
LET_IN = "let-in"
LOSE_NAME = "lose-name"
FIND_NAME = "find-name"
FILL_DISK = "fill-disk"
FREE_DISK = "free-disk"
DROP_SLOT = "drop-slot"
LOSE_SLOT = "lose-slot"
AS_RDSADMIN = "as-rdsadmin"

KINDS = {
    RESTART_SERVER: "CLUSTER restart its server: sessions end with 57P01",
    LOSE_CONNECTION: (
        "CLUSTER|* before|during|after [TEXT [DATABASE [SKIP]]] lose a connection of blueprime's "
        "once, at a message with this text: before it arrives, under it, or after its effect"
    ),
    SPARE_CONNECTIONS: "[TEXT [DATABASE]] forget the lost connections that still wait",
    STALE_ENDPOINT: "CLUSTER [SECONDS] let its name lead where it does, so long after a change",
    MISLEAD_ENDPOINT: "CLUSTER OTHER let its name lead to another cluster's server",
    FRESH_ENDPOINT: "CLUSTER let its name lead to whom it belongs",
    SHUT_OUT: (
        "CLUSTER blueprime|subscribers cut the way to it from blueprime, or from the clusters that "
        "are fed from it, and from nobody else"
    ),
    LET_IN: "CLUSTER let everybody reach it again",
    TRAIL_CERTIFICATE: (
        "NAME [SECONDS] let the certificate of the next cluster that takes this name follow so "
        "long after, or only once its server was stopped and started"
    ),
    RENEW_CERTIFICATE: "CLUSTER let its server's certificate follow its names",
    LOSE_NAME: "CLUSTER let AWS answer with an endpoint that does not resolve",
    FIND_NAME: "CLUSTER let its endpoint resolve again",
    FILL_DISK: "CLUSTER [MB] let no file of its server grow beyond so much (16)",
    FREE_DISK: "CLUSTER let the files of its server grow again",
    DROP_SLOT: "CLUSTER [SLOT] end its user and drop a logical slot",
    LOSE_SLOT: "CLUSTER [SLOT] let a logical slot be lost by max_slot_wal_keep_size",
    AS_RDSADMIN: "CLUSTER DATABASE SQL run it as AWS's own superuser: take a right away, say",
}
"""Every fault of the servers, with its arguments and what it does."""

APPLICATION = "blueprime"
"""The `application_name` of whom connections are lost: the lab's workload goes by another."""

_BEGINS = {
    "blueprime": f"\0application_name\0{APPLICATION}\0".encode(),
    "subscribers": f"\0application_name\0{APPLICATION}_".encode(),
}
"""How the connections of each begin: an apply worker goes by its subscription's name."""

DISK_MB = 16
"""WAL goes on: its files are this large from the start."""

WITHIN_S = 30.0


def named_cluster(control: Control, name: str) -> Cluster:
    """Return the cluster that bears a name; raise `FaultError` where none does."""
    try:
        return control.cluster(name)
    except RdsFault as missing:
        raise FaultError(missing.message) from missing


class ServerFaults:
    """The faults of one lab's servers."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._kinds: dict[str, Callable[..., None]] = {
            RESTART_SERVER: self._restart,
            LOSE_CONNECTION: self._lose_connection,
            SPARE_CONNECTIONS: self._spare,
            STALE_ENDPOINT: self._stale,
            MISLEAD_ENDPOINT: self._mislead,
            FRESH_ENDPOINT: lambda name: control.endpoints.follow(f"cluster:{name}"),
            SHUT_OUT: lambda name, who: self._shut_out(name, _BEGINS[who]),
            LET_IN: lambda name: self._shut_out(name, b""),
            LOSE_NAME: self._lose_name,
            FIND_NAME: self._find_name,
            TRAIL_CERTIFICATE: self._trail_certificate,
            RENEW_CERTIFICATE: lambda name: control.endpoints.renew(self._volume(name)),
            FILL_DISK: self._fill_disk,
            FREE_DISK: lambda name: control.fleet.limit_files(self._volume(name), None),
            DROP_SLOT: self._drop_slot,
            LOSE_SLOT: self._lose_slot,
            AS_RDSADMIN: self._as_rdsadmin,
        }

    def order(self, kind: str, arguments: Sequence[str]) -> None:
        """Order a fault of `KINDS`; raise `FaultError` for what makes no sense."""
        try:
            self._kinds[kind](*arguments)
        except (psycopg.Error, ServerError) as error:
            raise FaultError(f"The server refused: {error}") from error
        except (TypeError, ValueError, KeyError) as error:
            raise FaultError(f"The fault {kind} takes {KINDS[kind]}") from error

    def waiting(self) -> list[dict[str, Any]]:
        """Return the lost connections that still wait for their message."""
        return [cut.shape() for cut in self._control.endpoints.ordered()]

    def _volume(self, name: str) -> str:
        return named_cluster(self._control, name).resource_id

    def _restart(self, name: str) -> None:
        self._control.fleet.restart(self._volume(name))

    def _lose_connection(
        self, name: str, moment: str, text: str = "", database: str = "", skip: str = "0"
    ) -> None:
        self._control.endpoints.order(
            ConnectionCut(
                Moment(moment),
                text,
                skip=int(skip),
                volume=None if name == "*" else self._volume(name),
                database=database or None,
                application=APPLICATION,
            )
        )

    def _spare(self, text: str = "", database: str = "") -> None:
        self._control.endpoints.spare(text, database or None)

    def _stale(self, name: str, seconds: str = "") -> None:
        self._volume(name)
        self._control.endpoints.hold(f"cluster:{name}", float(seconds) if seconds else None)

    def _lose_name(self, name: str) -> None:
        self._control.unresolved.add(self._volume(name))
        # Whoever has a fixed address for every name of the lab gets no further than the others.
        self._control.endpoints.close(f"cluster:{name}")

    def _find_name(self, name: str) -> None:
        self._control.unresolved.discard(self._volume(name))
        self._control.endpoints.open(f"cluster:{name}")

    def _trail_certificate(self, name: str, seconds: str = "") -> None:
        value = str(float(seconds)) if seconds else None
        self._control.orders.place(TRAIL_CERTIFICATE, name, value=value)

    def _mislead(self, name: str, other: str) -> None:
        self._volume(name)
        self._control.endpoints.hold(f"cluster:{name}", None, self._volume(other))

    def _shut_out(self, name: str, start: bytes) -> None:
        self._volume(name)
        self._control.endpoints.shut_out(f"cluster:{name}", start)

    def _fill_disk(self, name: str, megabytes: str = str(DISK_MB)) -> None:
        self._control.fleet.limit_files(self._volume(name), int(megabytes) << 20)

    def _connect(self, name: str) -> Connection[tuple[Any, ...]]:
        return writing_session(self._control, self._volume(name))

    def _as_rdsadmin(self, name: str, database: str, statement: str) -> None:
        with writing_session(self._control, self._volume(name), database) as connection:
            connection.execute(statement.encode())

    def _drop_slot(self, name: str, slot: str = "") -> None:
        with self._connect(name) as connection:
            slot = slot or _first_slot(connection)

            def dropped() -> bool:
                connection.execute(
                    "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
                    " WHERE slot_name = %s AND active_pid IS NOT NULL",
                    (slot,),
                )
                # Its subscriber may have come back in between.
                with suppress(psycopg.errors.ObjectInUse):
                    connection.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
                    return True
                return False

            _until(dropped, f"the slot {slot} stayed in use")

    def _lose_slot(self, name: str, slot: str = "") -> None:
        """Write more WAL than the server may keep for a slot whose sender stands still."""
        with self._connect(name) as connection:
            slot = slot or _first_slot(connection)
            connection.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
            connection.execute("SELECT pg_reload_conf()")
            try:
                _until(lambda: self._outrun(connection, slot), f"the slot {slot} was not lost")
            finally:
                connection.execute("ALTER SYSTEM RESET max_slot_wal_keep_size")
                connection.execute("SELECT pg_reload_conf()")

    def _outrun(self, connection: Connection[tuple[Any, ...]], slot: str) -> bool:
        found = connection.execute(
            "SELECT active_pid, wal_status FROM pg_replication_slots WHERE slot_name = %s", (slot,)
        ).fetchone()
        if found is None:
            raise FaultError(f"There is no slot {slot}.")
        sender, status = found
        if status == "lost":
            return True
        with _standing_still(sender):
            for _ in range(3):
                connection.execute("SELECT pg_logical_emit_message(false, 'lab', repeat('x', 999))")
                connection.execute("SELECT pg_switch_wal()")
        connection.execute("CHECKPOINT")
        return False


@contextmanager
def _standing_still(pid: int | None) -> Iterator[None]:
    """Stop a process, if there is one, and let it go on."""
    _send(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        _send(pid, signal.SIGCONT)


def _send(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _first_slot(connection: Connection[tuple[Any, ...]]) -> str:
    found = connection.execute(
        "SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'logical' ORDER BY slot_name"
    ).fetchone()
    if found is None:
        raise FaultError("There is no logical slot.")
    return str(found[0])


def _until(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            raise ServerError(f"{otherwise} for {WITHIN_S:g} s.")
