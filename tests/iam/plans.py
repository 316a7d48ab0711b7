"""Plans of the tests' own cluster."""

from __future__ import annotations

from typing import Any

from runbook.plan.model import Plan


def plan_of(*, region: str = "us-east-1", **sections: dict[str, Any]) -> Plan:
    """Return a plan for `orders`, with some sections as given."""
    return Plan.model_validate(
        {
            "version": 1,
            "cluster": {
                "identifier": "orders",
                "resource_id": "cluster-1",
                "region": region,
                "account": "471147110815",
            },
            "upgrade": {"target_version": "17.7"},
            "credentials": {"user": "admin", "password": "pgpass"},
            "traffic": {"stop": "manual"},
            **sections,
        }
    )
