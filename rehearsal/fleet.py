"""The PostgreSQL servers behind the imitation of AWS, one a cluster volume.

A *volume* is known by its cluster's `DbClusterResourceId`, which no rename changes. It holds one
data folder and at most one server: the lab's stand-in for Aurora's shared storage with its writer.
Readers have no server of their own; their endpoints lead to the writer's.

`Fleet` knows nothing of names, endpoints and states: the control plane does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rehearsal.replication import ReplicationState, Task
from rehearsal.seed import Seed
from rehearsal.servers import Binaries


class Fleet:
    """Own the servers of a lab.

    Every method blocks until it is done and may be called from any thread: work on one volume is
    serialised, work on different volumes goes in parallel. Unknown volumes raise `KeyError`;
    whatever a server refuses raises `ServerError` in words fit for an event message.
    """

    def __init__(self, folder: Path, *, binaries: Binaries | None = None) -> None:
        """Take `folder` (made if missing) as home, ending servers an earlier lab left there."""

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

    # Volumes

    def versions(self) -> Mapping[int, str]:
        """Return the engine versions on hand by major, e.g. `{16: "16.14", 18: "18.4"}`."""

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

    def clone(self, source_id: str, new_id: str) -> None:
        """Copy a running volume physically as it is now; the copy is left stopped."""

    def destroy(self, resource_id: str) -> None:
        """Stop the server at once and remove its data. Unknown volumes are ignored."""

    def volumes(self) -> list[str]:
        """Return the resource ids of all volumes."""

    def version(self, resource_id: str) -> str:
        """Return the engine version of the data, e.g. `16.14`."""

    # Servers

    def start(self, resource_id: str) -> int:
        """Start the server, if it is not running, and return its port."""

    def stop(self, resource_id: str) -> None:
        """Stop the server; clients see 57P01."""

    def restart(self, resource_id: str) -> int:
        """Restart the server, which applies static settings, and return its port."""

    def kill(self, resource_id: str) -> None:
        """Let the server die as by `kill -9`; the data survives and `start` recovers it."""

    def running(self, resource_id: str) -> bool:
        """Return whether the server process lives."""

    def port(self, resource_id: str) -> int | None:
        """Return the server's own port on 127.0.0.1, or None while it is not running.

        Ask again after each start: a port may change when somebody took it meanwhile.
        """

    def conninfo(self, resource_id: str, dbname: str = "postgres") -> str:
        """Return a libpq connection string of the lab's superuser `rdsadmin`; holds a secret."""

    def databases(self, resource_id: str) -> list[str]:
        """Return the databases that accept clients (no template, not `rdsadmin`)."""

    def apply_settings(self, resource_id: str, settings: Mapping[str, str]) -> set[str]:
        """Replace the volume's settings, reload, and return the names that need a restart.

        Settings are PostgreSQL's, plus `rds.*` names: `rds.logical_replication` governs
        `wal_level` and every `rds.*` can be read with SHOW. What the lab's servers own or lack
        (ports, shared_buffers, shared_preload_libraries, ssl) is left out. An invalid value raises
        `ServerError` and the former settings stay.
        """

    def pending_restart(self, resource_id: str) -> set[str]:
        """Return the names of settings that wait for a restart (empty when stopped)."""

    def set_identity(self, resource_id: str, instance_identifier: str) -> None:
        """Let `aurora_db_instance_identifier()` return this name in every session from now on."""

    def set_password(self, resource_id: str, role: str, password: str) -> None:
        """Set a role's password, as ModifyDBCluster does with MasterUserPassword."""

    # Deployment

    def other_replication(self, resource_id: str) -> list[str]:
        """Name the publications, subscriptions and logical slots that are not the lab's own.

        A deployment refuses a blue that has any. Entries read `slot x`, `publication y in db`.
        """

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
        each task and `IN_PROGRESS`, then `COMPLETED`. On any error blue is as before, green is
        gone, and the error is raised.
        """

    def replication_state(self, blue_id: str, green_id: str) -> ReplicationState:
        """Look at a deployment's replication; what cannot be seen is None, never a good value."""

    def detach(self, blue_id: str, green_id: str) -> None:
        """End a deployment before its switchover: green stays, standalone and writable.

        Works when either server is gone: what cannot be reached is left to `destroy`.
        """

    # Switchover, in this order; `resume` undoes the first three

    def guardrails(self, blue_id: str, green_id: str) -> list[str]:
        """Return why a switchover must not begin, one sentence each; empty when it may."""

    def stop_writes(self, blue_id: str, green_id: str, *, limit_s: float) -> None:
        """Shut every client out of both servers, ending their sessions with 57P01."""

    def drain(self, blue_id: str, green_id: str, *, limit_s: float) -> None:
        """Wait until green has confirmed everything that was ever committed on blue."""

    def sync_sequences(self, blue_id: str, green_id: str) -> int:
        """Carry `last_value` and `is_called` of every sequence to green; return how many."""

    def resume(self, blue_id: str, green_id: str) -> None:
        """Return to the state before `stop_writes`: blue writable, green read-only, both open."""

    def detach_replication(self, blue_id: str, green_id: str) -> None:
        """Drop the subscriptions on green: the point of no return."""

    def open_writes(self, green_id: str) -> None:
        """Open green for clients that write."""

    def lock(self, blue_id: str) -> None:
        """Make old blue a server on which no session can write, and open it for reading.

        It restarts as a hot standby without a primary; nobody gets in before that, and the
        deployment's slots, publications and triggers are dropped from it. Statistics counters
        survive.
        """

    def locked(self, resource_id: str) -> bool:
        """Return whether the volume is locked; a stopped one stays locked."""

    def unlock(self, blue_id: str) -> None:
        """Let old blue be written again, as deleting the deployment does."""

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
