"""The production cluster that a lab starts with: a writer, a reader, and settings worth keeping."""

from __future__ import annotations

from rehearsal.aws import network
from rehearsal.aws.control import Control
from rehearsal.aws.custom_endpoints import add_endpoint
from rehearsal.aws.instances import add_instance
from rehearsal.aws.models import Cluster, CustomEndpoint, Instance, ParameterGroup
from rehearsal.aws.settings import cluster_defaults, instance_defaults
from rehearsal.aws.versions import family, split
from rehearsal.servers.seed import Seed

MASTER = "postgres"
INSTANCE_CLASS = "db.r6g.large"


def _parameter_group(control: Control, name: str, version: str, databases: int) -> ParameterGroup:
    """Return a custom group with logical replication, sized for every database and a way back."""
    room = max(20, 3 * databases)
    return ParameterGroup(
        f"{name}-pg{split(version)[0]}",
        family(version),
        f"Production settings of {name}",
        cluster=True,
        parameters=control.parameters(family(version)),
        values={
            "rds.logical_replication": "1",
            "max_replication_slots": str(room + 10),
            "max_wal_senders": str(room + 10),
            "max_logical_replication_workers": str(room),
            "max_worker_processes": str(room + 30),
            "idle_in_transaction_session_timeout": "600000",
        },
        tags={"Environment": "production"},
    )


def _instance(control: Control, cluster: Cluster, number: int, zone: str) -> Instance:
    """Return a member, the first one the writer."""
    return Instance(
        identifier=f"{cluster.identifier}-{number}",
        cluster=cluster,
        instance_class=INSTANCE_CLASS,
        group=control.group(f"default.{family(cluster.version)}", cluster=False),
        port=0,
        settings={**instance_defaults(), "AvailabilityZone": f"{control.region}{zone}"},
        tags=dict(cluster.tags),
        tier=number,
        is_writer=number == 1,
    )


def found_production(
    control: Control, *, name: str, version: str, password: str, seed: Seed
) -> Cluster:
    """Make the cluster with its server, databases and members, as if it had always been there."""
    group = _parameter_group(control, name, version, len(seed.databases) + 1)
    subnet_group, security_groups = network.found(control, name)
    tags = {"Environment": "production", "Team": "shop"}
    cluster = Cluster(
        identifier=name,
        version=version,
        group=group,
        master=MASTER,
        port=0,
        settings={
            **cluster_defaults(),
            "BackupRetentionPeriod": 7,
            "PreferredBackupWindow": "02:00-02:30",
            "DeletionProtection": True,
            "CopyTagsToSnapshot": True,
            "EnabledCloudwatchLogsExports": ["postgresql"],
            "DBSubnetGroup": subnet_group,
            "DatabaseName": seed.databases[0] if seed.databases else "postgres",
        },
        security_groups=security_groups,
        tags=tags,
    )
    instances = [_instance(control, cluster, number, zone) for number, zone in ((1, "a"), (2, "b"))]
    with control.lock:
        control.groups.append(group)
        control.name(cluster, name)
        for instance in instances:
            add_instance(control, instance)
        reports = f"{name[:54].rstrip('-')}-reports"
        add_endpoint(
            control, CustomEndpoint(reports, cluster, "READER", instances[1:], tags=dict(tags))
        )
    control.fleet.create(
        cluster.resource_id,
        version,
        control.settings(cluster),
        master_user=MASTER,
        master_password=password,
        seed=seed,
    )
    with control.lock:
        for instance in instances:
            instance.apply_groups()
            instance.status = "available"
        cluster.status = "available"
        control.clusters.append(cluster)
        control.route(cluster)
        control.event(cluster, "DB cluster created.", "creation")
    control.identify(cluster)
    return cluster
