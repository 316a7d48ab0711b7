"""What the simulated world is made of. Plain values: it is pickled to be gone on with elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field

PRODUCTION = "orders"
APPLICATION = "app"
DATABASES = ("postgres", "shop")
WRITTEN = "shop"
"""The database that the application writes to."""

NOBODY = ""
SOMEBODY = "somebody"
"""Made by hand, by a person or another tool."""


class Violation(AssertionError):
    """Something happened that must never happen, seen from the world's side."""


@dataclass
class Subscription:
    """A subscription and its apply worker; the password is the one it would log in with."""

    slot: str
    host: str
    role: str
    password: str
    enabled: bool
    working: bool = False
    since: float | None = None
    """When its worker connected, and `to` which cluster in which generation."""
    to: tuple[str, int] = ("", 0)


@dataclass
class Database:
    """A database; a row is its number and the WAL position at which it was written."""

    rows: dict[int, int] = field(default_factory=dict)
    sequence: int = 0
    written: int = 0
    """Rows counted by the statistics."""
    schema: frozenset[str] = frozenset({"public.orders"})
    read_only: bool = False
    analyzed: bool = True
    publications: set[str] = field(default_factory=set)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)


@dataclass
class Slot:
    """A logical slot."""

    database: str
    confirmed: int
    active: bool = False
    since: float | None = None
    """When who reads it connected."""
    lost: bool = False


@dataclass
class LoginRole:
    """A role of a cluster."""

    login: bool = True
    password: str = ""


@dataclass
class Instance:
    """An instance of a cluster."""

    name: str
    resource_id: str
    cluster: str
    """The resource id of its cluster."""
    status: str = "available"
    in_sync: bool = True
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Cluster:
    """A cluster as it really is, whatever anybody believes."""

    resource_id: str
    name: str
    version: str
    made_by: str
    """The run that made it; `NOBODY` for what was there before, or `SOMEBODY`."""
    group: str
    status: str = "available"
    tags: dict[str, str] = field(default_factory=dict)
    protected: bool = False
    """AWS's deletion protection."""
    clone_group: str = ""
    databases: dict[str, Database] = field(default_factory=dict)
    roles: dict[str, LoginRole] = field(default_factory=dict)
    slots: dict[str, Slot] = field(default_factory=dict)
    wal: int = 1000
    xid: int = 700
    system: int = 1
    generation: int = 0
    """Counts the times at which every connection was dropped."""
    locked: bool = False
    """AWS's lock on old blue, and on both sides during the switchover."""
    following: bool = False
    """Green before the switchover: fed by AWS, read-only to clients."""

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    @property
    def open(self) -> bool:
        """Whether an application that found it could write."""
        return (
            self.status != "deleting"
            and not self.locked
            and not self.following
            and self.roles[APPLICATION].login
            and not self.databases[WRITTEN].read_only
        )


@dataclass
class Deployment:
    """A blue/green deployment."""

    identifier: str
    name: str
    source: str
    """Resource ids, unlike AWS's ARNs, which move with the names."""
    target: str
    made_by: str
    status: str = "PROVISIONING"
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Snapshot:
    """A cluster snapshot."""

    name: str
    cluster: str
    made_by: str
    status: str = "creating"


@dataclass
class Group:
    """A cluster parameter group."""

    name: str
    family: str
    made_by: str
    values: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Application:
    """One client that writes whenever it can, and its own record of what was acknowledged."""

    running: bool = True
    session: tuple[str, int, bool] | None = None
    """Resource id, generation, and whether it began read-only."""
    acknowledged: dict[int, int] = field(default_factory=dict)
    """Row and the sequence's value that it was given."""
    next_row: int = 1
