"""What AWS demands of a blue/green deployment before it makes one.

Some demands refuse the call. The rest are met with an accepted call and a deployment that ends in
`INVALID_CONFIGURATION`, with the reason in `StatusDetails` and in event 0245.
"""

from __future__ import annotations

from rehearsal.aws import errors
from rehearsal.aws.control import Control
from rehearsal.aws.models import Cluster, Deployment, ParameterGroup
from rehearsal.aws.parameters import evaluate
from rehearsal.aws.registry import Params
from rehearsal.aws.versions import ENGINE, family, supports_blue_green

_NOT_FOR_AURORA = (
    "TargetDBInstanceClass", "TargetIops", "TargetStorageType", "TargetAllocatedStorage",
    "TargetStorageThroughput", "UpgradeTargetStorageConfig",
)  # fmt: skip

LOGICAL_REPLICATION_OFF = (
    "Blue/Green Deployments require a DB cluster with logical replication enabled. Before you "
    "create a Blue/Green Deployment for a DB cluster, associate the DB cluster with a custom DB "
    "cluster parameter group that enables logical replication."
)

_HELP = (
    "See https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments.html "
    "to help resolve the issues, then delete and recreate the blue/green deployment."
)

_ENGINE_WORKERS = "4"
"""PostgreSQL's own max_logical_replication_workers, where no group sets one."""


def check_name(control: Control, name: str) -> str:
    """Return a deployment's name, or refuse one that is taken."""
    if any(each.name == name for each in control.deployments):
        raise errors.deployment_exists(name)
    return name


def check_source(control: Control, cluster: Cluster) -> None:
    """Refuse a cluster that cannot be the source of a deployment now, or at all."""
    if cluster.status != "available":
        raise errors.cluster_not_available(cluster.identifier, cluster.status)
    if cluster.writer is None:
        raise errors.cluster_state(f"DB cluster {cluster.identifier} has no DB instances.")
    for member in cluster.instances:
        if member.status != "available":
            raise errors.instance_state(member.identifier)
    if control.deployment_of(cluster):
        raise errors.source_not_supported(
            f"DB cluster {cluster.identifier} is already part of a blue/green deployment."
        )
    if not supports_blue_green(cluster.version):
        raise errors.source_not_supported(
            f"Blue/Green Deployments aren't supported for {ENGINE} version {cluster.version}."
        )
    if cluster.managed_secret:
        raise errors.source_not_supported(
            "Blue Green Deployments do not support DB clusters that manage the master user "
            "password in Secrets Manager."
        )
    if cluster.settings["BackupRetentionPeriod"] < 1:
        raise errors.source_not_supported(
            f"DB cluster {cluster.identifier} has no automated backups. Set a backup retention "
            "period of at least 1 day."
        )
    if cluster.group.effective()["rds.logical_replication"] != "1":
        raise errors.source_not_supported(LOGICAL_REPLICATION_OFF)


def check_target(
    control: Control, cluster: Cluster, params: Params
) -> tuple[str, ParameterGroup, ParameterGroup | None]:
    """Return green's version, cluster group and instance group (None: as on blue)."""
    for setting in _NOT_FOR_AURORA:
        if params.get(setting) is not None:
            raise errors.invalid_combination(
                f"{setting} can't be specified for an Aurora DB cluster."
            )
    version = params.get("TargetEngineVersion") or cluster.version
    if version != cluster.version and version not in control.catalogue.upgrade_targets(
        cluster.version
    ):
        known = version in control.catalogue.versions
        raise errors.invalid_combination(
            f"Cannot upgrade {ENGINE} from {cluster.version} to {version}"
            if known
            else f"Cannot find version {version} for {ENGINE}"
        )
    if not supports_blue_green(version):
        raise errors.invalid_combination(
            f"Blue/Green Deployments aren't supported for {ENGINE} version {version}."
        )
    if version not in control.catalogue.served:
        raise errors.invalid_combination(
            f"Cannot find version {version} for {ENGINE}: the rehearsal lab has no server of it."
        )
    group = control.fitting_group(
        params.get("TargetDBClusterParameterGroupName") or cluster.group.name,
        version,
        cluster=True,
    )
    name = params.get("TargetDBParameterGroupName")
    if name:
        return version, group, control.fitting_group(name, version, cluster=False)
    for member in cluster.instances:
        if not member.group.is_default and member.group.family != family(version):
            control.fitting_group(member.group.name, version, cluster=False)
    return version, group, None


def late_refusal(control: Control, deployment: Deployment) -> str | None:
    """Return why the creation fails after it was accepted, in AWS's words, or None.

    The writer must be in sync with its group; blue must be no publisher or subscriber, nor have
    logical slots; slots, senders and workers must exceed the number of databases with `rdsadmin`
    (the exact formula is AWS's secret).
    """
    blue = deployment.source
    writer = blue.writer
    if writer is None:
        return f"Creation of blue/green deployment failed: {blue.identifier} has no writer."
    if writer.cluster_group_status != "in-sync":
        return (
            "Creation of blue/green deployment failed because the writer instance "
            f"{writer.identifier} isn't in sync with the DB cluster parameter group "
            f"{blue.group.name}. Reboot it, then delete and recreate the blue/green deployment."
        )
    if control.fleet.other_replication(blue.resource_id):
        return (
            "Creation of blue/green deployment failed due to incompatible parameter settings. "
            + _HELP
        )
    needed = len(control.fleet.databases(blue.resource_id)) + 1
    green = {
        name: evaluate(value, writer.instance_class)
        for name, value in deployment.target_group.effective().items()
        if value is not None
    }
    workers = "max_logical_replication_workers"
    demands = (
        (writer.parameters(), "max_replication_slots"),
        (writer.parameters(), "max_wal_senders"),
        (writer.parameters(), workers),
        (green, "max_replication_slots"),
        (green, workers),
    )
    short = [name for values, name in demands if int(values.get(name, _ENGINE_WORKERS)) <= needed]
    if short:
        return (
            "Creation of blue/green deployment failed due to incompatible parameter(s): "
            f"{', and '.join(dict.fromkeys(short))}. {_HELP}"
        )
    return None
