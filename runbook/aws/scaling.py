"""Application Auto Scaling: what adds and removes readers, and does not follow to green."""

from __future__ import annotations

from runbook.aws.clients import Clients


class Scaling:
    """Looks at the targets of Auto Scaling.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Integrating.AutoScaling.html
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def targets(self, cluster: str) -> int:
        """Count the scalable targets of a cluster, by its name."""
        answer = await self._clients.read(
            "application-autoscaling",
            "DescribeScalableTargets",
            {"ServiceNamespace": "rds", "ResourceIds": [f"cluster:{cluster}"]},
        )
        return len(answer.get("ScalableTargets", ()))
