"""What a new cluster needs by hand: told when its names are known."""

from __future__ import annotations

from typing import Any, cast

import pytest

from runbook.aws.facts import Cluster
from runbook.base.context import RunContext
from runbook.procedure.steps.shared.by_hand import after_clone


def _cluster(name: str, *, data_api: bool) -> Cluster:
    return Cluster.parse(
        {
            "DbClusterResourceId": f"cluster-{name.upper()}",
            "DBClusterIdentifier": name,
            "DBClusterArn": f"arn:aws:rds:us-east-1:123456789012:cluster:{name}",
            "Status": "available",
            "EngineVersion": "16.14",
            "HttpEndpointEnabled": data_api,
        }
    )


class _Kept:
    def __init__(self, level: str) -> None:
        self._level = level

    def fact(self, key: str) -> Any:
        return [{"key": "endpoints.iam", "level": self._level}]


@pytest.mark.parametrize(("level", "data_api"), [("warn", True), ("pass", False)])
def test_what_a_clone_needs_is_told_with_its_id(level: str, data_api: bool) -> None:
    context = cast(RunContext, _Kept(level))
    source = _cluster("old", data_api=data_api)
    said = after_clone(context, source, _cluster("prime", data_api=False))
    assert len(said) == (2 if data_api else 0)
    if said:
        assert "cluster-PRIME" in said[0]
        assert said[1].endswith("arn:aws:rds:us-east-1:123456789012:cluster:prime")
