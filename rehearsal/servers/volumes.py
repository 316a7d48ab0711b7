"""Volumes and their servers.

A *volume* is known by its cluster's `DbClusterResourceId`, which no rename changes. It holds one
data folder and at most one server: the lab's stand-in for Aurora's shared storage with its writer.
Readers have no server of their own; their endpoints lead to the writer's.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psycopg

from rehearsal.servers.binaries import Binaries, Setting
from rehearsal.servers.ground import Ground, ServerError
from rehearsal.servers.relay import Admission
from rehearsal.servers.seed import Seed, plant, set_password
from rehearsal.servers.server import OWN_SETTINGS, Server

LOGICAL = "rds.logical_replication"
"""Aurora's static parameter in place of `wal_level`."""

FORCE_SSL = "rds.force_ssl"
"""Aurora's dynamic parameter: a session without TLS is refused."""

DIRECT_TLS_SINCE = 17
"""The first major version in which TLS may begin without being asked for."""

_RESOURCE_ID = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(slots=True)
class Volume:
    """A server with its data, worked on by one thread at a time."""

    server: Server
    lock: threading.RLock = field(default_factory=threading.RLock)


class Volumes:
    """The volumes of a lab."""

    def __init__(self, folder: Path, *, binaries: Binaries | None = None) -> None:
        """Take `folder` (made if missing) as home, ending servers an earlier lab left there."""
        self._ground = Ground(folder)
        self._binaries = binaries or Binaries()
        self._binaries.prepare(self._ground)
        self._volumes: dict[str, Volume] = {}
        self._guard = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop every server and remove every volume; nothing of the lab runs afterwards."""
        with self._guard:
            volumes = list(self._volumes.values())
        for volume in volumes:
            volume.server.stop("immediate")
        self._ground.close()

    def versions(self) -> Mapping[int, str]:
        """Return the engine versions on hand by major, e.g. `{16: "16.14", 18: "18.4"}`."""
        return self._binaries.versions()

    def server_settings(self, major: int) -> list[Setting]:
        """Return the settings of a major version that is on hand, else none."""
        if major not in self._binaries.versions():
            return []
        return self._binaries.find(str(major)).settings()

    def client(self, name: str) -> str | None:
        """Return the shell's command for a client program, of the newest version that has it."""
        return self._binaries.client(name)

    def create(
        self,
        resource_id: str,
        version: str,
        settings: Mapping[str, str],
        *,
        master_user: str,
        master_password: str,
        seed: Seed | None = None,
    ) -> None:
        """Make a volume with its databases and leave its server running, open for clients.

        `version` is `"16"` or `"16.14"`; a minor that is not on hand raises `ServerError`.
        """
        server = self._add(resource_id, self._new_server(resource_id, version))
        with self._removed_on_error(resource_id), self._locked(resource_id):
            server.configure("group", translated(settings))
            server.initdb()
            server.start()
            plant(server, master_user, master_password, seed or Seed())

    def destroy(self, resource_id: str) -> None:
        """Stop the server at once and remove its data. Unknown volumes are ignored."""
        with self._guard:
            volume = self._volumes.get(resource_id)
        if volume is None:
            return
        # Before the lock: whoever works on the server must find that it is gone.
        volume.server.stop("immediate")
        with volume.lock:
            volume.server.remove()
        with self._guard:
            self._volumes.pop(resource_id, None)

    def version(self, resource_id: str) -> str:
        """Return the engine version of the data, e.g. `16.14`."""
        return self._server(resource_id).version

    def log_size(self, resource_id: str) -> tuple[int, float]:
        """Return how long the server's log is, in bytes, and when it was last written to."""
        found = self._server(resource_id).log_file.stat()
        return found.st_size, found.st_mtime

    def log_tail(self, resource_id: str, most: int) -> str:
        """Return the end of the server's log, of at most so many bytes."""
        with self._server(resource_id).log_file.open("rb") as log:
            log.seek(max(log.seek(0, 2) - most, 0))
            return log.read().decode(errors="replace")

    def start(self, resource_id: str) -> int:
        """Start the server, if it is not running, and return its port."""
        with self._locked(resource_id) as (server,):
            return server.start()

    def stop(self, resource_id: str) -> None:
        """Stop the server; clients see 57P01."""
        with self._locked(resource_id) as (server,):
            server.stop()

    def restart(self, resource_id: str) -> int:
        """Restart the server, which applies static settings, and return its port."""
        self.stop(resource_id)
        return self.start(resource_id)

    def kill(self, resource_id: str) -> None:
        """Let the server die as by `kill -9`; the data survives and `start` recovers it."""
        self._server(resource_id).stop("kill")

    def running(self, resource_id: str) -> bool:
        """Return whether the server process lives."""
        return self._server(resource_id).alive()

    def port(self, resource_id: str) -> int | None:
        """Return the server's own port on 127.0.0.1, or None while it is not running.

        Ask again after each start: a port may change when somebody took it meanwhile.
        """
        server = self._server(resource_id)
        return server.port if server.alive() else None

    def admission(self, resource_id: str) -> Admission:
        """Return whom the server lets in as far as encryption goes; its endpoints see to it.

        https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Security.html
        """
        server = self._server(resource_id)
        return Admission(
            forced=is_on(server.layers["group"].get(FORCE_SSL, "")),
            spares_servers=not self._binaries.all_speak_tls(),
            direct=server.major >= DIRECT_TLS_SINCE,
        )

    @property
    def all_speak_tls(self) -> bool:
        """Whether every server can speak TLS to those that it subscribes to."""
        return self._binaries.all_speak_tls()

    def conninfo(self, resource_id: str, dbname: str = "postgres") -> str:
        """Return a libpq connection string of the lab's superuser `rdsadmin`; holds a secret."""
        return self._server(resource_id).conninfo(dbname)

    def databases(self, resource_id: str) -> list[str]:
        """Return the databases that accept clients (no template, not `rdsadmin`)."""
        return self._server(resource_id).databases()

    def apply_settings(self, resource_id: str, settings: Mapping[str, str]) -> None:
        """Replace the volume's settings and reload; some take effect with the next start.

        Settings are PostgreSQL's, plus `rds.*` names: `rds.logical_replication` governs
        `wal_level`, and every `rds.*` can be read with SHOW. What the lab's servers own or lack
        (ports, shared_buffers, shared_preload_libraries, ssl) is left out. An invalid value raises
        `ServerError` and the former settings stay.
        """
        with self._locked(resource_id) as (server,):
            if server.alive():
                server.hold(LOGICAL)
            server.replace_settings(translated(settings))

    def set_identity(
        self, resource_id: str, instance_identifier: str, readers: Sequence[str] = ()
    ) -> None:
        """Let `aurora_db_instance_identifier()` return this name in every session from now on.

        `aurora_replica_status()` names the readers beside it.
        """
        with self._locked(resource_id) as (server,):
            server.set_state(
                {
                    "lab.db_instance_identifier": instance_identifier,
                    "lab.readers": ",".join(readers),
                }
            )
            server.reload()

    def set_password(self, resource_id: str, role: str, password: str) -> None:
        """Set a role's password, as ModifyDBCluster does with MasterUserPassword."""
        with self._locked(resource_id) as (server,):
            set_password(server, role, password)

    def _server(self, resource_id: str) -> Server:
        with self._guard:
            return self._volumes[resource_id].server

    def _new_server(self, resource_id: str, version: str) -> Server:
        installation = self._binaries.find(version)
        data = self._ground.base / resource_id / f"data{installation.major}"
        return Server(self._ground, installation, data)

    def _add(self, resource_id: str, server: Server) -> Server:
        if not _RESOURCE_ID.fullmatch(resource_id):
            raise ValueError(f"{resource_id!r} is no resource id.")
        with self._guard:
            if resource_id in self._volumes:
                raise ServerError(f"There is a volume {resource_id} already.")
            self._volumes[resource_id] = Volume(server)
        return server

    @contextmanager
    def _removed_on_error(self, resource_id: str) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.destroy(resource_id)
            raise

    @contextmanager
    def _locked(self, *resource_ids: str) -> Iterator[tuple[Server, ...]]:
        """Hold volumes, taking them in one order whoever asks, and yield their servers as named.

        What a server refuses meanwhile is raised as `ServerError`.
        """
        with self._guard:
            volumes = {resource_id: self._volumes[resource_id] for resource_id in resource_ids}
        with ExitStack() as held:
            for resource_id in sorted(volumes):
                held.enter_context(volumes[resource_id].lock)
            try:
                yield tuple(volume.server for volume in volumes.values())
            except psycopg.Error as error:
                raise ServerError(str(error).strip()) from error


def is_on(value: str) -> bool:
    """Return whether a value of a parameter group switches something on."""
    return value.lower() in ("1", "on", "true", "yes")


def translated(settings: Mapping[str, str]) -> dict[str, str]:
    """Return settings as a server takes them, without those that the lab's servers own."""
    kept = {name: value for name, value in settings.items() if name not in OWN_SETTINGS}
    if LOGICAL in kept:
        on = is_on(kept[LOGICAL])
        kept |= {"wal_level": "logical" if on else "replica", LOGICAL: "on" if on else "off"}
    return kept
