"""How green is made: the servers' work at its own speed, and the states at AWS's."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import psycopg

from rehearsal.aws import operation_faults
from rehearsal.aws.clusters import forget_cluster
from rehearsal.aws.control import Control
from rehearsal.aws.custom_endpoints import add_endpoint
from rehearsal.aws.instances import add_instance
from rehearsal.aws.models import (
    Cluster,
    CustomEndpoint,
    Deployment,
    Instance,
    resource_id,
    suffix,
)
from rehearsal.aws.pace import Stopped
from rehearsal.aws.parameters import evaluate, server_settings
from rehearsal.aws.prerequisites import late_refusal
from rehearsal.servers.ground import ServerError
from rehearsal.servers.replication import Task

_log = logging.getLogger(__name__)

DURATIONS = {
    Task.CREATING_READ_REPLICA: "green-replica",
    Task.ENGINE_UPGRADE: "green-upgrade",
    Task.CREATE_INSTANCES: "green-instances",
    Task.CREATE_ENDPOINTS: "green-endpoints",
}

_PATIENCE_S = 2.0
_WATCH_S = 1.0


def tasks_of(blue: Cluster, target_version: str) -> dict[str, str]:
    """Return a new deployment's tasks in order.

    Without another version there is no upgrade, and without a custom endpoint no
    `CREATE_CUSTOM_ENDPOINTS`, as on AWS.
    """
    needless = {
        Task.ENGINE_UPGRADE: blue.version == target_version,
        Task.CREATE_ENDPOINTS: not blue.endpoints,
    }
    return {task.value: "PENDING" for task in DURATIONS if not needless.get(task)}


def provision(control: Control, deployment: Deployment) -> None:
    """Make green, or end in INVALID_CONFIGURATION with the reason; then watch the replication."""
    try:
        refusal = _refusal(control, deployment)
        if refusal is not None:
            with control.pace.at_least("green-replica"):
                deployment.tasks[Task.CREATING_READ_REPLICA.value] = "IN_PROGRESS"
            _fail(control, deployment, refusal)
            return
        _make(control, deployment)
    except Stopped:
        raise
    except Exception as error:
        # Whatever fails, blue's death among it, AWS ends its work and says so.
        _fail(control, deployment, f"Creation of blue/green deployment failed: {error}")
        raise
    _watch(control, deployment)


def _refusal(control: Control, deployment: Deployment) -> str | None:
    if control.orders.take(operation_faults.GREEN_FAILS):
        return operation_faults.GREEN_REASON
    return late_refusal(control, deployment)


def _make(control: Control, deployment: Deployment) -> None:
    green = _new_green(control, deployment)
    try:
        _Making(control, deployment, green)()
    except BaseException:
        deployment.target = None
        try:
            forget_cluster(control, green)
        except ServerError:
            # Why green was not made is what counts; what is left of it goes with the lab.
            _log.exception("green %s could not be removed", green.identifier)
        raise
    with control.lock:
        for pair in deployment.pairs:
            pair.status = "AVAILABLE"
        deployment.status = "AVAILABLE"
        control.event(
            deployment,
            "Blue/green deployment tasks completed. You can make more modifications to the "
            "green environment databases or switch over the deployment.",
            "creation",
        )
    if green.writer:
        operation_faults.green_member(control, green.writer)


def _fail(control: Control, deployment: Deployment, reason: str) -> None:
    with control.lock:
        begun = [name for name, status in deployment.tasks.items() if status == "IN_PROGRESS"]
        for name in begun or list(deployment.tasks)[:1]:
            deployment.tasks[name] = "FAILED"
        for pair in deployment.pairs:
            pair.target = None
        deployment.status = "INVALID_CONFIGURATION"
        deployment.details = reason
        control.event(deployment, reason, "failure")


def _new_green(control: Control, deployment: Deployment) -> Cluster:
    """Make green's record: at first a copy-on-write clone of blue, under a name of its own."""
    blue = deployment.source
    with control.lock:
        blue.clone_group = blue.clone_group or resource_id("clone-group").lower()
        green = Cluster(
            identifier=f"{blue.identifier}-green-{suffix()}",
            version=blue.version,
            group=blue.group,
            master=blue.master,
            port=0,
            settings=dict(blue.settings),
            security_groups=list(blue.security_groups),
            tags=dict(blue.tags),
            clone_group=blue.clone_group,
        )
        control.name(green, green.identifier)
        control.clusters.append(green)
        deployment.target = deployment.pairs[0].target = green
    return green


def _green_settings(deployment: Deployment) -> dict[str, str]:
    writer = deployment.source.writer
    instance_class = writer.instance_class if writer else ""
    values = dict(deployment.target_group.effective())
    if deployment.target_instance_group:
        values.update(deployment.target_instance_group.values)
    resolved = {
        name: evaluate(value, instance_class) for name, value in values.items() if value is not None
    }
    return server_settings(resolved, deployment.target_version)


class _Making:
    """Shows the tasks one by one, each as long as it takes on AWS and no shorter than the work.

    The work itself is not held up, since it keeps blue's volume to itself.
    """

    def __init__(self, control: Control, deployment: Deployment, green: Cluster) -> None:
        self._control = control
        self._deployment = deployment
        self._green = green
        self._completed = {task: Event() for task in Task}
        self._blocked = False

    def __call__(self) -> None:
        """Return when green is there; raise what the servers refused."""
        with ThreadPoolExecutor(1, f"replicate {self._deployment.name}") as pool:
            work = pool.submit(self._work)
            for task in DURATIONS:
                if task.value in self._deployment.tasks:
                    self._show(task, "IN_PROGRESS")
                    with self._control.pace.at_least(DURATIONS[task]):
                        while not self._completed[task].wait(_PATIENCE_S):
                            self._name_what_blocks()
                        if work.done():
                            work.result()
                    self._show(task, "COMPLETED")
            work.result()

    def _name_what_blocks(self) -> None:
        """Write event RDS-EVENT-0426 once when an open transaction holds up the replication.

        A slot is consistent only after every transaction that wrote before it has ended.
        """
        blue = self._deployment.source
        if self._blocked or not _has_long_transaction(self._control, blue):
            return
        self._blocked = True
        self._control.event(
            blue,
            f"RDS can't configure the DB cluster {blue.identifier} as a replication source because "
            "of idle or long-running transactions. Wait for the transactions to complete or cancel "
            "them, and try again.",
            "notification",
        )

    def _work(self) -> None:
        try:
            self._control.fleet.replicate(
                self._deployment.source.resource_id,
                self._green.resource_id,
                self._deployment.target_version,
                _green_settings(self._deployment),
                self._on_task,
            )
        finally:
            for completed in self._completed.values():
                completed.set()

    def _on_task(self, task: Task, status: str) -> None:
        if status == "COMPLETED":
            self._completed[task].set()

    def _show(self, task: Task, status: str) -> None:
        control, green, deployment = self._control, self._green, self._deployment
        with control.lock:
            deployment.tasks[task.value] = status
            match task, status:
                case Task.ENGINE_UPGRADE, "IN_PROGRESS":
                    green.status = "upgrading"
                    control.event(green, "Upgrade preparation in progress: Starting.", "upgrade")
                case Task.ENGINE_UPGRADE, "COMPLETED":
                    control.event(
                        green, "Database cluster major version has been upgraded", "maintenance"
                    )
                case Task.CREATE_INSTANCES, "IN_PROGRESS":
                    green.version = deployment.target_version
                    green.group = deployment.target_group
                    green.status = "available"
                    self._add_members()
                case Task.CREATE_INSTANCES, "COMPLETED":
                    for member in green.instances:
                        member.apply_groups()
                        member.status = "available"
                    control.route(green)
                case Task.CREATE_ENDPOINTS, "IN_PROGRESS":
                    self._add_endpoints()
        if (task, status) == (Task.CREATE_INSTANCES, "COMPLETED"):
            control.identify(green)

    def _add_members(self) -> None:
        for pair in self._deployment.pairs:
            blue_member = pair.source
            if not isinstance(blue_member, Instance):
                continue
            group = self._deployment.target_instance_group or self._control.fitting_group(
                None if blue_member.group.is_default else blue_member.group.name,
                self._deployment.target_version,
                cluster=False,
            )
            member = Instance(
                identifier=f"{blue_member.identifier}-green-{suffix()}",
                cluster=self._green,
                instance_class=blue_member.instance_class,
                group=group,
                port=0,
                settings=dict(blue_member.settings),
                tags=dict(blue_member.tags),
                tier=blue_member.tier,
                is_writer=blue_member.is_writer,
            )
            add_instance(self._control, member)
            pair.target = member

    def _add_endpoints(self) -> None:
        twins = {pair.source: pair.target for pair in self._deployment.pairs}
        for pair in self._deployment.pairs:
            if isinstance(of_blue := pair.source, CustomEndpoint):
                static, excluded = (
                    [twin for each in members if isinstance(twin := twins.get(each), Instance)]
                    for members in (of_blue.static, of_blue.excluded)
                )
                pair.target = CustomEndpoint(
                    f"{of_blue.identifier}-green-{suffix()}",
                    self._green,
                    of_blue.kind,
                    static,
                    excluded,
                    dict(of_blue.tags),
                )
                add_endpoint(self._control, pair.target)


def _has_long_transaction(control: Control, blue: Cluster) -> bool:
    """Tell whether a client's write transaction is open for longer than a slot should wait."""
    query = (
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE backend_xid IS NOT NULL"
        " AND backend_type = 'client backend' AND xact_start < now() - make_interval(secs => %s))"
    )
    try:
        with psycopg.connect(control.fleet.conninfo(blue.resource_id)) as connection:
            row = connection.execute(query, [_PATIENCE_S]).fetchone()
    except psycopg.Error:
        return False
    return row is not None and bool(row[0])


def _watch(control: Control, deployment: Deployment) -> None:
    """Say so when the replication degrades.

    The user guide names the state "Replication degraded" and forbids the switchover then; how
    the API shows it is not documented. Here the status stays AVAILABLE, `StatusDetails` says it,
    and the switchover's guardrails refuse. What passes, as a server that restarts, is taken back.
    """
    said = ""
    while deployment in control.deployments and not deployment.switched:
        green = deployment.target
        if deployment.status == "AVAILABLE" and green and not green.gone:
            state = control.fleet.replication_state(
                deployment.source.resource_id, green.resource_id
            )
            now = f"Replication degraded: {state.degraded}" if state.degraded else ""
            if now != said and deployment.status == "AVAILABLE":
                deployment.details = said = now
                if now:
                    control.event(deployment, now, "notification")
        control.pace.wait(_WATCH_S)
