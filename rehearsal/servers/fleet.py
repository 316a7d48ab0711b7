"""The PostgreSQL servers behind the imitation of AWS, and what is done to them two at a time.

`Fleet` knows nothing of names, endpoints and states: the control plane does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from rehearsal.servers import copies, health, replication, switchover, vitals
from rehearsal.servers.binaries import Binaries
from rehearsal.servers.deployment import Maker
from rehearsal.servers.ground import ServerError
from rehearsal.servers.health import ReplicationState
from rehearsal.servers.replication import GREEN_STATE, Link, Task
from rehearsal.servers.seed import Seed
from rehearsal.servers.server import Server
from rehearsal.servers.volumes import Volumes, translated

__all__ = ["Fleet", "ReplicationState", "Seed", "ServerError", "Task"]


class Fleet(Volumes):
    """Own the servers of a lab: copy them, deploy green beside blue, and switch over.

    Every method blocks until it is done and may be called from any thread: work on one volume is
    serialised, work on different volumes goes in parallel. Unknown volumes raise `KeyError`;
    whatever a server refuses raises `ServerError` in words fit for an event message.
    """

    def __init__(self, folder: Path, *, binaries: Binaries | None = None) -> None:
        super().__init__(folder, binaries=binaries)
        self._links: dict[tuple[str, str], Link] = {}

    def start(self, resource_id: str) -> int:
        """Start the server, if it is not running, and return its port."""
        was_running = self.running(resource_id)
        port = super().start(resource_id)
        if not was_running:
            self._greet(resource_id)
        return port

    def clone(self, source_id: str, new_id: str) -> None:
        """Copy a volume physically as it is now, running or not; the copy is left stopped."""
        copy = self._add(new_id, self._new_server(new_id, self.version(source_id)))
        with self._removed_on_error(new_id), self._locked(source_id, new_id) as (source, _):
            (copies.base_backup if source.alive() else copies.cold_copy)(source, copy)
            if any(source_id in pair for pair in self._links):
                replication.scrub(copy)

    def destroy(self, resource_id: str) -> None:
        """Stop the server at once and remove its data. Unknown volumes are ignored."""
        super().destroy(resource_id)
        for pair in list(self._links):
            if resource_id in pair:
                self._links.pop(pair, None)

    def limit_files(self, resource_id: str, limit: int | None) -> None:
        """Let no file of the server grow beyond so many bytes, as on a disk that is full.

        None lifts it. Raises `ServerError` where the system cannot do that to a running process.
        """
        with self._locked(resource_id) as (server,):
            server.limit_files(limit)

    def vitals(self, resource_id: str) -> Mapping[str, float]:
        """Return what CloudWatch shows of a running server; see `rehearsal.servers.vitals`."""
        return vitals.read(self._server(resource_id))

    def forget_counters(self, resource_id: str, *, crash: bool) -> None:
        """Let a server count rows and transactions from 0 in every database.

        A reset leaves its time in `pg_stat_database.stats_reset`; a crash loses the statistics
        file, and from version 15 on leaves that column empty
        (https://www.postgresql.org/docs/current/monitoring-stats.html).
        """
        with self._locked(resource_id) as (server,):
            if crash:
                server.stop("immediate")
                server.start()
                return
            for dbname in server.databases():
                with server.connect(dbname) as connection:
                    connection.execute("SELECT pg_stat_reset()")

    # Deployment

    def other_replication(self, resource_id: str) -> list[str]:
        """Name the publications, subscriptions and logical slots that are not the lab's own.

        A deployment refuses a blue that has any. Entries read `slot x`, `publication y in db`.
        """
        return replication.other_replication(self._server(resource_id))

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
        copied = self._new_server(green_id, self.version(blue_id))
        green = self._new_server(green_id, target_version)
        if green.major == copied.major:
            green = copied
        self._add(green_id, green)
        with self._removed_on_error(green_id), self._locked(blue_id, green_id) as (blue, _):
            maker = Maker(blue, copied, green, translated(settings), on_task)
            self._links[blue_id, green_id] = maker.make()

    def replication_state(self, blue_id: str, green_id: str) -> ReplicationState:
        """Look at a deployment's replication; what cannot be seen is None, never a good value."""
        link = self._links[blue_id, green_id]
        return health.look(self._server(blue_id), self._server(green_id), link)

    def detach(self, blue_id: str, green_id: str) -> None:
        """End a deployment before its switchover: green stays, standalone and writable.

        Works when either server is gone: what cannot be reached is left to `destroy`. One that was
        detached already stays so.
        """
        if (blue_id, green_id) not in self._links:
            return
        with self._both(blue_id, green_id) as (blue, green, _):
            if green.alive():
                replication.drop_subscriptions(green)
            green.set_state(dict.fromkeys(GREEN_STATE))
            green.reload()
            if blue.alive():
                replication.drop_slots(blue)
                replication.drop_publications(blue)
            del self._links[blue_id, green_id]

    # The switchover's primitives in their order; `resume` undoes the first three.

    def guardrails(self, blue_id: str, green_id: str) -> list[str]:
        """Return why a switchover must not begin, one sentence each; empty when it may."""
        with self._both(blue_id, green_id) as (blue, green, link):
            if not (blue.alive() and green.alive()):
                return ["A server of the deployment does not run."]
            return switchover.guardrails(blue, green, link)

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
        """Drop the subscriptions on green, which cannot be had back."""
        with self._both(blue_id, green_id) as (_, green, link):
            link.degraded = "Replication was ended by a switchover that did not complete."
            replication.drop_subscriptions(green)

    def open_writes(self, green_id: str) -> None:
        """Open green for clients that write: the point of no return."""
        with self._locked(green_id) as (green,):
            switchover.open_writes(green)

    def lock(self, blue_id: str) -> None:
        """Make old blue a server on which no session can write, and open it for reading.

        It restarts as a hot standby without a primary; nobody gets in before that, and the
        deployment's slots, publications and triggers are dropped from it. Statistics counters
        survive.
        """
        with self._locked(blue_id) as (blue,):
            switchover.lock(blue)
            for pair in list(self._links):
                if pair[0] == blue_id:
                    del self._links[pair]

    def locked(self, resource_id: str) -> bool:
        """Return whether the volume is locked; a stopped one stays locked."""
        return self._server(resource_id).standby

    def unlock(self, blue_id: str) -> None:
        """Let old blue be written again, as deleting the deployment does."""
        with self._locked(blue_id) as (blue,):
            switchover.unlock(blue)

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

        `on_phase` gets each primitive's name before it begins; up to `detach_replication` it may
        raise, as a planted failure. A failure before `detach_replication`, or `limit_s` seconds
        gone, return both servers to what they were; a failure in it or in `swap` does so too, but
        the replication is over and stays degraded. Either raises `ServerError` with the reason.
        Nobody can write between `stop_writes` and `open_writes`; `lock` comes last, with writes
        already open on green and old blue still shut.
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
            swap()
        except BaseException as error:
            self.resume(*pair)
            if isinstance(error, ServerError):
                raise ServerError(f"The switchover was taken back: {error}") from error
            raise
        on_phase("open_writes")
        self.open_writes(green_id)
        on_phase("lock")
        self.lock(blue_id)

    @contextmanager
    def _both(self, blue_id: str, green_id: str) -> Iterator[tuple[Server, Server, Link]]:
        with self._locked(blue_id, green_id) as (blue, green):
            yield blue, green, self._links[blue_id, green_id]

    def _greet(self, resource_id: str) -> None:
        """Let blue and green find each other again, if this is one of them and both run."""
        for pair in list(self._links):
            if resource_id in pair:
                # A green that cannot be told shows as one that does not follow.
                with suppress(ServerError, KeyError), self._both(*pair) as (blue, green, link):
                    if blue.alive() and green.alive():
                        replication.greet(blue, green, link)
