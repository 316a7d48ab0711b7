"""What the control plane remembers: clusters, instances, groups, deployments, snapshots.

Resource ids never change; names, and with them ARNs and endpoints, do. Members belong to their
cluster by reference, so a rename never loses one.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rehearsal.aws.parameters import Parameter, engine_defaults, evaluate

AppliedGroup = tuple[str, Mapping[str, str | None]]
"""A group's name and its static values, as a server read them at its last start."""


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def resource_id(prefix: str) -> str:
    """Return a new id such as `cluster-2TK4…`, as AWS makes them."""
    return f"{prefix}-{_drawn(string.ascii_uppercase, 26)}"


def suffix() -> str:
    """Return the six characters at the end of green's generated names."""
    return _drawn(string.ascii_lowercase, 6)


def _drawn(letters: str, count: int) -> str:
    return "".join(secrets.choice(letters + string.digits) for _ in range(count))


@dataclass(eq=False)
class ParameterGroup:
    """A cluster's or an instance's parameter group; `values` are those that a user set."""

    name: str
    family: str
    about: str
    cluster: bool
    parameters: Mapping[str, Parameter]
    """What there is in its family."""
    values: dict[str, str] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def is_default(self) -> bool:
        """Whether it is one of AWS's own groups, which nobody can change."""
        return self.name.startswith("default.")

    def effective(self) -> dict[str, str | None]:
        """Return every parameter's value: the user's, else the engine's default."""
        return {**self.defaults(), **self.values}

    def defaults(self) -> dict[str, str | None]:
        """Return every parameter's default; None is left to the engine."""
        return engine_defaults(self.family, cluster=self.cluster, parameters=self.parameters)

    def applied(self) -> AppliedGroup:
        """Return what a server that starts now takes from this group until its next start."""
        static = {
            name: value for name, value in self.effective().items() if self.parameters[name].static
        }
        return self.name, static


@dataclass(eq=False)
class Cluster:
    """An Aurora cluster: its volume and names; the servers are its instances."""

    identifier: str
    version: str
    group: ParameterGroup
    master: str
    port: int
    settings: dict[str, Any]
    """What Describe echoes, under AWS's member names."""
    security_groups: list[str]
    tags: dict[str, str] = field(default_factory=dict)
    resource_id: str = field(default_factory=lambda: resource_id("cluster"))
    status: str = "creating"
    created: datetime = field(default_factory=now)
    instances: list[Instance] = field(default_factory=list)
    endpoints: list[CustomEndpoint] = field(default_factory=list)
    roles: dict[str, str] = field(default_factory=dict)
    """ARN of an IAM role -> the feature that it is for, or empty."""
    maintenance: dict[str, str] = field(default_factory=dict)
    """Action that waits -> how somebody opted in, or empty."""
    pending: dict[str, Any] = field(default_factory=dict)
    clone_group: str | None = None
    managed_secret: bool = False
    percent: int | None = None
    gone: bool = False
    shown: str | None = None
    """The status that describes show in place of the true one, by an ordered fault."""

    @property
    def writer(self) -> Instance | None:
        """The instance that writes, if there is one."""
        return next((instance for instance in self.instances if instance.is_writer), None)

    @property
    def deletion_protection(self) -> bool:
        """Whether DeleteDBCluster is refused."""
        return bool(self.settings.get("DeletionProtection"))


@dataclass(eq=False)
class Instance:
    """A member of a cluster: the writer, or a reader of the same volume."""

    identifier: str
    cluster: Cluster
    instance_class: str
    group: ParameterGroup
    port: int
    settings: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)
    resource_id: str = field(default_factory=lambda: resource_id("db"))
    status: str = "creating"
    created: datetime = field(default_factory=now)
    is_writer: bool = False
    tier: int = 1
    pending: dict[str, Any] = field(default_factory=dict)
    applied_cluster_group: AppliedGroup | None = None
    applied_instance_group: AppliedGroup | None = None
    gone: bool = False
    shown: str | None = None

    @property
    def cluster_group_status(self) -> str:
        """`in-sync`, or `pending-reboot` while the group holds what the server has not read."""
        same = self.applied_cluster_group == self.cluster.group.applied()
        return "in-sync" if same else "pending-reboot"

    @property
    def instance_group_status(self) -> str:
        """The same for the instance's own group."""
        same = self.applied_instance_group == self.group.applied()
        return "in-sync" if same else "pending-reboot"

    def apply_groups(self) -> None:
        """Remember that the server started with what both groups hold now."""
        self.applied_cluster_group = self.cluster.group.applied()
        self.applied_instance_group = self.group.applied()

    def parameters(self) -> dict[str, str]:
        """Return the values the server is to run with, formulas resolved.

        A value that a user set in the instance's group wins over the cluster's group.
        """
        values = {**self.cluster.group.effective(), **self.group.values}
        return {
            name: evaluate(value, self.instance_class)
            for name, value in values.items()
            if value is not None
        }


@dataclass(eq=False)
class CustomEndpoint:
    """An endpoint that somebody added to a cluster; of `static` members, or all but `excluded`."""

    identifier: str
    cluster: Cluster
    kind: str
    """`READER` or `ANY`."""
    static: list[Instance] = field(default_factory=list)
    excluded: list[Instance] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    port: int = 0
    resource_id: str = field(default_factory=lambda: resource_id("cluster-endpoint"))
    status: str = "available"
    gone: bool = False


@dataclass(eq=False)
class Snapshot:
    """A manual cluster snapshot: its record, and a volume with a copy of the data."""

    identifier: str
    source: Cluster
    shape: dict[str, Any]
    tags: dict[str, str]
    status: str = "creating"
    percent: int = 0
    volume: str = field(default_factory=lambda: resource_id("snapshot"))


@dataclass(eq=False)
class Pair:
    """A member of a deployment on both sides; `target` is None until green has it."""

    source: Cluster | Instance | CustomEndpoint
    target: Cluster | Instance | CustomEndpoint | None = None
    status: str = "PROVISIONING"


@dataclass(eq=False)
class Deployment:
    """A blue/green deployment of one cluster."""

    name: str
    source: Cluster
    target_version: str
    target_group: ParameterGroup
    target_instance_group: ParameterGroup | None
    tags: dict[str, str]
    tasks: dict[str, str]
    pairs: list[Pair]
    target: Cluster | None = None
    status: str = "PROVISIONING"
    details: str | None = None
    created: datetime = field(default_factory=now)
    deleted: datetime | None = None
    switched: bool = False
    identifier: str = field(default_factory=lambda: f"bgd-{_drawn(string.ascii_lowercase, 16)}")
