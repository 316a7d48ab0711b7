"""AWS's side: each hazard planted in the lab's control plane is seen, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.aws.models import Cluster
from runbook.preflight import account, capacity, cluster, parameters
from runbook.preflight.check import Check
from runbook.preflight.result import Level
from tests.preflight.conftest import Plant, Site

BLOCK, WARN = Level.BLOCK, Level.WARN


def _cluster(site: Site) -> Cluster:
    return site.lab.control.clusters[0]


def _setting(name: str, value: Any) -> Plant:
    return lambda site: _cluster(site).settings.update({name: value})


def _parameter(name: str, value: str) -> Plant:
    return lambda site: _cluster(site).group.values.update({name: value})


def _writer(**changes: Any) -> Plant:
    def plant(site: Site) -> None:
        for name, value in changes.items():
            setattr(_cluster(site).instances[0], name, value)

    return plant


def _of_cluster(**changes: Any) -> Plant:
    def plant(site: Site) -> None:
        for name, value in changes.items():
            setattr(_cluster(site), name, value)

    return plant


def _long_name(site: Site) -> None:
    _cluster(site).instances[1].identifier = "orders-" + "x" * 44


def _no_writer(site: Site) -> None:
    for instance in _cluster(site).instances:
        instance.is_writer = False


def _default_group(site: Site) -> None:
    control = site.lab.control
    _cluster(site).group = control.group("default.aurora-postgresql16", cluster=True)


HAZARDS: list[tuple[Check, Plant, Level, str]] = [
    (cluster.status, _of_cluster(status="modifying"), BLOCK, "orders"),
    (cluster.status, _writer(status="rebooting"), BLOCK, "orders-1"),
    (cluster.members, _no_writer, BLOCK, "orders"),
    (cluster.master_password, _of_cluster(managed_secret=True), BLOCK, "orders"),
    (cluster.backups, _setting("BackupRetentionPeriod", 0), BLOCK, "orders"),
    (cluster.name, _long_name, WARN, "orders-" + "x" * 44),
    (parameters.group, _default_group, BLOCK, "default.aurora-postgresql16"),
    (
        parameters.logical_replication,
        _parameter("rds.logical_replication", "0"),
        BLOCK,
        "orders-pg16",
    ),
    (
        parameters.synchronous_commit,
        _parameter("synchronous_commit", "off"),
        BLOCK,
        "orders-pg16",
    ),
]


@pytest.mark.parametrize(
    ("check", "plant", "level", "subject"), HAZARDS, ids=lambda value: getattr(value, "key", None)
)
async def test_a_hazard_is_seen_where_it_is_and_not_where_it_is_not(
    site: Site, check: Check, plant: Plant, level: Level, subject: str
) -> None:
    await site.quiet(check)
    plant(site)
    await site.fires(check, level, subject)


async def test_another_account(site: Site) -> None:
    await site.quiet(account.identity)
    plan = site.changed("cluster", account="000000000001")
    result = await site.fires(account.identity, BLOCK, "471147110815", plan)
    assert "000000000001" in result.text


async def test_a_cluster_that_is_gone_or_renamed(site: Site) -> None:
    await site.quiet(cluster.found)
    gone = site.changed("cluster", resource_id="cluster-GONE")
    assert "cluster-GONE" in (await site.fires(cluster.found, BLOCK, "orders", gone)).text
    _cluster(site).identifier = "orders-old1"
    assert "orders-old1" in (await site.fires(cluster.found, BLOCK, "orders")).text


async def test_a_target_that_is_no_upgrade(site: Site) -> None:
    await site.quiet(cluster.target)
    for version in ("16.4", "15.10", "99.1"):
        plan = site.changed("upgrade", target_version=version)
        result = await site.fires(cluster.target, BLOCK, version, plan)
        assert "17.9" in result.remedy


async def test_a_version_without_blue_green_support(site: Site) -> None:
    await site.quiet(cluster.version)
    _cluster(site).version = "15.3"
    result = await site.fires(cluster.version, BLOCK, "orders")
    assert "15.4" in result.remedy


async def test_a_version_that_the_guide_does_not_name_yet(site: Site) -> None:
    plan = site.changed("upgrade", target_version="18.4")
    await site.fires(cluster.target, WARN, "18.4", plan)


async def test_a_pending_reboot_blocks_on_the_writer_and_warns_on_a_reader(site: Site) -> None:
    await site.quiet(parameters.in_sync)
    client = site.lab.client()
    client.modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="orders-pg16",
        Parameters=[
            {
                "ParameterName": "max_wal_senders",
                "ParameterValue": "50",
                "ApplyMethod": "pending-reboot",
            }
        ],
    )
    site.lab.settle()
    results = await site.ask(parameters.in_sync)
    assert [(r.level, r.subject) for r in results] == [(BLOCK, "orders-1"), (WARN, "orders-2")]


async def test_somebody_elses_deployment(site: Site) -> None:
    await site.quiet(cluster.deployments)
    await _deploy(site, "theirs")
    result = await site.fires(
        cluster.deployments, BLOCK, site.lab.control.deployments[0].identifier
    )
    assert "theirs" in result.text


async def test_the_runs_own_deployment_is_no_hazard(site: Site) -> None:
    async with site.world() as world:
        await _deploy(site, world.name("bgd"))
    await site.quiet(cluster.deployments)


async def _deploy(site: Site, name: str) -> None:
    client = site.lab.client()
    client.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="green18",
        DBParameterGroupFamily="aurora-postgresql18",
        Description="green",
    )
    client.create_blue_green_deployment(
        BlueGreenDeploymentName=name,
        Source=site.lab.control.arn(_cluster(site)),
        TargetEngineVersion="18.4",
        TargetDBClusterParameterGroupName="green18",
    )


async def test_a_target_group_of_the_wrong_family_or_without_logical_replication(
    site: Site,
) -> None:
    check = parameters.target_group
    await site.quiet(check)
    for family in ("16", "17"):
        site.lab.client().create_db_cluster_parameter_group(
            DBClusterParameterGroupName=f"mine{family}",
            DBParameterGroupFamily=f"aurora-postgresql{family}",
            Description="mine",
        )
    nowhere = site.changed("upgrade", cluster_parameter_group="nowhere")
    await site.fires(check, BLOCK, "nowhere", nowhere)
    wrong = site.changed("upgrade", cluster_parameter_group="mine16")
    assert "aurora-postgresql17" in (await site.fires(check, BLOCK, "mine16", wrong)).text
    bare = site.changed("upgrade", cluster_parameter_group="mine17")
    assert "logical_replication" in (await site.fires(check, BLOCK, "mine17", bare)).text
    site.lab.control.group("mine17", cluster=True).values["rds.logical_replication"] = "1"
    await site.quiet(check, bare)


async def test_a_custom_instance_group_needs_a_counterpart(site: Site) -> None:
    check = parameters.instance_group
    await site.quiet(check)
    client = site.lab.client()
    for family in ("16", "17"):
        client.create_db_parameter_group(
            DBParameterGroupName=f"instances{family}",
            DBParameterGroupFamily=f"aurora-postgresql{family}",
            Description="mine",
        )
    control = site.lab.control
    _cluster(site).instances[0].group = control.group("instances16", cluster=False)
    await site.fires(check, WARN, "instances16")
    kept = site.changed("upgrade", instance_parameter_group="instances16")
    await site.fires(check, BLOCK, "instances16", kept)
    await site.quiet(check, site.changed("upgrade", instance_parameter_group="instances17"))


async def test_a_volume_with_many_clones(site: Site) -> None:
    await site.quiet(capacity.clones)
    _cluster(site).clone_group = "cg-1"
    client = site.lab.client()
    for number in range(15):
        client.restore_db_cluster_to_point_in_time(
            DBClusterIdentifier=f"clone-{number}",
            SourceDBClusterIdentifier="orders",
            RestoreType="copy-on-write",
            UseLatestRestorableTime=True,
        )
    result = await site.fires(capacity.clones, WARN, "orders")
    assert "16 clusters" in result.text


async def test_quotas_with_and_without_room(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.quiet(capacity.quotas)
    from runbook.aws.rds import Quota, Rds

    async def tight(_: Rds) -> dict[str, Quota]:
        return {"DBClusters": Quota(39, 40), "DBInstances": Quota(36, 40)}

    monkeypatch.setattr(Rds, "account_quotas", tight)
    result = await site.fires(capacity.quotas, BLOCK, "DBClusters")
    assert "2 more" in result.text


async def test_deletion_protection_is_told(site: Site) -> None:
    for on, word in ((False, "off"), (True, "on;")):
        _cluster(site).settings["DeletionProtection"] = on
        (result,) = await site.ask(cluster.deletion_protection)
        assert result.level is Level.PASS
        assert result.text.startswith(f"deletion protection is {word}")
