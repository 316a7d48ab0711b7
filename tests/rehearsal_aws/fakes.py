"""Stand-ins for servers and ports, so that the API's own behaviour is tested at full speed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from rehearsal.servers.binaries import Setting
from rehearsal.servers.fleet import ReplicationState, Task
from rehearsal.servers.ground import ServerError


class FakeFleet:
    """Remembers what the control plane asks of the servers."""

    def __init__(self) -> None:
        self.volumes: dict[str, str] = {}
        self.up: set[str] = set()
        self.locked: set[str] = set()
        self.settings: dict[str, dict[str, str]] = {}
        self.identity: dict[str, str] = {}
        self.calls: list[tuple[str, str]] = []
        self.leftovers: list[str] = []
        self.degraded: str | None = None
        self.log = ""
        self.refuses: set[str] = set()
        self.hold = threading.Event()
        self.hold.set()

    def log_size(self, resource_id: str) -> tuple[int, float]:
        return len(self.log), 1.5

    def log_tail(self, resource_id: str, most: int) -> str:
        return self.log[-most:]

    def server_settings(self, major: int) -> list[Setting]:
        """Tell of two settings more than the table of parameters."""
        shared = Setting("shared_buffers", "postmaster", "Resource", "INTEGER", "16", "99", "Pages")
        return [
            shared,
            Setting("seq_page_cost", "user", "Query", "REAL", "0", "1.79769e+308", "Cost"),
            Setting("DateStyle", "user", "Client", "STRING", "", "", "Form of dates"),
        ]

    def vitals(self, resource_id: str) -> Mapping[str, float]:
        if resource_id not in self.up:
            raise ServerError("The server does not run.")
        return {
            "DatabaseConnections": 7,
            "DBLoad": 2,
            "OldestReplicationSlotLag": 4096,
            "ReplicationSlotDiskUsage": 0,
            "TransactionLogsDiskUsage": 1 << 24,
            "MaximumUsedTransactionIDs": 12,
            "VolumeBytesUsed": 1 << 20,
        }

    def _note(self, what: str, volume: str) -> None:
        assert volume in self.volumes, f"{what}: unknown volume {volume}"
        self.calls.append((what, volume))

    def _maybe_refuse(self, what: str) -> None:
        if what in self.refuses:
            raise ServerError(f"{what} was refused")

    def create(
        self,
        resource_id: str,
        version: str,
        settings: Mapping[str, str],
        **_: object,
    ) -> None:
        self.volumes[resource_id] = version
        self.up.add(resource_id)
        self.settings[resource_id] = dict(settings)

    def clone(self, source_id: str, new_id: str) -> None:
        self.hold.wait()
        self._maybe_refuse("clone")
        self.volumes[new_id] = self.volumes[source_id]

    def destroy(self, resource_id: str) -> None:
        self._maybe_refuse("destroy")
        self.volumes.pop(resource_id, None)
        self.up.discard(resource_id)

    def start(self, resource_id: str) -> int:
        self._note("start", resource_id)
        self.up.add(resource_id)
        return 1

    def stop(self, resource_id: str) -> None:
        self._note("stop", resource_id)
        self.up.discard(resource_id)

    def restart(self, resource_id: str) -> int:
        self._note("restart", resource_id)
        return 1

    def kill(self, resource_id: str) -> None:
        self._note("kill", resource_id)
        self.up.discard(resource_id)

    def conninfo(self, resource_id: str) -> str:
        return "host=127.0.0.1 port=1 connect_timeout=1"

    def databases(self, resource_id: str) -> list[str]:
        return ["postgres", "orders", "billing"]

    def apply_settings(self, resource_id: str, settings: Mapping[str, str]) -> None:
        self._note("apply", resource_id)
        self._maybe_refuse("apply")
        self.settings[resource_id] = dict(settings)

    def set_identity(
        self, resource_id: str, instance_identifier: str, readers: Sequence[str] = ()
    ) -> None:
        self.identity[resource_id] = instance_identifier

    def forget_counters(self, resource_id: str, *, crash: bool) -> None:
        self._note("lose counters" if crash else "reset counters", resource_id)

    def set_password(self, resource_id: str, role: str, password: str) -> None:
        self._note("password", resource_id)

    def other_replication(self, resource_id: str) -> list[str]:
        self._maybe_refuse("other_replication")
        return self.leftovers

    def replicate(
        self,
        blue_id: str,
        green_id: str,
        target_version: str,
        settings: Mapping[str, str],
        on_task: Callable[[Task, str], None],
    ) -> None:
        self._note("replicate", blue_id)
        for task in (Task.CREATING_READ_REPLICA, Task.ENGINE_UPGRADE, Task.CREATE_INSTANCES):
            on_task(task, "IN_PROGRESS")
            self.hold.wait()
            self._maybe_refuse("replicate")
            self.volumes[green_id] = target_version
            self.up.add(green_id)
            on_task(task, "COMPLETED")
        self.settings[green_id] = dict(settings)

    def replication_state(self, blue_id: str, green_id: str) -> ReplicationState:
        return ReplicationState((), self.degraded, datetime.now(UTC))

    def detach(self, blue_id: str, green_id: str) -> None:
        self._note("detach", green_id)

    def switch_over(
        self,
        blue_id: str,
        green_id: str,
        *,
        limit_s: float,
        swap: Callable[[], None],
        on_phase: Callable[[str], None] = lambda phase: None,
    ) -> None:
        self._note("switch_over", blue_id)
        self.hold.wait()
        self._maybe_refuse("switch_over")
        for phase in ("guardrails", "stop_writes", "drain", "sync_sequences", "detach_replication"):
            on_phase(phase)
        swap()
        on_phase("open_writes")
        on_phase("lock")
        self.locked.add(blue_id)

    def unlock(self, blue_id: str) -> None:
        self._note("unlock", blue_id)
        self.locked.discard(blue_id)


class FakeEndpoints:
    """Gives every name a number for a port and remembers where it leads."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}
        self.listening: set[str] = set()
        self.routes: dict[str, str | None] = {}
        self.dropped: set[str] = set()
        self.hosts: dict[str, frozenset[str]] = {}
        self.trails: dict[str, object] = {}
        self.renewed: list[str] = []

    def open(self, name: str) -> int:
        self.listening.add(name)
        return self.ports.setdefault(name, 20_000 + len(self.ports))

    def route(self, name: str, resource_id: str | None) -> None:
        assert name in self.ports, f"{name} was never opened"
        self.routes[name] = resource_id

    def present(self, volume: str, hosts: frozenset[str], trail: Callable[[], object]) -> None:
        if self.hosts.get(volume, hosts) != hosts:
            self.trails[volume] = trail()
        self.hosts[volume] = hosts

    def renew(self, volume: str) -> None:
        self.renewed.append(volume)

    def close(self, name: str) -> None:
        self.listening.discard(name)

    def drop(self, name: str) -> int:
        self.dropped.add(name)
        return 1

    def spare(self) -> None:
        """Take back ordered cuts; no test here orders one."""

    def ordered(self) -> list[object]:
        """Return the ordered cuts that wait."""
        return []
