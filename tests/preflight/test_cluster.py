"""AWS's side: each hazard planted in the lab's control plane is seen, and nothing else is."""

from __future__ import annotations

import pytest

from rehearsal.aws.models import Cluster
from runbook.base import derived_names
from runbook.base.context import RUN_TAG
from runbook.preflight.checks import account, capacity, cluster, derived, parameters
from runbook.preflight.result import Level
from tests.preflight.conftest import Site

BLOCK, WARN = Level.BLOCK, Level.WARN


def _cluster(site: Site) -> Cluster:
    return site.lab.control.clusters[0]


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


async def test_a_version_that_is_too_old_for_blueprime(site: Site) -> None:
    await site.quiet(cluster.version)
    _cluster(site).version = "12.22"
    result = await site.fires(cluster.version, BLOCK, "orders")
    assert "13 and later" in result.text


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
    await _deploy(site, derived_names.deployment("t35t"))
    await site.quiet(cluster.deployments)


async def test_what_the_run_has_made_itself_takes_no_name_from_it(site: Site) -> None:
    site.lab.client().create_db_cluster_parameter_group(
        DBClusterParameterGroupName=derived_names.parameter_group("t35t"),
        DBParameterGroupFamily="aurora-postgresql17",
        Description="its own",
        Tags=[{"Key": RUN_TAG, "Value": "t35t"}],
    )
    await site.quiet(derived.derived)


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


async def test_quotas_with_and_without_room(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.quiet(capacity.quotas)
    from runbook.aws.facts import Quota
    from runbook.aws.rds import Rds

    async def tight(_: Rds) -> dict[str, Quota]:
        return {
            "DBClusters": Quota(39, 40),
            "DBInstances": Quota(36, 40),
            "DBClusterParameterGroups": Quota(1, 50),
        }

    monkeypatch.setattr(Rds, "account_quotas", tight)
    result = await site.fires(capacity.quotas, BLOCK, "DBClusters")
    assert "2 more" in result.text


async def test_deletion_protection_is_told(site: Site) -> None:
    for on, word in ((False, "off"), (True, "on;")):
        _cluster(site).settings["DeletionProtection"] = on
        (result,) = await site.ask(cluster.deletion_protection)
        assert result.level is Level.PASS
        assert result.text.startswith(f"deletion protection is {word}")
