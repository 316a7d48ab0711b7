"""Ordered faults of AWS: each strikes as it says, once, and ends."""

from __future__ import annotations

import socket
import threading

import pytest
from botocore.exceptions import ConnectionClosedError

from rehearsal.faults.faults import FaultError
from tests.rehearsal_aws import deploying
from tests.rehearsal_aws.conftest import Lab, refusal, until
from tests.rehearsal_aws.requests import clone, member

GROUP = {
    "DBClusterParameterGroupName": "mine",
    "DBParameterGroupFamily": "aurora-postgresql18",
    "Description": "d",
}


def groups(lab: Lab) -> list[str]:
    rows = lab.client().describe_db_cluster_parameter_groups()["DBClusterParameterGroups"]
    return [row["DBClusterParameterGroupName"] for row in rows]


def performed(lab: Lab) -> list[tuple[str, bool]]:
    return [(call["action"], call["lost"]) for call in lab.control.audit.calls()]


def test_a_lost_request_has_no_effect(lab: Lab) -> None:
    lab.faults.order("lose-request", "CreateDBClusterParameterGroup")
    with pytest.raises(ConnectionClosedError):
        lab.client().create_db_cluster_parameter_group(**GROUP)
    assert "mine" not in groups(lab)
    assert performed(lab) == []


def test_a_late_effect_comes_after_its_connection_has_closed(lab: Lab) -> None:
    lab.faults.order("perform-late", "CreateDBClusterParameterGroup", "0.3")
    with pytest.raises(ConnectionClosedError):
        lab.client().create_db_cluster_parameter_group(**GROUP)
    assert "mine" not in groups(lab)
    until(lambda: "mine" in groups(lab))
    until(lambda: performed(lab) == [("CreateDBClusterParameterGroup", True)])


def test_expired_credentials_are_refused_by_every_service(lab: Lab) -> None:
    lab.faults.order("expire-credentials")
    for call in (
        lab.client().describe_db_clusters,
        lab.client("sts").get_caller_identity,
        lab.client("secretsmanager").list_secrets,
        lab.client("route53").list_hosted_zones,
    ):
        assert refusal(call)[0].startswith("ExpiredToken")
    lab.faults.order("renew-credentials")
    assert lab.client("sts").get_caller_identity()["Account"]


def test_a_denied_action_alone_is_refused_until_it_is_allowed(lab: Lab) -> None:
    lab.faults.order("deny", "CreateDBClusterParameterGroup")
    for _ in range(2):
        code, text, status = refusal(lab.client().create_db_cluster_parameter_group, **GROUP)
        assert (code, status) == ("AccessDenied", 403)
        assert "not authorized to perform: rds:CreateDBClusterParameterGroup" in text
    assert lab.client().describe_db_clusters()["DBClusters"]
    lab.faults.order("allow", "CreateDBClusterParameterGroup")
    lab.client().create_db_cluster_parameter_group(**GROUP)


def test_describes_that_trail_show_what_was(lab: Lab) -> None:
    lab.faults.order("trail", "3")
    client = lab.client()
    client.create_db_cluster_parameter_group(**GROUP)
    client.modify_db_cluster(
        DBClusterIdentifier="orders", NewDBClusterIdentifier="renamed", ApplyImmediately=True
    )
    client.delete_db_instance(DBInstanceIdentifier="orders-2", SkipFinalSnapshot=True)
    lab.settle()
    assert "mine" not in groups(lab)
    assert refusal(client.describe_db_clusters, DBClusterIdentifier="renamed")[2] == 404
    assert lab.cluster("orders")["Status"] == "available"
    assert lab.instance("orders-2")["DBInstanceStatus"] == "available"
    until(lambda: "mine" in groups(lab))
    until(lambda: clusters(lab) == ["renamed"])
    until(lambda: len(members(lab, "renamed")) == 1)
    assert refusal(client.describe_db_instances, DBInstanceIdentifier="orders-2")[2] == 404
    lab.faults.order("trail", "0")


def test_a_clone_that_fails_can_only_be_deleted(lab: Lab) -> None:
    lab.faults.order("clone-fails")
    clone(lab, "copy", DeletionProtection=True)
    assert lab.cluster("copy")["Status"] == "cloning-failed"
    client = lab.client()
    assert refusal(client.create_db_instance, **member("copy-1", "copy"))[0] == (
        "InvalidDBClusterStateFault"
    )
    client.modify_db_cluster(
        DBClusterIdentifier="copy", DeletionProtection=False, ApplyImmediately=True
    )
    client.delete_db_cluster(DBClusterIdentifier="copy", SkipFinalSnapshot=True)
    lab.settle()
    clone(lab, "copy")
    assert lab.cluster("copy")["Status"] == "available"


def test_an_instance_that_fails_leaves_the_writing_to_another(lab: Lab) -> None:
    clone(lab, "copy")
    client = lab.client()
    lab.faults.order("instance-fails")
    for name in ("copy-1", "copy-2"):
        client.create_db_instance(**member(name, "copy"))
        lab.settle()
    assert lab.instance("copy-1")["DBInstanceStatus"] == "incompatible-parameters"
    writers = {m["DBInstanceIdentifier"]: m["IsClusterWriter"] for m in members(lab, "copy")}
    assert writers == {"copy-1": False, "copy-2": True}
    assert lab.control.cluster("copy").resource_id in lab.fleet.up


def clusters(lab: Lab) -> list[str]:
    return [row["DBClusterIdentifier"] for row in lab.client().describe_db_clusters()["DBClusters"]]


def members(lab: Lab, cluster: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = lab.cluster(cluster)["DBClusterMembers"]
    return found


def test_an_instance_that_hangs_in_creating_can_be_deleted(lab: Lab) -> None:
    clone(lab, "copy")
    lab.faults.order("instance-hangs")
    lab.client().create_db_instance(**member("copy-1", "copy"))
    assert lab.instance("copy-1")["DBInstanceStatus"] == "creating"
    lab.client().delete_db_instance(DBInstanceIdentifier="copy-1", SkipFinalSnapshot=True)
    lab.settle()
    assert members(lab, "copy") == []


def test_what_is_shown_early_is_refused(lab: Lab) -> None:
    lab.faults.order("early", "0.5")
    lab.client().restore_db_cluster_to_point_in_time(
        DBClusterIdentifier="copy",
        SourceDBClusterIdentifier="orders",
        RestoreType="copy-on-write",
        UseLatestRestorableTime=True,
    )
    until(lambda: lab.cluster("copy")["Status"] == "available")
    assert refusal(lab.client().create_db_instance, **member("copy-1", "copy"))[0] == (
        "InvalidDBClusterStateFault"
    )
    lab.settle()
    lab.client().create_db_instance(**member("copy-1", "copy"))


def test_green_may_fail_while_it_is_made(lab: Lab) -> None:
    deploying.target_group(lab)
    lab.faults.order("green-fails")
    identifier = deploying.create(lab)
    found = deploying.reach(lab, identifier, "INVALID_CONFIGURATION")
    assert "incompatible parameter settings" in found["StatusDetails"]


def test_green_may_turn_invalid_later(lab: Lab, available: str) -> None:
    lab.faults.order("invalidate-deployment", "orders")
    assert deploying.see(lab, available)["Status"] == "INVALID_CONFIGURATION"
    assert refusal(
        lab.client().switchover_blue_green_deployment, BlueGreenDeploymentIdentifier=available
    )[0] == ("InvalidBlueGreenDeploymentStateFault")


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        (("switchover-fails",), "SWITCHOVER_FAILED", "was canceled"),
        (("switchover-times-out", "0.1"), "AVAILABLE", "longer than the timeout of 300 s"),
        (("fail-switchover",), "AVAILABLE", "ordered fault"),
    ],
)
def test_a_switchover_may_return(
    lab: Lab, available: str, fault: tuple[str, ...], status: str, text: str
) -> None:
    lab.faults.order(*fault)
    deploying.switch(lab, available)
    lab.settle_threads("switch over")
    found = deploying.see(lab, available)
    assert found["Status"] == status
    assert text in found["StatusDetails"]
    assert lab.cluster("orders")["EngineVersion"] == "16.14"


@pytest.mark.parametrize(("order", "named"), [((), True), (("0.2",), False), (None, True)])
def test_servers_may_go_by_their_former_names(
    lab: Lab, available: str, order: tuple[str, ...] | None, named: bool
) -> None:
    """For ever, for so long, or not at all."""
    identity = lab.fleet.identity
    before = dict(identity)
    if order is not None:
        lab.faults.order("servers-keep-names", *order)
    deploying.switch(lab, available)
    lab.settle_threads("switch over")
    lab.settle_threads("name the servers")
    after = {c.resource_id: c.writer.identifier for c in lab.control.clusters if c.writer}
    assert before != after
    assert identity == (before if order == () else after)


@pytest.mark.parametrize(
    ("order", "done"), [((), "reset counters"), (("lost",), "lose counters"), (None, None)]
)
def test_servers_may_count_from_0_after_a_switchover(
    lab: Lab, available: str, order: tuple[str, ...] | None, done: str | None
) -> None:
    """Both sides, once: new blue before anybody writes to it."""
    if order is not None:
        lab.faults.order("reset-counters", *order)
    deploying.switch(lab, available)
    lab.settle_threads("switch over")
    now = {c.identifier: c.resource_id for c in lab.control.clusters}
    sides = [now["orders"], now["orders-old1"]]
    counted = [(what, volume) for what, volume in lab.fleet.calls if "counters" in what]
    assert counted == [(done, volume) for volume in sides if done]
    assert lab.faults.waiting() == []


def test_a_deployment_without_its_green_can_be_deleted(lab: Lab, available: str) -> None:
    (green,) = [c.identifier for c in lab.control.clusters if "-green-" in c.identifier]
    lab.faults.order("lose-cluster", green)
    deploying.delete(lab, available, DeleteTarget=True)
    lab.settle()
    assert lab.control.deployments == []


def test_somebody_else_may_delete_a_deployment_or_a_cluster(lab: Lab, available: str) -> None:
    lab.faults.order("lose-deployment", "orders")
    assert lab.client().describe_blue_green_deployments()["BlueGreenDeployments"] == []
    (green,) = [c.identifier for c in lab.control.clusters if "-green-" in c.identifier]
    lab.faults.order("lose-cluster", green)
    assert refusal(lab.client().describe_db_clusters, DBClusterIdentifier=green)[2] == 404


@pytest.mark.parametrize(
    "words",
    [
        ("trail",),
        ("trail", "soon"),
        ("early", "soon"),
        ("instance-hangs", "-1"),
        ("deny",),
        ("throttle", "DescribeDBClusters", "0"),
        ("clone-fails", "now"),
        ("lose-cluster", "nobody"),
        ("invalidate-deployment", "orders"),
        ("no-such-fault",),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_in_words(lab: Lab, words: tuple[str, ...]) -> None:
    with pytest.raises(FaultError):
        lab.faults.order(*words)
    assert lab.faults.waiting() == []


def test_a_hanging_call_ends_with_the_lab(lab: Lab) -> None:
    lab.faults.order("hang", "CreateDBClusterParameterGroup")
    ended = threading.Event()

    def call() -> None:
        with pytest.raises(ConnectionClosedError):
            lab.client().create_db_cluster_parameter_group(**GROUP)
        ended.set()

    threading.Thread(target=call, daemon=True).start()
    until(lambda: lab.faults.waiting() == [])
    assert not ended.is_set()
    lab.control.pace.stop()
    assert ended.wait(120)
    assert "mine" not in groups(lab)


def test_an_endpoint_whose_name_is_lost_resolves_nowhere_until_it_is_found(lab: Lab) -> None:
    before = lab.cluster()["Endpoint"]
    lab.faults.order("lose-name", "orders")
    lost = lab.cluster()["Endpoint"]
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo(lost, None)
    assert "cluster:orders" not in lab.endpoints.listening
    lab.faults.order("find-name", "orders")
    assert lab.cluster()["Endpoint"] == before
    assert "cluster:orders" in lab.endpoints.listening


def test_somebody_else_than_blueprime_and_its_subscribers_is_shut_out_by_none(lab: Lab) -> None:
    with pytest.raises(FaultError, match=r"blueprime\|subscribers"):
        lab.faults.order("shut-out", "orders", "psql")
