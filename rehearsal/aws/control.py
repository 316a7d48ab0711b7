"""The control plane: every resource of one Region, and the work in progress on them.

One lock guards the records. It is never held while a server works or a duration passes: a server's
work may itself wait for the lock, to show how far it is. What an action does after its answer runs
in a thread of its own, as AWS's workflows do.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from rehearsal.aws import errors, events
from rehearsal.aws.answers import AnswerLog
from rehearsal.aws.audit import Audit
from rehearsal.aws.errors import RdsFault
from rehearsal.aws.fault_orders import FaultOrders
from rehearsal.aws.hosts import Hosts
from rehearsal.aws.identity_policies import IdentityPolicies
from rehearsal.aws.late_certificates import certificate_trail
from rehearsal.aws.models import (
    Cluster,
    CustomEndpoint,
    Deployment,
    Instance,
    ParameterGroup,
    Snapshot,
)
from rehearsal.aws.pace import Pace, Stopped
from rehearsal.aws.parameters import FAMILIES, Family, family_of, server_settings
from rehearsal.aws.stale_reads import StaleReads
from rehearsal.aws.versions import ENGINE, Catalogue, family
from rehearsal.servers.endpoints import Endpoints
from rehearsal.servers.fleet import Fleet

_log = logging.getLogger(__name__)

Named = Cluster | Instance | CustomEndpoint
"""What has an endpoint by its name."""


@dataclass(eq=False, repr=False, kw_only=True)
class Control:
    """The state of RDS in one Region of one account."""

    region: str
    account: str
    fleet: Fleet
    endpoints: Endpoints
    pace: Pace
    catalogue: Catalogue

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._families: dict[str, Family] = {}
        self.hosts = Hosts(self.account, self.region)
        self.events = events.EventLog()
        self.audit = Audit()
        self.answers = AnswerLog()
        self.policies = IdentityPolicies(self.account)
        self.orders = FaultOrders()
        self.trail = StaleReads(self)
        self.clusters: list[Cluster] = []
        self.deployments: list[Deployment] = []
        self.snapshots: list[Snapshot] = []
        self.groups: list[ParameterGroup] = [
            ParameterGroup(
                f"default.{name}",
                name,
                f"Default {'cluster ' if cluster else ''}parameter group for {name}",
                cluster,
                self.parameters(name),
            )
            for name in FAMILIES
            for cluster in (True, False)
        ]
        self.proxies: dict[str, str] = {}
        """Name of an RDS proxy -> the cluster that it leads to."""
        self.integrations: dict[str, str] = {}
        """Name of a zero-ETL integration -> ARN of its source."""
        self.global_clusters: dict[str, Cluster] = {}
        """Name of a global database -> its writer's cluster."""
        self.unresolved: set[str] = set()
        """Resource ids of the clusters whose endpoints are told by names that do not resolve."""
        self._workers: list[threading.Thread] = []
        self._elsewhere: dict[str, Control] = {}

    def in_region(self, region: str) -> Control:
        """Return the control plane of a Region; any but this one knows no cluster."""
        if region == self.region:
            return self
        with self.lock:
            if region not in self._elsewhere:
                self._elsewhere[region] = replace(self, region=region)
            return self._elsewhere[region]

    # Names

    def arn(self, resource: Named | Deployment | ParameterGroup | Snapshot) -> str:
        """Return the resource's ARN, which changes with its name."""
        match resource:
            case Cluster():
                tail = f"cluster:{resource.identifier}"
            case Instance():
                tail = f"db:{resource.identifier}"
            case CustomEndpoint():
                tail = f"cluster-endpoint:{resource.identifier}"
            case Deployment():
                tail = f"deployment:{resource.identifier}"
            case ParameterGroup():
                tail = f"{'cluster-pg' if resource.cluster else 'pg'}:{resource.name}"
            case Snapshot():
                tail = f"cluster-snapshot:{resource.identifier}"
        return f"arn:aws:rds:{self.region}:{self.account}:{tail}"

    @property
    def instances(self) -> list[Instance]:
        """Every instance of every cluster."""
        return [instance for cluster in self.clusters for instance in cluster.instances]

    @property
    def custom_endpoints(self) -> list[CustomEndpoint]:
        """Every custom endpoint of every cluster."""
        return [endpoint for cluster in self.clusters for endpoint in cluster.endpoints]

    def cluster(self, name: str) -> Cluster:
        """Return the cluster with this identifier or ARN, or raise DBClusterNotFoundFault."""
        for cluster in self.clusters:
            if name.lower() == cluster.identifier or name == self.arn(cluster):
                return cluster
        raise errors.cluster_not_found(name)

    def instance(self, name: str) -> Instance:
        """Return the instance with this identifier or ARN, or raise DBInstanceNotFound."""
        for instance in self.instances:
            if name.lower() == instance.identifier or name == self.arn(instance):
                return instance
        raise errors.instance_not_found(name)

    def group(self, name: str, *, cluster: bool, named: bool = False) -> ParameterGroup:
        """Return a parameter group by name, or raise AWS's error, which differs where it is named.

        So it is where a cluster or a deployment names it as its own.
        """
        for group in self.groups:
            if group.cluster == cluster and group.name == name.lower():
                return group
        raise errors.group_not_found(name, cluster=cluster, named=named)

    def fitting_group(self, name: str | None, version: str, *, cluster: bool) -> ParameterGroup:
        """Return the group, or the family's default one; refuse a group of another family."""
        wanted = family(version)
        group = self.group(name or f"default.{wanted}", cluster=cluster, named=True)
        if group.family != wanted:
            raise errors.invalid_combination(
                f"The Parameter Group {group.name} with DBParameterGroupFamily {group.family} "
                f"cannot be used for this instance. Please use a Parameter Group with "
                f"DBParameterGroupFamily {wanted}"
            )
        return group

    def claim_cluster_name(self, identifier: str) -> None:
        """Refuse a cluster name that is taken."""
        if any(cluster.identifier == identifier for cluster in self.clusters):
            raise errors.cluster_exists(identifier)

    def claim_instance_name(self, identifier: str) -> None:
        """Refuse an instance name that is taken."""
        if any(instance.identifier == identifier for instance in self.instances):
            raise errors.instance_exists()

    def deployment_of(self, cluster: Cluster) -> Deployment | None:
        """Return the deployment that the cluster is a side of, if any."""
        for deployment in self.deployments:
            if cluster in (deployment.source, deployment.target):
                return deployment
        return None

    # Endpoints

    def route(self, cluster: Cluster) -> None:
        """Lead the names of a cluster and its members to its server, or nowhere without one."""
        serving = cluster.resource_id if cluster.writer else None
        names: list[Named] = [cluster, *cluster.instances, *cluster.endpoints]
        for each in names:
            self.endpoints.route(_endpoint(each), serving)
        self.endpoints.present(
            cluster.resource_id,
            self.hosts.of(cluster),
            lambda: certificate_trail(self.orders, self.pace, cluster),
        )

    def identify(self, cluster: Cluster) -> None:
        """Let the server say which instance it is; not under the lock, for it may take a while."""
        if cluster.writer:
            readers = [each.identifier for each in cluster.instances if not each.is_writer]
            self.fleet.set_identity(cluster.resource_id, cluster.writer.identifier, readers)

    def release(self, named: Named) -> None:
        """Close an endpoint so that whoever gets its name next does not inherit where it led."""
        self.endpoints.route(_endpoint(named), None)
        self.endpoints.close(_endpoint(named))

    def name(self, named: Named, identifier: str) -> None:
        """Give a cluster, an instance or an endpoint a name, and with it the port of that name."""
        named.identifier = identifier
        named.port = self.endpoints.open(_endpoint(named))

    # Servers

    def parameters(self, family: str) -> Family:
        """Return the parameters of a family, by name."""
        if family not in self._families:
            major = int(family.removeprefix(ENGINE))
            self._families[family] = family_of(self.fleet.server_settings(major))
        return self._families[family]

    def settings(self, cluster: Cluster) -> dict[str, str]:
        """Return what the cluster's server is to run with after its next start."""
        if cluster.writer is None:
            return {}
        return server_settings(cluster.writer.parameters(), cluster.version)

    # Work

    def event(
        self, resource: Cluster | Instance | Deployment | Snapshot, message: str, category: str
    ) -> None:
        """Write an event about a resource."""
        match resource:
            case Cluster():
                source_type = events.CLUSTER
            case Instance():
                source_type = events.INSTANCE
            case Deployment():
                source_type = events.DEPLOYMENT
            case Snapshot():
                source_type = events.SNAPSHOT
        self.events.write(source_type, resource.identifier, self.arn(resource), message, category)

    def background(
        self,
        title: str,
        work: Callable[[], None],
        *,
        of: Cluster | Instance | Deployment | None = None,
        failed: Callable[[str], None] | None = None,
    ) -> None:
        """Run the rest of an action in a thread.

        A failure is logged with its title, written as an event of the resource that it is `of`, and
        told to `failed`, with the lock held. Called with the lock held, the work begins after the
        action has made its answer.
        """

        def run() -> None:
            with self.lock:
                pass
            try:
                work()
            except Stopped:
                _log.info("%s: stopped with the lab", title)
            except Exception as error:
                _log.exception("%s failed", title)
                words = f"{title} failed: {type(error).__name__}: {' '.join(str(error).split())}"
                with self.lock:
                    if of is not None:
                        self.event(of, words, "failure")
                    if failed is not None:
                        failed(words)

        worker = threading.Thread(target=run, name=title, daemon=True)
        with self.lock:
            self._workers = [each for each in self._workers if each.is_alive()]
            self._workers.append(worker)
        worker.start()

    @property
    def workers(self) -> list[threading.Thread]:
        """The work in progress, named by what it does."""
        with self.lock:
            return list(self._workers)

    def settle(self, timeout_s: float) -> bool:
        """Wait for all work in progress; tell whether it ended in time."""
        deadline = time.monotonic() + timeout_s
        workers = self.workers
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        return not any(worker.is_alive() for worker in workers)


def _endpoint(named: Named) -> str:
    match named:
        case Cluster():
            kind = "cluster"
        case Instance():
            kind = "db"
        case CustomEndpoint():
            kind = "custom"
    return f"{kind}:{named.identifier}"


def check_identifier(identifier: str, parameter: str) -> str:
    """Return an identifier in lower case, or refuse it as AWS does.

    1 to 63 letters, digits or hyphens; first a letter; no two hyphens together, none at the end.

    Raises `RdsFault`.
    """
    plain = identifier.replace("-", "")
    if (
        not 1 <= len(identifier) <= 63
        or not identifier[0].isalpha()
        or not (plain.isalnum() and plain.isascii())
        or "--" in identifier
        or identifier.endswith("-")
    ):
        raise RdsFault(
            "InvalidParameterValue",
            f"The parameter {parameter} is not a valid identifier. Identifiers must begin with a "
            "letter; must contain only ASCII letters, digits, and hyphens; and must not end with "
            "a hyphen or contain two consecutive hyphens.",
        )
    return identifier.lower()
