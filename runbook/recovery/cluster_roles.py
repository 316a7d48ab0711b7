"""Which cluster plays which part. What cannot be told surely is refused, never guessed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from runbook.aws.facts import Cluster, Deployment
from runbook.base import derived_names
from runbook.base.context import RUN_TAG
from runbook.failures import Refused
from runbook.ownership.tags import Region, Traces
from runbook.plan.model import Plan
from runbook.recovery.found import Told

SWITCHING = "SWITCHOVER_IN_PROGRESS"
COMPLETED = "SWITCHOVER_COMPLETED"


@dataclass(slots=True)
class ClusterRoles(Told):
    """The clusters of a run as they are now; None where there is none."""

    production: str
    """The name that the applications know."""
    run: str
    blue_id: str
    """Resource id of what was production before the switchover, whether or not it is there."""
    blue: Cluster | None
    green: Cluster | None
    prime: Cluster | None
    deployment: Deployment | None

    @property
    def switching(self) -> bool:
        """Whether AWS is switching over now."""
        return self.deployment is not None and self.deployment.status == SWITCHING

    @property
    def switched(self) -> bool:
        """Whether the switchover has been made."""
        if self.deployment is not None and self.deployment.status != "DELETING":
            return self.deployment.status == COMPLETED
        names = (self.production, derived_names.aside(self.production, self.run))
        if self.green is not None:
            return self.green.identifier in names
        return self.prime is not None or (
            self.blue is not None and self.blue.identifier != self.production
        )

    @property
    def clusters(self) -> list[Cluster]:
        """The clusters of the run that are there."""
        return [each for each in (self.blue, self.green, self.prime) if each is not None]

    def bears(self, cluster: Cluster | None) -> bool:
        """Return whether a cluster has the production name."""
        return cluster is not None and cluster.identifier == self.production


def no_guess(what: str, todo: str) -> Refused:
    """Return the refusal to go on with a cluster that may be the wrong one."""
    return Refused(what, now="Nothing was changed, and no run was adopted.", todo=todo)


def find(region: Region, traces: Traces, production: str, plan: Plan | None) -> ClusterRoles:
    """Return the clusters of a run by their roles. Raise `Refused` where a part cannot be told."""
    blue_id, source = _blue_id(region, traces, production, plan)
    blue = region.of_id(blue_id)
    roles = ClusterRoles(production, traces.run, blue_id, blue, None, None, traces.deployment)
    part = "blue" if blue is not None and roles.bears(blue) else "old blue"
    roles.say(part, described(blue) if blue else f"{blue_id}, which is gone", source)
    roles.prime = _prime(region, traces, roles, plan)
    roles.green = _green(region, traces, roles, plan)
    for cluster in traces.tagged:
        if cluster not in (roles.blue, roles.green, roles.prime):
            roles.doubt(
                f"why {cluster.identifier} bears the tag {RUN_TAG}={traces.run}",
                "neither its name nor what it was made from fits this run: it is left alone",
            )
    return roles


def described(cluster: Cluster) -> str:
    """Return a cluster's name, version and resource id."""
    return f"{cluster.identifier} {cluster.engine_version} ({cluster.resource_id})"


def _blue_id(region: Region, traces: Traces, production: str, plan: Plan | None) -> tuple[str, str]:
    """Return the resource id of the upgraded cluster, and what says so."""
    ids = dict(traces.blue_ids)
    if plan is not None:
        ids.setdefault(plan.cluster.resource_id, "the plan")
    if len(ids) > 1:
        named = "; ".join(f"{id_} by {source}" for id_, source in ids.items())
        raise no_guess(
            f"The traces of run {traces.run} name different clusters as the upgraded one: {named}.",
            "Find out which of them is wrong (a tag that was set by hand, another plan).",
        )
    if ids:
        return next(iter(ids.items()))
    old = [
        cluster
        for cluster in region.clusters
        if re.fullmatch(rf"{re.escape(production)}-old\d+", cluster.identifier)
    ]
    names = ", ".join(cluster.identifier for cluster in old) or "none"
    raise no_guess(
        f"Which cluster run {traces.run} upgraded cannot be told: no trace names its resource id "
        f"(clusters of such a name: {names}).",
        "Give the plan of the run with --plan: it holds the resource id.",
    )


def _prime(
    region: Region, traces: Traces, roles: ClusterRoles, plan: Plan | None
) -> Cluster | None:
    """Return blue prime: made under the run's name and tag, out of old blue.

    Green is a clone of old blue's volume too, and bears its tags: it is told by its group.
    """
    name = derived_names.blue_prime(roles.production, roles.run)
    untagged = region.named(name)
    if untagged is not None and untagged not in traces.tagged:
        raise no_guess(
            f"The cluster {name} has the name of blue prime, but not the tag "
            f"{RUN_TAG}={roles.run}.",
            "Find out who made it. If it is foreign, rename or delete it first.",
        )
    candidates = [
        cluster
        for cluster in traces.tagged
        if cluster.resource_id != roles.blue_id
        and cluster.identifier in (name, roles.production)
        and _of_one_origin(cluster, roles.blue)
        and cluster.parameter_group != _group_of_green(traces, plan)
    ]
    todo = f"Take the tag {RUN_TAG} from what this run did not make."
    found = _only(candidates, "blue prime", todo)
    if found is not None:
        origin = ", clone group of old blue" if roles.blue else ""
        roles.say("blue prime", described(found), f"tag {RUN_TAG}, its name{origin}")
    return found


def _only(candidates: Sequence[Cluster], part: str, todo: str) -> Cluster | None:
    """Return the cluster that can play a part, or None. Raise `Refused` where there are more."""
    if len(candidates) > 1:
        names = ", ".join(f"{each.identifier} ({each.resource_id})" for each in candidates)
        raise no_guess(f"More than one cluster could be {part}: {names}", todo)
    return candidates[0] if candidates else None


def _of_one_origin(cluster: Cluster, blue: Cluster | None) -> bool:
    """Return whether a cluster can be a clone of blue: its version, and the clone group's id.

    Names and tags may be anybody's; a clone always has a group.
    """
    if not cluster.clone_group_id or blue is None:
        return bool(cluster.clone_group_id)
    return cluster.major == blue.major and blue.clone_group_id in ("", cluster.clone_group_id)


def _green(
    region: Region, traces: Traces, roles: ClusterRoles, plan: Plan | None
) -> Cluster | None:
    """Return green, from the switchover on new blue."""
    if traces.deployment is not None and traces.deployment.target:
        found = region.of_arn(traces.deployment.target)
        candidates, source = ([found] if found else []), f"target of {traces.deployment.name}"
    else:
        group = _group_of_green(traces, plan)
        candidates = _users_of_group(region, roles, group)
        source = f"it uses the parameter group {group}"
        if plan is not None and plan.upgrade.cluster_parameter_group:
            # A group of the operator's own may be used by others too.
            names = (roles.production, derived_names.aside(roles.production, roles.run))
            candidates = [c for c in candidates if c.identifier in names]
            source += ", and its name"
    green = _only(
        candidates,
        "new blue",
        f"They all use a parameter group of run {roles.run}. Give another group to those that this "
        "run did not make.",
    )
    if green is None:
        return None
    part = "new blue" if roles.switched or roles.bears(green) else "green"
    roles.say(part, described(green), source)
    return green


def _group_of_green(traces: Traces, plan: Plan | None) -> str:
    """Return the cluster parameter group that green was made with: the plan's, or the run's."""
    return (plan.upgrade.cluster_parameter_group if plan else "") or traces.group


def _users_of_group(region: Region, roles: ClusterRoles, group: str) -> list[Cluster]:
    others = {roles.blue_id} | ({roles.prime.resource_id} if roles.prime else set())
    return [
        cluster
        for cluster in region.clusters
        if group and cluster.parameter_group == group and cluster.resource_id not in others
    ]
