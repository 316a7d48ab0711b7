"""Runs that never were."""

from collections.abc import Mapping
from typing import Any

from state.enums import Environment, Track
from state.journal import Journal
from state.records import Run


def start(
    journal: Journal,
    run: str = "run1",
    *,
    resource: str = "cluster-A",
    cluster: str = "orders",
    track: Track = Track.UPGRADE,
    environment: Environment = Environment.REHEARSAL,
    plan: Mapping[str, Any] | None = None,
) -> Run:
    return journal.start_run(
        run,
        cluster=cluster,
        cluster_resource_id=resource,
        account="471100000815",
        region="us-east-1",
        environment=environment,
        plan=plan or {"cluster": {"name": cluster}, "connect": {"password": "env:ORDERS_PASSWORD"}},
        plan_path="/plans/orders.toml",
        track=track,
    )
