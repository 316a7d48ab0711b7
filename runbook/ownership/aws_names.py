"""Whose a publication, subscription or slot is: not everything in the way may be dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runbook.aws.facts import Deployment
from runbook.ownership.tags import run_of_name


@dataclass(frozen=True, slots=True)
class Owner:
    """Who needs an object, and what to do instead of dropping it."""

    words: str
    todo: str


def of_aws(name: str) -> bool:
    """Return whether an object bears a name of AWS's own: they begin with `rds`.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-overview.html
    """
    return name.startswith("rds")


def owner(name: str, run: str, deployments: Sequence[Deployment]) -> Owner | None:
    """Return whose an object of this name is, or None where nobody is known to need it.

    `run` is the run that asks, `deployments` are those that stand on the cluster, whoever made
    them.
    """
    other = run_of_name(name)
    if other and other != run:
        return Owner(
            f"it belongs to run {other} of blueprime, whose way back stands on it",
            f"Leave it while that run goes on; the check cluster.another-run names it. If its "
            f"journal is lost: blueprime adopt, with --run {other}; its last track removes it.",
        )
    if of_aws(name) and deployments:
        named = ", ".join(f"{each.name} ({each.identifier})" for each in deployments)
        return Owner(
            f"it is AWS's own: the blue/green deployment {named} replicates by it",
            "Leave it: it goes with the deployment.",
        )
    return None
