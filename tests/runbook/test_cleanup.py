"""Only our own is deleted: the tag and the recorded resource id must agree."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.aws.facts import Cluster
from runbook.base.context import RUN_TAG, RunContext
from runbook.base.roles import Role
from runbook.failures import Refused
from runbook.procedure.steps.shared.deletion import own


def cluster(name: str) -> Cluster:
    return Cluster.parse(
        {
            "DbClusterResourceId": "cluster-PRIME",
            "DBClusterIdentifier": name,
            "DBClusterArn": f"arn:aws:rds:us-east-1:123456789012:cluster:{name}",
            "Status": "available",
            "EngineVersion": "16.14",
        }
    )


def context(
    found: Cluster | None, tags: dict[str, str], facts: dict[str, Any] | None = None
) -> RunContext:
    async def find(role: Role) -> Cluster | None:
        return found

    async def tags_of(arn: str) -> dict[str, str]:
        return tags

    plan: Any = SimpleNamespace(cluster=SimpleNamespace(identifier="orders"))
    return cast(
        RunContext,
        SimpleNamespace(
            run="k3f9qa",
            find=find,
            rds=SimpleNamespace(tags=tags_of),
            plan=plan,
            fact=(facts or {}).get,
        ),
    )


async def test_a_cluster_of_this_run_may_go() -> None:
    prime = cluster("orders-prime-k3f9qa")
    assert await own(context(prime, {RUN_TAG: "k3f9qa"}), Role.BLUE_PRIME) is prime


async def test_a_cluster_that_is_gone_is_nothing_to_delete() -> None:
    assert await own(context(None, {}), Role.BLUE_PRIME) is None


@pytest.mark.parametrize("tags", [{}, {RUN_TAG: "other1"}, {"Name": "k3f9qa"}])
async def test_a_cluster_without_this_runs_tag_stays(tags: dict[str, str]) -> None:
    with pytest.raises(Refused, match="does not bear this run's tag"):
        await own(context(cluster("orders-prime-k3f9qa"), tags), Role.BLUE_PRIME)


async def test_what_bears_the_production_name_stays_whatever_its_tags() -> None:
    with pytest.raises(Refused, match="production name"):
        await own(context(cluster("orders"), {RUN_TAG: "k3f9qa"}), Role.BLUE_PRIME)


@pytest.mark.parametrize(
    "fact",
    [
        {"endpoint": {"on": "blue prime"}},
        {"traffic": {"open": True, "on": "blue prime"}},
    ],
)
async def test_what_serves_under_another_name_stays(fact: dict[str, Any]) -> None:
    prime = context(cluster("orders-prime-k3f9qa"), {RUN_TAG: "k3f9qa"}, fact)
    with pytest.raises(Refused, match="serves the applications"):
        await own(prime, Role.BLUE_PRIME)


async def test_what_the_applications_were_let_out_of_may_go() -> None:
    facts = {"traffic": {"open": False, "on": ""}, "endpoint": {"on": "old blue"}}
    prime = cluster("orders-prime-k3f9qa")
    assert await own(context(prime, {RUN_TAG: "k3f9qa"}, facts), Role.BLUE_PRIME) is prime
