"""Which cluster is which is told surely, or not at all: a wrong one is never bound."""

from __future__ import annotations

from typing import Any

import pytest

from runbook.aws.facts import Cluster, Deployment
from runbook.base.context import CLUSTER_TAG, RUN_TAG
from runbook.failures import Refused
from runbook.ownership import tags as traces
from runbook.ownership.tags import Region, Traces
from runbook.plan.model import Plan
from runbook.recovery import cluster_roles
from runbook.recovery.cluster_roles import ClusterRoles

RUN = "k3f9qa"
BLUE = "cluster-BLUE"
ARN = "arn:aws:rds:us-east-1:123456789012:cluster:"
OWN = {RUN_TAG: RUN, CLUSTER_TAG: BLUE}
GROUP = f"bp-{RUN}-pg"


def cluster(name: str, resource_id: str, version: str = "16.14", **more: Any) -> Cluster:
    return Cluster.parse(
        {
            "DbClusterResourceId": resource_id,
            "DBClusterIdentifier": name,
            "DBClusterArn": ARN + name,
            "Status": "available",
            "EngineVersion": version,
            "DBClusterParameterGroup": more.get("group", "default.aurora-postgresql16"),
            "CloneGroupId": more.get("clones", ""),
            "TagList": [{"Key": k, "Value": v} for k, v in more.get("tags", {}).items()],
        }
    )


def deployment(source: str, target: str, status: str, tags: dict[str, str] = OWN) -> Deployment:
    return Deployment.parse(
        {
            "BlueGreenDeploymentIdentifier": "bgd-1",
            "BlueGreenDeploymentName": f"bp-{tags.get(RUN_TAG, RUN)}-bgd",
            "Source": ARN + source,
            "Target": ARN + target,
            "Status": status,
            "TagList": [{"Key": k, "Value": v} for k, v in tags.items()],
        }
    )


OLD_BLUE = cluster("orders-old1", BLUE, clones="clones-1")
NEW_BLUE = cluster("orders", "cluster-GREEN", "18.4", group=GROUP)
PRIME = cluster(f"orders-prime-{RUN}", "cluster-PRIME", clones="clones-1", tags=OWN)
GROUPS = {GROUP: OWN}


def region(*clusters: Cluster, deployments: tuple[Deployment, ...] = (), **more: Any) -> Region:
    return Region(clusters, deployments, more.get("groups", GROUPS))


def runs(found: Region, production: str = "orders") -> list[str]:
    return [each.run for each in traces.find(found, production)]


def told(found: Region, production: str = "orders", plan: Plan | None = None) -> ClusterRoles:
    (only,) = traces.find(found, production)
    return cluster_roles.find(found, only, production, plan)


def names(found: ClusterRoles) -> list[str | None]:
    return [each.identifier if each else None for each in (found.blue, found.green, found.prime)]


def test_only_a_parameter_group() -> None:
    found = told(region(cluster("orders", BLUE)))
    assert names(found) == ["orders", None, None]
    assert not found.switched


def test_before_the_switchover_by_the_deployment() -> None:
    made = deployment("orders", "orders-green-x1y2z3", "AVAILABLE")
    green = cluster("orders-green-x1y2z3", "cluster-GREEN", "18.4")
    found = told(region(cluster("orders", BLUE), green, deployments=(made,), groups={}))
    assert names(found) == ["orders", "orders-green-x1y2z3", None]
    assert not found.switched


def test_after_it_by_the_deployment() -> None:
    made = deployment("orders-old1", "orders", "SWITCHOVER_COMPLETED")
    found = told(region(OLD_BLUE, NEW_BLUE, deployments=(made,)))
    assert names(found) == ["orders-old1", "orders", None]
    assert found.switched


def test_without_a_deployment_by_the_group_and_the_tags() -> None:
    found = told(region(OLD_BLUE, NEW_BLUE, PRIME))
    assert names(found) == ["orders-old1", "orders", PRIME.identifier]
    assert found.switched


def test_halfway_through_the_renames_of_a_rollback_nobody_bears_the_name() -> None:
    aside = cluster(f"orders-new-{RUN}", "cluster-GREEN", "18.4", group=GROUP)
    found = told(region(OLD_BLUE, aside, PRIME))
    assert names(found) == ["orders-old1", aside.identifier, PRIME.identifier]
    assert found.switched


def test_after_the_renames_blue_prime_bears_the_name_and_new_blue_the_tag() -> None:
    aside = cluster(f"orders-new-{RUN}", "cluster-GREEN", "18.4", group=GROUP, tags=OWN)
    serving = cluster("orders", "cluster-PRIME", clones="clones-1", tags=OWN)
    found = told(region(OLD_BLUE, aside, serving))
    assert names(found) == ["orders-old1", aside.identifier, "orders"]
    assert found.unknown == []


def test_old_blue_is_told_by_the_tag_when_it_is_gone() -> None:
    found = told(region(NEW_BLUE, PRIME))
    assert names(found) == [None, "orders", PRIME.identifier]
    assert found.blue_id == BLUE


def test_no_traces() -> None:
    assert runs(region(cluster("orders", BLUE), groups={})) == []


def test_a_foreign_cluster_of_a_similar_name() -> None:
    shop = cluster("orders-eu", "cluster-EU")
    old = cluster("orders-eu-old1", "cluster-OTHER")
    assert runs(region(OLD_BLUE, NEW_BLUE, PRIME, shop, old), "orders-eu") == []
    assert names(told(region(OLD_BLUE, NEW_BLUE, PRIME, shop, old)))[0] == "orders-old1"


def test_an_old_blue_of_an_earlier_upgrade_is_not_this_runs() -> None:
    earlier = cluster("orders-old1", "cluster-EARLIER")
    ours = cluster("orders-old2", BLUE, clones="clones-1")
    assert names(told(region(earlier, ours, NEW_BLUE, PRIME)))[0] == "orders-old2"


def test_two_runs_have_left_traces() -> None:
    later = "z9y8x7"
    tags = {RUN_TAG: later, CLUSTER_TAG: "cluster-PRIME"}
    serving = cluster("orders", "cluster-PRIME", clones="clones-1", tags=OWN)
    aside = cluster(f"orders-new-{RUN}", "cluster-GREEN", "18.4", group=GROUP, tags=OWN)
    made = deployment("orders", "", "PROVISIONING", tags)
    both = region(
        *(OLD_BLUE, serving, aside), deployments=(made,), groups={**GROUPS, f"bp-{later}-pg": tags}
    )
    assert runs(both) == [RUN, later]
    newest = next(each for each in traces.find(both, "orders") if each.run == later)
    found = cluster_roles.find(both, newest, "orders", None)
    assert found.blue is serving
    assert found.prime is None


def test_a_tag_forged_onto_a_foreign_cluster_binds_nothing() -> None:
    billing = cluster("billing", "cluster-BILLING", tags=OWN)
    found = told(region(OLD_BLUE, NEW_BLUE, PRIME, billing))
    assert names(found) == ["orders-old1", "orders", PRIME.identifier]
    assert "billing" in found.unknown[0].what
    assert "left alone" in found.unknown[0].means
    assert runs(region(OLD_BLUE, NEW_BLUE, PRIME, billing), "billing") == []


def test_a_tag_and_a_name_on_what_was_not_cloned_from_old_blue() -> None:
    forged = cluster(PRIME.identifier, "cluster-X", clones="clones-9", tags=OWN)
    found = told(region(OLD_BLUE, NEW_BLUE, forged))
    assert found.prime is None
    assert forged.identifier in found.unknown[0].what


def test_a_tag_that_green_inherited_makes_it_no_blue_prime() -> None:
    inherited = cluster("orders", "cluster-GREEN", "18.4", group=GROUP, tags=OWN)
    found = told(region(OLD_BLUE, inherited, PRIME))
    assert names(found) == ["orders-old1", "orders", PRIME.identifier]


@pytest.mark.parametrize(
    ("clusters", "groups", "word"),
    [
        pytest.param(
            (OLD_BLUE, NEW_BLUE, cluster("orders-copy", "cluster-COPY", "18.4", group=GROUP)),
            GROUPS,
            "More than one cluster could be new blue",
            id="another cluster uses the run's group",
        ),
        pytest.param(
            (OLD_BLUE, NEW_BLUE, cluster(PRIME.identifier, "cluster-X")),
            GROUPS,
            "has the name of blue prime, but not the tag",
            id="blue prime's name without its tag",
        ),
        pytest.param(
            (OLD_BLUE, NEW_BLUE, PRIME),
            {GROUP: {RUN_TAG: RUN, CLUSTER_TAG: "cluster-OTHER"}},
            "name different clusters",
            id="tags that contradict each other",
        ),
        pytest.param(
            (OLD_BLUE, NEW_BLUE),
            {GROUP: {RUN_TAG: RUN}},
            "cannot be told: no trace names its resource id",
            id="no trace of old blue but its name",
        ),
    ],
)
def test_what_cannot_be_told_is_refused(
    clusters: tuple[Cluster, ...], groups: dict[str, dict[str, str]], word: str
) -> None:
    with pytest.raises(Refused, match=word):
        told(region(*clusters, groups=groups))


def test_traces_know_their_deployment_only_with_tag_and_name() -> None:
    other = deployment("orders", "", "AVAILABLE", {RUN_TAG: RUN})
    renamed = Deployment.parse(
        {"BlueGreenDeploymentIdentifier": "bgd-2", "BlueGreenDeploymentName": "mine", "Source": ""}
    )
    found = traces.find(
        region(cluster("orders", BLUE), deployments=(other, renamed), groups={}), "orders"
    )
    assert [(each.run, each.deployment) for each in found] == [(RUN, other)]
    assert isinstance(found[0], Traces)


def test_a_cluster_that_nobody_cloned_is_not_blue_prime() -> None:
    forged = cluster(PRIME.identifier, "cluster-FORGED", tags=OWN)
    found = told(region(OLD_BLUE, NEW_BLUE, forged))
    assert found.prime is None
    assert [each.what for each in found.unknown] == [
        f"why {PRIME.identifier} bears the tag {RUN_TAG}={RUN}"
    ]


@pytest.mark.parametrize("prime", [(PRIME,), ()])
def test_new_blue_is_no_blue_prime_though_it_shares_clone_group_and_tags(
    prime: tuple[Cluster, ...],
) -> None:
    """AWS makes green out of blue's volume with blue's tags; old blue is gone by now."""
    new_blue = cluster("orders", "cluster-GREEN", "18.4", group=GROUP, clones="clones-1", tags=OWN)
    found = told(region(new_blue, *prime))
    assert names(found) == [None, "orders", prime[0].identifier if prime else None]
