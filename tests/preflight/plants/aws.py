"""AWS's side: the account, the cluster, its groups, and room."""

from __future__ import annotations

from runbook.fix import Mend
from runbook.preflight import account, capacity, cluster, parameters
from tests.preflight.plants.planting import (
    BLOCK,
    LONG_NAME,
    WARN,
    Planted,
    changed_since,
    clones,
    cluster_has,
    custom_instance_group,
    default_group,
    deployed,
    full_of_clusters,
    instance_has,
    integrated,
    no_writer,
    parameter,
    scaled,
    session,
    setting,
    system,
)
from tests.rehearsal_aws.conftest import ACCOUNT

PLANTS: tuple[Planted, ...] = (
    Planted(account.identity, BLOCK, ACCOUNT, plan={"cluster": {"account": "000000000001"}}),
    Planted(cluster.found, BLOCK, "orders", aws=cluster_has(identifier="orders-old1")),
    Planted(cluster.status, BLOCK, "orders", aws=cluster_has(status="modifying")),
    Planted(cluster.status, BLOCK, "orders-1", aws=instance_has(0, status="rebooting")),
    Planted(cluster.members, BLOCK, "orders", aws=no_writer),
    Planted(cluster.version, BLOCK, "orders", aws=cluster_has(version="15.3")),
    Planted(cluster.target, BLOCK, "16.4", plan={"upgrade": {"target_version": "16.4"}}),
    Planted(cluster.target, WARN, "18.4", plan={"upgrade": {"target_version": "18.4"}}),
    Planted(cluster.kind, BLOCK, "orders", aws=setting("EngineMode", "serverless")),
    Planted(
        cluster.kind,
        BLOCK,
        "orders",
        aws=setting("ReplicationSourceIdentifier", "arn:aws:rds:eu-west-1:1:cluster:orders"),
        says="eu-west-1",
    ),
    Planted(cluster.kind, WARN, "orders", aws=setting("GlobalWriteForwardingStatus", "enabled")),
    Planted(cluster.master_password, BLOCK, "orders", aws=cluster_has(managed_secret=True)),
    Planted(cluster.backups, BLOCK, "orders", aws=setting("BackupRetentionPeriod", 0)),
    Planted(cluster.deployments, BLOCK, "bgd-theirs0000000000", aws=deployed, says="theirs"),
    Planted(cluster.name, WARN, LONG_NAME, aws=instance_has(1, identifier=LONG_NAME)),
    Planted(
        cluster.not_copied,
        WARN,
        "arn:aws:iam::1:role/export",
        aws=setting(
            "AssociatedRoles", [{"RoleArn": "arn:aws:iam::1:role/export", "Status": "ACTIVE"}]
        ),
    ),
    Planted(cluster.auto_scaling, WARN, "orders", held=scaled),
    Planted(cluster.zero_etl, BLOCK, "to-lake", aws=integrated),
    Planted(cluster.slot_race, WARN, "orders", aws=cluster_has(version="16.8")),
    Planted(parameters.group, BLOCK, "default.aurora-postgresql16", aws=default_group),
    Planted(parameters.in_sync, BLOCK, "orders-1", aws=changed_since),
    Planted(
        parameters.logical_replication,
        BLOCK,
        "orders-pg16",
        aws=parameter("rds.logical_replication", "0"),
    ),
    Planted(
        parameters.pending_restart,
        BLOCK,
        "orders",
        held=system("max_wal_senders", "41"),
        says="max_wal_senders",
    ),
    Planted(
        parameters.synchronous_commit,
        BLOCK,
        "orders-pg16",
        aws=parameter("synchronous_commit", "off"),
    ),
    Planted(
        parameters.sizing,
        WARN,
        "orders-pg16",
        aws=lambda site: setattr(parameters, "_SPARE_PROCESSES", 100),
        patches=((parameters, "_SPARE_PROCESSES", 4),),
        says="max_worker_processes",
    ),
    Planted(
        parameters.target_group,
        BLOCK,
        "nowhere",
        plan={"upgrade": {"cluster_parameter_group": "nowhere"}},
    ),
    Planted(parameters.instance_group, WARN, "instances16", aws=custom_instance_group),
    Planted(
        parameters.force_ssl,
        BLOCK,
        "orders-pg16",
        aws=parameter("rds.force_ssl", "1"),
        says="sslmode",
    ),
    Planted(
        parameters.force_ssl,
        WARN,
        "app_writer",
        before=(),
        aws=parameter("rds.force_ssl", "1"),
        held=session(),
        plan_before={"credentials": {"sslmode": "prefer"}},
        plan={"credentials": {"sslmode": "prefer"}},
    ),
    Planted(capacity.quotas, BLOCK, "DBClusters", aws=full_of_clusters),
    Planted(capacity.clones, WARN, "orders", aws=clones),
    Planted(
        capacity.slot_limit, WARN, "orders-pg16", held=system("max_slot_wal_keep_size", "1000")
    ),
    Planted(
        capacity.kept_wal,
        WARN,
        "heavy",
        sql=("SELECT pg_create_logical_replication_slot('heavy', 'pgoutput')",),
        patches=((capacity, "_MUCH_WAL_BYTES", 0),),
        mend=Mend.DROP_SLOT,
    ),
)
