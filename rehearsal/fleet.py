"""The PostgreSQL servers behind the imitation of AWS, one a cluster volume.

A *volume* is known by its cluster's `DbClusterResourceId`, which no rename changes. It holds one
data folder and at most one server: the lab's stand-in for Aurora's shared storage with its writer.
Readers have no server of their own; their endpoints lead to the writer's.

`Fleet` knows nothing of names, endpoints and states: the control plane does.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from rehearsal import copies, replication, switchover
from rehearsal.deployment import Maker
from rehearsal.ground import Ground
from rehearsal.replication import GREEN_STATE, Link, ReplicationState, Task
from rehearsal.seed import Seed, plant, set_password
from rehearsal.servers import OWN_SETTINGS, Binaries, Server, ServerError

__all__ = ["Fleet", "ReplicationState", "Seed", "ServerError", "Task"]

LOGICAL = "rds.logical_replication"
"""Aurora's static parameter in place of `wal_level`."""

_RESOURCE_ID = re.compile(r"[A-Za-z0-9_-]+")


class Fleet:
    """Own the servers of a lab.

    Every method blocks until it is done and may be called from any thread: work on one volume is
    serialised, work on different volumes goes in parallel. Unknown volumes raise `KeyError`;
    whatever a server refuses raises `ServerError` in words fit for an event message.
    """

    def __init__(self, folder: Path, *, binaries: Binaries | None = None) -> None:
        """Take `folder` (made if missing) as home, ending servers an earlier lab left there."""
        self._ground = Ground(folder)
        self._binaries = binaries or Binaries()
        self._binaries.prepare(self._ground)
        self._volumes: dict[str, _Volume] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self._guard = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop every server and remove every volume; nothing of the fleet runs afterwards."""
        for volume in self._snapshot():
            volume.server.stop("immediate")
        self._ground.close()

    # Volumes

    def versions(self) -> Mapping[int, str]:
        """Return the engine versions on hand by major, e.g. `{16: "16.14", 18: "18.4"}`."""
        return self._binaries.versions()

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
        volume = self._add(resource_id, self._new_server(resource_id, version))
        server = volume.server
        with volume.lock, self._removed_on_error(resource_id):
            server.configure("group", _translated(settings))
            server.initdb()
            server.start()
            plant(server, master_user, master_password, seed or Seed())

    def clone(self, source_id: str, new_id: str) -> None:
        """Copy a running volume physically as it is now; the copy is left stopped."""
        source = self._volume(source_id)
        copy = self._add(new_id, self._new_server(new_id, source.server.version))
        with self._locked(source_id, new_id), self._removed_on_error(new_id):
            copies.base_backup(source.server, copy.server)
            if any(source_id in pair for pair in self._links):
                self._scrub(copy.server)

    def destroy(self, resource_id: str) -> None:
        """Stop the server at once and remove its data. Unknown volumes are ignored."""
        with self._guard:
            volume = self._volumes.get(resource_id)
        if volume is None:
            return
        volume.server.stop("immediate")
        with volume.lock:
            volume.server.remove()
        with self._guard:
            self._volumes.pop(resource_id, None)
            for pair in [pair for pair in self._links if resource_id in pair]:
                del self._links[pair]

    def volumes(self) -> list[str]:
        """Return the resource ids of all volumes."""
        with self._guard:
            return list(self._volumes)

    def version(self, resource_id: str) -> str:
        """Return the engine version of the data, e.g. `16.14`."""
        return self._volume(resource_id).server.version

    # Servers

    def start(self, resource_id: str) -> int:
        """Start the server, if it is not running, and return its port."""
        volume = self._volume(resource_id)
        with volume.lock:
            if volume.server.alive() and volume.server.port is not None:
                return volume.server.port
            port = volume.server.start()
        self._greet(resource_id)
        return port

    def stop(self, resource_id: str) -> None:
        """Stop the server; clients see 57P01."""
        volume = self._volume(resource_id)
        with volume.lock:
            volume.server.stop()

    def restart(self, resource_id: str) -> int:
        """Restart the server, which applies static settings, and return its port."""
        volume = self._volume(resource_id)
        with volume.lock:
            volume.server.stop()
        return self.start(resource_id)

    def kill(self, resource_id: str) -> None:
        """Let the server die as by `kill -9`; the data survives and `start` recovers it."""
        self._volume(resource_id).server.stop("kill")

    def running(self, resource_id: str) -> bool:
        """Return whether the server process lives."""
        return self._volume(resource_id).server.alive()

    def port(self, resource_id: str) -> int | None:
        """Return the server's own port on 127.0.0.1, or None while it is not running.

        Ask again after each start: a port may change when somebody took it meanwhile.
        """
        server = self._volume(resource_id).server
        return server.port if server.alive() else None

    def conninfo(self, resource_id: str, dbname: str = "postgres") -> str:
        """Return a libpq connection string of the lab's superuser `rdsadmin`; holds a secret."""
        return self._volume(resource_id).server.conninfo(dbname)

    def databases(self, resource_id: str) -> list[str]:
        """Return the databases that accept clients (no template, not `rdsadmin`)."""
        return self._volume(resource_id).server.databases()

    def apply_settings(self, resource_id: str, settings: Mapping[str, str]) -> set[str]:
        """Replace the volume's settings, reload, and return the names that need a restart.

        Settings are PostgreSQL's, plus `rds.*` names: `rds.logical_replication` governs
        `wal_level` and every `rds.*` can be read with SHOW. What the lab's servers own or lack
        (ports, shared_buffers, shared_preload_libraries, ssl) is left out. An invalid value raises
        `ServerError` and the former settings stay.
        """
        volume = self._volume(resource_id)
        with volume.lock:
            volume.server.replace_settings(_translated(settings))
            return self.pending_restart(resource_id)

    def pending_restart(self, resource_id: str) -> set[str]:
        """Return the names of settings that wait for a restart (empty when stopped)."""
        server = self._volume(resource_id).server
        if not server.alive():
            return set()
        return {LOGICAL if name == "wal_level" else name for name in server.pending_restart()}

    def set_identity(self, resource_id: str, instance_identifier: str) -> None:
        """Let `aurora_db_instance_identifier()` return this name in every session from now on."""
        volume = self._volume(resource_id)
        with volume.lock:
            volume.server.set_state({"lab.db_instance_identifier": instance_identifier})
            volume.server.reload()

    def set_password(self, resource_id: str, role: str, password: str) -> None:
        """Set a role's password, as ModifyDBCluster does with MasterUserPassword."""
        volume = self._volume(resource_id)
        with volume.lock:
            set_password(volume.server, role, password)

    # Deployment

    def other_replication(self, resource_id: str) -> list[str]:
        """Name the publications, subscriptions and logical slots that are not the lab's own.

        A deployment refuses a blue that has any. Entries read `slot x`, `publication y in db`.
        """
        return replication.other_replication(self._volume(resource_id).server)

    def replicate(
        self,
        blue_id: str,
        green_id: str,
        target_version: str,
        settings: Mapping[str, str],
        on_task: Callable[[Task, str], None],
    ) -> None:
        """Make green: an upgraded physical copy of blue that logical replication keeps in step.

        Green is left running, open for clients and read-only to them. `on_task` is called with
        each task and `IN_PROGRESS`, then `COMPLETED`; there is no upgrade to the same major. On
        any error blue is as before, green is gone, and the error is raised.
        """
        blue = self._volume(blue_id)
        copied = self._new_server(green_id, blue.server.version)
        green = self._new_server(green_id, target_version)
        if green.major == copied.major:
            green = copied
        self._add(green_id, green)
        with self._locked(blue_id, green_id), self._removed_on_error(green_id):
            maker = Maker(blue.server, copied, green, _translated(settings), on_task)
            self._links[blue_id, green_id] = maker.make()

    def replication_state(self, blue_id: str, green_id: str) -> ReplicationState:
        """Look at a deployment's replication; what cannot be seen is None, never a good value."""
        return replication.look(*self._pair(blue_id, green_id))

    def detach(self, blue_id: str, green_id: str) -> None:
        """End a deployment before its switchover: green stays, standalone and writable.

        Works when either server is gone: what cannot be reached is left to `destroy`.
        """
        with self._both(blue_id, green_id) as (blue, green, _):
            if green.alive():
                replication.drop_subscriptions(green)
            green.set_state(dict.fromkeys(GREEN_STATE))
            green.reload()
            if blue.alive():
                replication.drop_slots(blue)
                replication.drop_publications(blue)
            self._links.pop((blue_id, green_id), None)

    # Switchover, in this order; `resume` undoes the first three

    def guardrails(self, blue_id: str, green_id: str) -> list[str]:
        """Return why a switchover must not begin, one sentence each; empty when it may."""
        if not (self.running(blue_id) and self.running(green_id)):
            return ["A server of the deployment does not run."]
        return switchover.guardrails(*self._pair(blue_id, green_id))

    def stop_writes(self, blue_id: str, green_id: str, *, limit_s: float) -> None:
        """Shut every client out of both servers, ending their sessions with 57P01."""
        deadline = time.monotonic() + limit_s
        with self._both(blue_id, green_id) as (blue, green, _):
            for server in (blue, green):
                switchover.stop_writes(server, deadline - time.monotonic())

    def drain(self, blue_id: str, green_id: str, *, limit_s: float) -> None:
        """Wait until green has confirmed everything that was ever committed on blue."""
        with self._both(blue_id, green_id) as (blue, _, link):
            switchover.drain(blue, link, limit_s)

    def sync_sequences(self, blue_id: str, green_id: str) -> int:
        """Carry `last_value` and `is_called` of every sequence to green; return how many."""
        with self._both(blue_id, green_id) as (blue, green, link):
            return switchover.sync_sequences(blue, green, link)

    def resume(self, blue_id: str, green_id: str) -> None:
        """Return to the state before `stop_writes`: blue writable, green read-only, both open."""
        with self._both(blue_id, green_id) as (blue, green, _):
            switchover.resume(blue, green)

    def detach_replication(self, blue_id: str, green_id: str) -> None:
        """Drop the subscriptions on green: the point of no return."""
        with self._both(blue_id, green_id) as (_, green, _link):
            replication.drop_subscriptions(green)

    def open_writes(self, green_id: str) -> None:
        """Open green for clients that write."""
        volume = self._volume(green_id)
        with volume.lock:
            switchover.open_writes(volume.server)

    def lock(self, blue_id: str) -> None:
        """Make old blue a server on which no session can write, and open it for reading.

        It restarts as a hot standby without a primary; nobody gets in before that, and the
        deployment's slots, publications and triggers are dropped from it. Statistics counters
        survive.
        """
        volume = self._volume(blue_id)
        with volume.lock:
            switchover.lock(volume.server)
        with self._guard:
            for pair in [pair for pair in self._links if pair[0] == blue_id]:
                del self._links[pair]

    def locked(self, resource_id: str) -> bool:
        """Return whether the volume is locked; a stopped one stays locked."""
        return self._volume(resource_id).server.standby

    def unlock(self, blue_id: str) -> None:
        """Let old blue be written again, as deleting the deployment does."""
        volume = self._volume(blue_id)
        with volume.lock:
            switchover.unlock(volume.server)

    def switch_over(
        self,
        blue_id: str,
        green_id: str,
        *,
        limit_s: float,
        swap: Callable[[], None],
        on_phase: Callable[[str], None] = lambda phase: None,
    ) -> None:
        """Do all of the above in order, calling `swap` (names, endpoints) when green may open.

        A failure or `limit_s` seconds gone before `detach_replication` return both servers to
        what they were, then raise `ServerError` with the reason. `on_phase` gets each primitive's
        name when it begins. Nobody can write between `stop_writes` and `open_writes`; `lock` comes
        last, with writes already open on green and old blue still shut.
        """
        deadline = time.monotonic() + limit_s
        pair = (blue_id, green_id)
        on_phase("guardrails")
        if reasons := self.guardrails(*pair):
            raise ServerError(" ".join(reasons))
        try:
            on_phase("stop_writes")
            self.stop_writes(*pair, limit_s=deadline - time.monotonic())
            on_phase("drain")
            self.drain(*pair, limit_s=deadline - time.monotonic())
            on_phase("sync_sequences")
            self.sync_sequences(*pair)
            if time.monotonic() > deadline:
                raise ServerError(f"The switchover took longer than {limit_s:g} s.")
            on_phase("detach_replication")
            self.detach_replication(*pair)
        except (ServerError, psycopg.Error) as error:
            self.resume(*pair)
            raise ServerError(f"The switchover was taken back: {error}") from error
        swap()
        on_phase("open_writes")
        self.open_writes(green_id)
        on_phase("lock")
        self.lock(blue_id)

    # Inside

    def _snapshot(self) -> list[_Volume]:
        with self._guard:
            return list(self._volumes.values())

    def _volume(self, resource_id: str) -> _Volume:
        with self._guard:
            return self._volumes[resource_id]

    def _new_server(self, resource_id: str, version: str) -> Server:
        installation = self._binaries.find(version)
        data = self._ground.base / resource_id / f"data{installation.major}"
        return Server(self._ground, installation, data)

    def _add(self, resource_id: str, server: Server) -> _Volume:
        if not _RESOURCE_ID.fullmatch(resource_id):
            raise ValueError(f"{resource_id!r} is no resource id.")
        with self._guard:
            if resource_id in self._volumes:
                raise ServerError(f"There is a volume {resource_id} already.")
            volume = self._volumes[resource_id] = _Volume(server)
        return volume

    @contextmanager
    def _removed_on_error(self, resource_id: str) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.destroy(resource_id)
            raise

    def _pair(self, blue_id: str, green_id: str) -> tuple[Server, Server, Link]:
        blue, green = self._volume(blue_id), self._volume(green_id)
        return blue.server, green.server, self._links[blue_id, green_id]

    @contextmanager
    def _both(self, blue_id: str, green_id: str) -> Iterator[tuple[Server, Server, Link]]:
        with self._locked(blue_id, green_id):
            yield self._pair(blue_id, green_id)

    @contextmanager
    def _locked(self, *resource_ids: str) -> Iterator[None]:
        """Hold volumes, taking them in one order whoever asks."""
        with ExitStack() as held:
            for resource_id in sorted(resource_ids):
                held.enter_context(self._volume(resource_id).lock)
            yield

    def _greet(self, resource_id: str) -> None:
        """Let blue and green find each other again, if this is one of them and both run."""
        for pair in list(self._links):
            if resource_id in pair:
                # A green that cannot be told shows as one that does not follow.
                with self._both(*pair) as sides, suppress(ServerError, psycopg.Error):
                    blue, green, link = sides
                    if blue.alive() and green.alive():
                        replication.greet(blue, green, link)

    def _scrub(self, copy: Server) -> None:
        """Remove from a copy what a deployment put into its source, before anybody gets in."""
        copy.set_doors(open_=False)
        copy.start({"max_logical_replication_workers": "0"})
        replication.drop_subscriptions(copy)
        replication.drop_publications(copy)
        copy.stop()
        copy.set_doors(open_=True)


@dataclass(slots=True)
class _Volume:
    server: Server
    lock: threading.RLock = field(default_factory=threading.RLock)


def _translated(settings: Mapping[str, str]) -> dict[str, str]:
    """Return settings as a server takes them, without those that the lab's servers own."""
    kept = {name: value for name, value in settings.items() if name not in OWN_SETTINGS}
    if LOGICAL in kept:
        on = kept[LOGICAL].lower() in ("1", "on", "true", "yes")
        kept |= {"wal_level": "logical" if on else "replica", LOGICAL: "on" if on else "off"}
    return kept
