"""Requests that several tests make."""

from __future__ import annotations

from typing import Any

from tests.rehearsal_aws.conftest import Lab


def clone(lab: Lab, name: str, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = lab.client().restore_db_cluster_to_point_in_time(
        **{
            "DBClusterIdentifier": name,
            "SourceDBClusterIdentifier": "orders",
            "RestoreType": "copy-on-write",
            "UseLatestRestorableTime": True,
            **params,
        }
    )
    lab.settle()
    cluster: dict[str, Any] = answer["DBCluster"]
    return cluster


def member(name: str, cluster: str) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": name,
        "DBClusterIdentifier": cluster,
        "Engine": "aurora-postgresql",
        "DBInstanceClass": "db.r6g.large",
    }
