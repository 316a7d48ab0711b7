"""Reads, and the calls that make blue prime and green's group, against the lab's control plane."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runbook.aws import Aws, Call
from runbook.aws.clone import carried_differences, clone_call, clone_instance_call
from runbook.aws.facts import Cluster
from runbook.aws.parameters import carry, create_group_call, modify_group_calls
from runbook.aws.rds import Rds
from state.enums import Environment
from tests.rehearsal_aws.conftest import ACCOUNT, REGION, Lab, until
from tests.rehearsal_aws.conftest import lab as lab  # the fixture


@pytest.fixture
def aws(lab: Lab, credentials: None, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setenv("AWS_ENDPOINT_URL", lab.url)
    return Aws(REGION)


async def _orders(rds: Rds) -> Cluster:
    cluster = await rds.cluster("orders")
    assert cluster is not None
    return cluster


async def test_who_and_where(aws: Aws) -> None:
    assert (await aws.identity()).account == ACCOUNT
    assert aws.environment is Environment.REHEARSAL


async def test_a_cluster_by_name_and_by_resource_id(aws: Aws) -> None:
    cluster = await _orders(aws.rds)
    assert await aws.rds.cluster_by_resource_id(cluster.resource_id) == cluster
    assert [c.identifier for c in await aws.rds.clusters()] == ["orders"]
    assert cluster.engine_version == "16.14"
    assert cluster.major == 16
    assert cluster.available
    assert cluster.deletion_protection
    assert cluster.backup_retention_days == 7
    assert cluster.parameter_group == "orders-pg16"
    assert cluster.tags == {"Environment": "production", "Team": "shop"}
    assert [(m.identifier, m.writer, m.parameter_group_status) for m in cluster.members] == [
        ("orders-1", True, "in-sync"),
        ("orders-2", False, "in-sync"),
    ]
    assert cluster.writer is not None
    assert cluster.writer.identifier == "orders-1"


async def test_what_is_not_there_is_none(aws: Aws) -> None:
    rds = aws.rds
    assert await rds.cluster("nowhere") is None
    assert await rds.cluster_by_resource_id("cluster-NOWHERE") is None
    assert await rds.instance("nowhere-1") is None
    assert await rds.deployment("bgd-0123456789abcdef") is None
    assert await rds.deployment_by_name("nowhere") is None
    assert await rds.engine_version("16.99") is None
    assert await rds.cluster_parameter_group("nowhere") is None
    assert await rds.instance_parameter_group("nowhere") is None
    assert await rds.snapshot("nowhere") is None
    assert await rds.tags(f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:nowhere") == {}
    assert await rds.instances("nowhere") == []
    assert await rds.custom_endpoints("absent") == []


async def test_instances(aws: Aws) -> None:
    one, two = await aws.rds.instances("orders")
    assert (one.identifier, two.identifier) == ("orders-1", "orders-2")
    assert one.cluster == "orders"
    assert one.instance_class == "db.r6g.large"
    assert one.available
    assert await aws.rds.instance("orders-1") == one


async def test_versions_and_parameters(aws: Aws) -> None:
    version = await aws.rds.engine_version("16.14")
    assert version is not None
    assert version.family == "aurora-postgresql16"
    targets = {target.version: target.is_major for target in version.upgrade_targets}
    assert targets["18.4"]
    group = await aws.rds.cluster_parameter_group("orders-pg16")
    assert group is not None
    assert group.family == "aurora-postgresql16"
    assert not group.default
    every = await aws.rds.cluster_parameters("orders-pg16")
    by_hand = await aws.rds.cluster_parameters("orders-pg16", source="user")
    assert every["rds.logical_replication"].value == "1"
    assert every["rds.logical_replication"].apply_type == "static"
    assert "synchronous_commit" in every
    assert "synchronous_commit" not in by_hand
    assert by_hand.items() <= every.items()
    quotas = await aws.rds.account_quotas()
    assert quotas["DBClusters"].used == 1
    assert quotas["DBClusters"].limit > 1


async def _settled(lab: Lab, aws: Aws, identifier: str) -> Cluster:
    await asyncio.to_thread(lab.settle)
    found = await aws.rds.cluster(identifier)
    assert found is not None
    assert found.available
    return found


async def test_a_clone_carries_every_setting_over(lab: Lab, aws: Aws) -> None:
    source = await _orders(aws.rds)
    call = clone_call(source, "bp-7f3a-prime", {"blueprime:run": "7f3a"})
    await aws.perform(call)
    clone = await _settled(lab, aws, "bp-7f3a-prime")
    # The lab gives each endpoint a local port of its own, whatever the call asks for.
    assert [line for line in carried_differences(source, clone) if "Port" not in line] == []
    assert clone.tags == {**source.tags, "blueprime:run": "7f3a"}
    source = await _orders(aws.rds)
    assert clone.clone_group_id == source.clone_group_id != ""
    assert await aws.rds.clone_group_size(clone.clone_group_id) == 2

    writer, _ = await aws.rds.instances("orders")
    await aws.perform(
        clone_instance_call(writer, "bp-7f3a-prime-1", clone.identifier, {"blueprime:run": "7f3a"})
    )
    copy = await aws.rds.instance("bp-7f3a-prime-1")
    assert copy is not None
    assert copy.instance_class == writer.instance_class
    assert copy.parameter_group == writer.parameter_group
    assert copy.raw["AvailabilityZone"] == writer.raw["AvailabilityZone"]
    assert copy.tags["blueprime:run"] == "7f3a"


async def test_a_bare_clone_is_seen_to_differ(lab: Lab, aws: Aws) -> None:
    source = await _orders(aws.rds)
    bare = {
        "DBClusterIdentifier": "bare",
        "SourceDBClusterIdentifier": "orders",
        "RestoreType": "copy-on-write",
        "UseLatestRestorableTime": True,
    }
    await aws.perform(Call("rds", "RestoreDBClusterToPointInTime", bare))
    lines = carried_differences(source, await _settled(lab, aws, "bare"))
    for setting in (
        "DBClusterParameterGroupName: orders-pg16 -> default.aurora-postgresql16",
        "DeletionProtection: True -> (none)",
        "EnableCloudwatchLogsExports: postgresql -> (none)",
        "tag Team: missing",
    ):
        assert setting in lines
    assert any(line.startswith("VpcSecurityGroupIds: sg-") for line in lines)


async def _make_group(aws: Aws, name: str) -> None:
    """Make a group of the new family with what was set by hand in blue's."""
    family = "aurora-postgresql18"
    carried = carry(
        await aws.rds.cluster_parameters("orders-pg16", source="user"),
        await aws.rds.family_parameters(family),
    )
    assert carried.dropped == ()
    await aws.perform(create_group_call(name, family, "for green", {"blueprime:run": "7f3a"}))
    for call in modify_group_calls(name, carried.values):
        await aws.perform(call)


async def test_green_gets_a_group_with_blues_values(aws: Aws) -> None:
    await _make_group(aws, "bp-7f3a-green")
    group = await aws.rds.cluster_parameter_group("bp-7f3a-green")
    assert group is not None
    assert group.family == "aurora-postgresql18"
    assert await aws.rds.tags(group.arn) == {"blueprime:run": "7f3a"}
    blue = await aws.rds.cluster_parameters("orders-pg16", source="user")
    green = await aws.rds.cluster_parameters("bp-7f3a-green", source="user")
    assert {n: p.value for n, p in green.items()} == {n: p.value for n, p in blue.items()}


async def test_a_deployment_as_it_comes_to_be(lab: Lab, aws: Aws) -> None:
    source = await _orders(aws.rds)
    await _make_group(aws, "green18")
    parameters: dict[str, Any] = {
        "BlueGreenDeploymentName": "bp-7f3a-bgd",
        "Source": source.arn,
        "TargetEngineVersion": "18.4",
        "TargetDBClusterParameterGroupName": "green18",
        "Tags": [{"Key": "blueprime:run", "Value": "7f3a"}],
    }
    await aws.perform(Call("rds", "CreateBlueGreenDeployment", parameters))
    (made,) = lab.control.deployments
    await asyncio.to_thread(until, lambda: made.status == "AVAILABLE")
    found = await aws.rds.deployment_by_name("bp-7f3a-bgd")
    assert found is not None
    assert (found.status, found.status_details) == ("AVAILABLE", "")
    assert found.source == source.arn
    assert found.target.startswith(f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:orders-green-")
    assert found.switchover[0].source == source.arn
    assert len(found.switchover) == 4
    assert {status for _, status in found.tasks} == {"COMPLETED"}
    assert found.tags == {"blueprime:run": "7f3a"}
    assert await aws.rds.deployment(found.identifier) == found
    assert await aws.rds.deployments_of(source.arn) == [found]
    assert await aws.rds.deployments_of(found.target) == [found]
    assert await aws.rds.deployments_of("arn:of:another") == []
    events = await aws.rds.events("blue-green-deployment", found.identifier)
    assert any("tasks completed" in event.message for event in events)
