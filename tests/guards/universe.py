"""The simulated world: clusters, what flows between them, the application, and time.

It claims: names, endpoints and tags behave as AWS's do (names move, resource ids never; endpoints
trail a rename; describes may trail a change; a deployment locks old blue until it is deleted);
slots keep what was written after them and nothing before; a subscription applies all that its slot
has, in order; NOLOGIN, the read-only default and AWS's lock keep writes off as PostgreSQL's do.

It does not claim to know SQL, transactions that overlap, WAL in bytes, failovers, quotas, IAM, or
how long anything takes: times are short and round, their order is what counts.
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

from tests.guards.clock import Clock
from tests.guards.faults import Faults
from tests.guards.things import (
    APPLICATION,
    DATABASES,
    NOBODY,
    PRODUCTION,
    SOMEBODY,
    WRITTEN,
    Application,
    Cluster,
    Database,
    Deployment,
    Group,
    Instance,
    LoginRole,
    Snapshot,
    Subscription,
)

OLD, NEW = "16.14", "18.4"
DNS_S = 3.0
"""How long an endpoint goes on leading to where it led before."""
REPLICATES_EVERY_S = 0.2
WRITES_EVERY_S = 0.4


def endpoint(name: str) -> str:
    return f"{name}.cluster-sim.test"


class Universe:
    """Everything there is outside of blueprime and its journal."""

    def __init__(
        self, *, instances: int = 2, protected: bool = False, tagless: bool = False
    ) -> None:
        self.clock = Clock()
        self.faults = Faults()
        self.clusters: dict[str, Cluster] = {}
        self.instances: dict[str, Instance] = {}
        self.deployments: dict[str, Deployment] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.groups: dict[str, Group] = {"blue-pg": Group("blue-pg", "aurora-postgresql16", NOBODY)}
        self.dns: dict[str, str] = {}
        self.lead = endpoint(PRODUCTION)
        """The host that the application connects to."""
        self.application = Application()
        self.acting = ""
        """The run that performs something just now."""
        self.accepted_loss = False
        """Whether a person accepted by name that writes may be missing."""
        self.consents: set[tuple[str, str, str]] = set()
        """Run, gate and what was typed."""
        self.made: list[tuple[str, str, str]] = []
        """Run, kind and name of everything that a run made."""
        self.tagless = tagless
        """Whether AWS lets nobody tag what is there already."""
        self.changes: Counter[str] = Counter()
        """How often each run has changed something, from whichever journal."""
        self._serial = 0
        self._replicated = self._tried = 0.0
        blue = self.new_cluster(PRODUCTION, OLD, NOBODY, "blue-pg")
        blue.protected = protected
        blue.databases = {name: Database() for name in DATABASES}
        blue.roles = {"postgres": LoginRole(), APPLICATION: LoginRole()}
        for number in range(1, instances + 1):
            self.new_instance(f"{PRODUCTION}-{number}", blue)
        self.pass_time(1.0)

    # What there is.

    def serial(self) -> int:
        self._serial += 1
        return self._serial

    def new_cluster(self, name: str, version: str, made_by: str, group: str) -> Cluster:
        number = self.serial()
        made = Cluster(f"cluster-{number:04}", name, version, made_by, group)
        made.system = number
        self.clusters[made.resource_id] = made
        self.dns[endpoint(name)] = made.resource_id
        return made

    def new_instance(self, name: str, cluster: Cluster) -> Instance:
        made = Instance(name, f"db-{self.serial():04}", cluster.resource_id)
        self.instances[made.resource_id] = made
        return made

    def named(self, name: str) -> Cluster | None:
        return next((each for each in self.clusters.values() if each.name == name), None)

    def instance_named(self, name: str) -> Instance | None:
        return next((each for each in self.instances.values() if each.name == name), None)

    def members(self, cluster: Cluster) -> list[Instance]:
        """Return a cluster's instances; the first is the writer."""
        found = (i for i in self.instances.values() if i.cluster == cluster.resource_id)
        return sorted(found, key=lambda each: each.name)

    def reached(self, host: str) -> Cluster | None:
        """Return the cluster that answers at a host now, if one does."""
        cluster = self.clusters.get(self.dns.get(host, ""))
        if cluster is None or cluster.status in ("creating", "deleting"):
            return None
        up = any(each.status == "available" for each in self.members(cluster))
        return cluster if up else None

    def serving(self) -> Cluster | None:
        """Return the cluster that the application is led to, up or not."""
        return self.clusters.get(self.dns.get(self.lead, ""))

    def serves(self, cluster: Cluster) -> bool:
        """Return whether the application is led to a cluster that lets it in."""
        return cluster is self.serving() and cluster.open

    def in_use(self, cluster: Cluster) -> bool:
        """Return whether the application is at work on a cluster, or comes back to it by itself."""
        return self.application.running and self.serves(cluster)

    def opened(self) -> list[Cluster]:
        """Return the clusters on which the application could write; not those of strangers."""
        return [c for c in self.clusters.values() if c.open and c.made_by != SOMEBODY]

    # Names.

    def rename(self, cluster: Cluster, name: str) -> None:
        """Give a cluster a name: the endpoint follows later."""
        self.clock.later(DNS_S, "endpoint_moves", cluster.name, name, cluster.resource_id)
        cluster.name = name

    def endpoint_moves(self, former: str, name: str, resource_id: str) -> None:
        if self.dns.get(endpoint(former)) == resource_id and self.named(former) is None:
            del self.dns[endpoint(former)]
        self.dns[endpoint(name)] = resource_id

    def drop_connections(self, cluster: Cluster) -> None:
        cluster.generation += 1

    def remove_cluster(self, resource_id: str) -> None:
        """Take a cluster and its instances away."""
        cluster = self.clusters.pop(resource_id, None)
        if cluster is None:
            return
        for each in [i for i in self.instances.values() if i.cluster == resource_id]:
            del self.instances[each.resource_id]
        for host in [h for h, led_to in self.dns.items() if led_to == resource_id]:
            del self.dns[host]

    def copy_data(self, source: Cluster, target: Cluster) -> None:
        """Give a cluster another's contents: roles, databases and their settings; no slots."""
        target.databases = copy.deepcopy(source.databases)
        target.roles = copy.deepcopy(source.roles)
        target.wal, target.xid = source.wal, source.xid

    # Time.

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with all that goes on meanwhile."""
        self.clock.advance(seconds, self._happens)
        self.tick()

    def _happens(self, what: str, args: tuple[Any, ...]) -> None:
        self.tick()
        getattr(self, what)(*args)
        self.tick(changed=True)

    def tick(self, *, changed: bool = False) -> None:
        """The application writes if it can, and what was written flows on."""
        if changed or self.clock.now - self._tried >= WRITES_EVERY_S:
            self._tried = self.clock.now
            self._write()
        if self.clock.now - self._replicated >= REPLICATES_EVERY_S:
            self._replicated = self.clock.now
            self.replicate()

    def _write(self) -> None:
        app = self.application
        if not app.running:
            app.session = None
            return
        cluster = self.clusters.get(app.session[0]) if app.session else None
        if app.session and (cluster is None or cluster.generation != app.session[1]):
            app.session = None
        if app.session is None:
            cluster = self.reached(self.lead)
            if cluster is None or cluster.locked or not cluster.roles[APPLICATION].login:
                return
            read_only = cluster.following or cluster.databases[WRITTEN].read_only
            app.session = (cluster.resource_id, cluster.generation, read_only)
        if cluster is None or cluster.locked or app.session[2]:
            app.session = None
            return
        self._insert(cluster)

    def _insert(self, cluster: Cluster) -> None:
        app, database = self.application, cluster.databases[WRITTEN]
        cluster.wal += 10
        cluster.xid += 1
        database.sequence += 1
        database.written += 1
        database.rows[app.next_row] = cluster.wal
        app.acknowledged[app.next_row] = database.sequence
        app.next_row += 1

    # What flows.

    def replicate(self) -> None:
        """AWS feeds green from blue; subscriptions apply what their slots have."""
        for cluster in self.clusters.values():
            for slot in cluster.slots.values():
                slot.active = False
        for deployment in self.deployments.values():
            if deployment.status == "AVAILABLE" and deployment.target in self.clusters:
                self.feed_green(deployment)
        for cluster in list(self.clusters.values()):
            for name, database in cluster.databases.items():
                for subscription in database.subscriptions.values():
                    self._apply(cluster, name, subscription)

    def feed_green(self, deployment: Deployment) -> None:
        blue, green = self.clusters[deployment.source], self.clusters[deployment.target]
        for name, database in blue.databases.items():
            slot = blue.slots[f"rds_{name}"]
            self.copy_rows(green, name, database.rows, after=slot.confirmed)
            slot.confirmed, slot.active = blue.wal, True

    def copy_rows(self, cluster: Cluster, name: str, rows: dict[int, int], *, after: int) -> None:
        """Bring to a database what it lacks of rows that were written after a position."""
        into = cluster.databases[name]
        new: list[int] = []
        for row, at in reversed(rows.items()):
            if at <= after:
                break
            new.append(row)
        new = [row for row in reversed(new) if row not in into.rows]
        for row in new:
            cluster.wal += 10
            into.rows[row] = cluster.wal
        into.written += len(new)

    def _apply(self, cluster: Cluster, name: str, subscription: Subscription) -> None:
        subscription.working = False
        publisher = self.clusters.get(subscription.to[0])
        if publisher is None or publisher.generation != subscription.to[1]:
            subscription.since, publisher = None, self.reached(subscription.host)
        if publisher is None or not subscription.enabled or not self.reached_by_workers(cluster):
            subscription.since = None
            return
        slot = publisher.slots.get(subscription.slot)
        role = publisher.roles.get(subscription.role)
        allowed = role is not None and role.login and role.password == subscription.password
        if slot is None or slot.lost or slot.database != name:
            subscription.since = None
            return
        if subscription.since is None:
            # A worker that is connected goes on with a password that is no longer good.
            if not allowed:
                return
            subscription.since = self.clock.now
            subscription.to = (publisher.resource_id, publisher.generation)
        subscription.working = slot.active = True
        slot.since = subscription.since
        self.copy_rows(cluster, name, publisher.databases[name].rows, after=slot.confirmed)
        slot.confirmed = publisher.wal

    def reached_by_workers(self, cluster: Cluster) -> bool:
        """Return whether a cluster has an instance up, in which its workers could run."""
        return any(each.status == "available" for each in self.members(cluster))
