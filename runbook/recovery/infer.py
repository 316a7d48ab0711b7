"""Looks for a run whose journal is lost, and tells where it stands. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from runbook.amounts import counted
from runbook.aws import Aws
from runbook.aws.facts import Cluster
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.variants import UpgradeVariant
from runbook.failures import StepFailed
from runbook.ownership import holder, tags
from runbook.ownership.holder import HOLDER_TAG, HolderTag
from runbook.ownership.tags import Region, Traces
from runbook.plan.model import Order, Plan
from runbook.postgres import catalog
from runbook.postgres.connect import UNREACHABLE
from runbook.recovery import cluster_roles as casts
from runbook.recovery import database_state, facts, infer_rollback, infer_upgrade, plan_from_cluster
from runbook.recovery.cluster_roles import ClusterRoles, no_guess
from runbook.recovery.database_state import Side, Traffic
from runbook.recovery.evidence import RecoveryEvidence
from runbook.recovery.found import Draft
from runbook.recovery.plan_from_cluster import Given
from runbook.recovery.stays import Stay, next_step

CONNECT_S = 15.0
SWITCHOVER_S = 1800.0
"""How long the end of a switchover under way is waited for."""

Say = Callable[[str], None]
Known = Callable[[str], Plan | None]
"""Returns the plan of a run by its id, where the journal has one."""


class Several(Exception):
    """More than one run has left traces; one of them must be named."""

    def __init__(self, production: str, found: list[Traces]) -> None:
        lines = [f"{counted(len(found), 'run has', 'runs have')} left traces on {production}:"]
        lines += [f"  {each.run}: {'; '.join(each.words())}" for each in found]
        lines.append("Nothing was changed, and no run was adopted. Name one of them with --run.")
        super().__init__("\n".join(lines))
        self.runs = [each.run for each in found]


class Ended(Exception):
    """A run has come to its end, and nothing that it made is left: its mark alone tells."""

    def __init__(self, production: Cluster, mark: HolderTag) -> None:
        super().__init__(
            f"Run {mark.run} is over: {mark.who} on {mark.machine} ended it at "
            f"{mark.at:%Y-%m-%d %H:%M:%S} UTC. Nothing of it is left on {production.identifier} "
            "but its mark."
        )
        self.production = production
        self.mark = mark


@dataclass(slots=True)
class Adoption:
    """A run as the world tells it."""

    run: str
    plan: Plan
    plan_text: str
    """Of a plan that was discovered; empty where one was given."""
    evidence: RecoveryEvidence
    stays: list[Stay]
    next: str
    mark: HolderTag | None = None
    """The highest mark on the run's clusters: whose journal acted last."""
    surely_locked: tuple[str, ...] = ()
    """Roles from which this run took LOGIN: they have it on one of its clusters, not on another."""
    maybe_locked: tuple[str, ...] = ()
    """Roles that may log in nowhere: who locked them cannot be told."""


async def look(
    aws: Aws,
    production: str,
    *,
    run: str = "",
    plan: Plan | None = None,
    given: Given | None = None,
    known: Known = lambda _: None,
    say: Say = lambda _: None,
) -> Adoption:
    """Return what the world tells of a run on the cluster of a production name.

    `plan` is the run's own, if it still exists; else `known` may have it. Raise `Several` where
    `run` must be named, `Ended` where it is over and left nothing, `Refused` where there is none or
    a part cannot be told, `StepFailed` where a look fails.
    """
    if plan is not None:
        await _require_account(aws, production, plan)
    found, roles, plan = await _cast(aws, production, run, plan, known, say)
    text = ""
    if plan is None:
        text = await plan_from_cluster.discovered(aws, found, roles, given or Given())
    try:
        return await _told(aws, roles, plan, text, given or Given(), say)
    except UNREACHABLE as error:
        raise StepFailed(
            str(error).strip(),
            now="Nothing was changed, and no run was adopted.",
            todo="Check the credentials and that this machine reaches the cluster; then try again.",
        ) from error


async def _require_account(aws: Aws, production: str, plan: Plan) -> None:
    if plan.cluster.identifier != production:
        raise no_guess(
            f"The plan is for {plan.cluster.identifier}, not for {production}.",
            "Give the plan of the run, or name its cluster.",
        )
    identity = await aws.identity()
    if identity.account != plan.cluster.account:
        raise no_guess(
            f"The credentials belong to account {identity.account}, the plan to "
            f"{plan.cluster.account}.",
            "Use credentials of the plan's account.",
        )


async def _cast(
    aws: Aws, production: str, run: str, plan: Plan | None, known: Known, say: Say
) -> tuple[Traces, ClusterRoles, Plan | None]:
    """Return the run's traces, clusters and plan; wait for the end of a switchover under way."""
    ends = monotonic() + SWITCHOVER_S
    while True:
        region = await tags.look(aws)
        found = _chosen(region, production, run, plan)
        if plan is None and (plan := known(found.run)) is not None:
            await _require_account(aws, production, plan)
        roles = casts.find(region, found, production, plan)
        if not roles.switching:
            return found, roles, plan
        if monotonic() > ends:
            raise no_guess(
                f"AWS has been switching {production} over all the while.",
                "Look at the deployment in the console; try again when it has ended.",
            )
        say("AWS is switching over: waiting for its end, to see how it ends")
        await asyncio.sleep(2.0 if plan is None else plan.limits.fast_poll_s)


def _chosen(region: Region, production: str, run: str, plan: Plan | None) -> Traces:
    found = tags.find(region, production)
    if run:
        found = [each for each in found if each.run == run]
    if not found:
        _tell_ended(region, production, run)
        of = f"run {run}" if run else "any run"
        there = ", ".join(sorted(cluster.identifier for cluster in region.clusters)) or "none"
        hint = (
            " A group that the plan names, and slots, are no traces that AWS shows."
            if plan and plan.upgrade.cluster_parameter_group
            else ""
        )
        raise no_guess(
            f"No trace of {of} is found on {production}: no deployment, parameter group or clone "
            f"of blueprime's that belongs to it.{hint} Clusters of the region: {there}.",
            "Check the name (the one that the applications use), the region and the AWS profile.",
        )
    if len(found) > 1:
        raise Several(production, found)
    return found[0]


def _tell_ended(region: Region, production: str, run: str) -> None:
    """Raise `Ended` where production bears the mark of the run, or of any, that has ended."""
    cluster = region.named(production)
    mark = None if cluster is None else holder.marks([cluster]).get(cluster.resource_id)
    if cluster is not None and mark is not None and mark.ended and run in ("", mark.run):
        raise Ended(cluster, mark)


async def _told(
    aws: Aws, roles: ClusterRoles, plan: Plan | None, text: str, given: Given, say: Say
) -> Adoption:
    draft = Draft()
    goes_by = plan or plan_from_cluster.parsed(text)
    context = RunContext(run=roles.run, plan=goes_by, journal=draft, aws=aws, connect_s=CONNECT_S)
    evidence = RecoveryEvidence(context, draft, roles, {}, locks=goes_by.traffic.lock_roles)
    evidence.items, evidence.unknown = list(roles.items), list(roles.unknown)
    facts.roles(evidence)
    try:
        if plan is None:
            text = await _with_every_role(context, text, roles, given)
            context.plan = plan_from_cluster.parsed(text)
        say("looking at the databases")
        await _look_inside(evidence, known=plan is not None)
        stays = await _stays(evidence, say)
        if plan is None and _protects_first(evidence):
            text = plan_from_cluster.with_order(text, Order.PROTECT_FIRST)
            context.plan = plan_from_cluster.parsed(text)
            stays = await _stays(evidence, say)
        await facts.rest(evidence, stays)
        surely, maybe = _locked(evidence)
    finally:
        await context.forget_connections()
    mark = _held(evidence)
    if plan is None:
        _doubt_plan(evidence)
    last = stays[-1]
    following = next_step(evidence, last)
    return Adoption(roles.run, context.plan, text, evidence, stays, following, mark, surely, maybe)


def _held(evidence: RecoveryEvidence) -> HolderTag | None:
    """Keep who holds the run by its mark, and return that; say so where there is none."""
    clusters = evidence.roles.clusters
    mark = holder.latest(clusters, evidence.roles.run)
    if mark is None:
        evidence.doubt(
            "whether another machine has the run's journal and acts on it",
            f"no cluster of the run bears the tag {HOLDER_TAG}: make sure that none does; a run is "
            "moved by blueprime handover",
        )
        return None
    words = f"held by {mark.words}" + ", ended" * mark.ended
    bearers = [c.identifier for c in clusters if holder.marks([c]).get(c.resource_id) == mark]
    evidence.say("who has acted on the run", words, f"tag {HOLDER_TAG} of {', '.join(bearers)}")
    evidence.draft.keep(holder.FACT, holder.as_fact(mark), f"the run is {words}")
    return mark


async def _looked(context: RunContext, roles: ClusterRoles) -> list[Role]:
    """Return the parts whose cluster has an instance that answers, as far as AWS knows."""
    if roles.switched:
        parts = {
            Role.NEW_BLUE: roles.green,
            Role.OLD_BLUE: roles.blue,
            Role.BLUE_PRIME: roles.prime,
        }
    else:
        parts = {Role.BLUE: roles.blue, Role.GREEN: roles.green}
    found = []
    for role, cluster in parts.items():
        if cluster is None or not (cluster.available and cluster.endpoint):
            continue
        if context.bound(role) is None:
            continue
        if any(instance.available for instance in await context.instances(role)):
            found.append(role)
    return found


async def _look_inside(evidence: RecoveryEvidence, *, known: bool) -> None:
    sides: dict[Role, Side] = {}
    for role in await _looked(evidence.context, evidence.roles):
        if others := await database_state.other_sessions(evidence.context, role):
            evidence.say(
                "another blueprime",
                f"{others} of its sessions are on {role.value}",
                "their application_name",
            )
        sides[role] = await database_state.look(evidence.context, role)
    evidence.sides = sides
    needed = _needed(evidence.roles)
    if needed not in sides:
        raise no_guess(
            f"The databases of {needed.value} cannot be looked at: its cluster or its instances "
            "are not available, or gone.",
            "Wait until it is available with an instance, then try again.",
        )
    if not known:
        # Whether the lost plan locked roles is told by whether any is locked.
        evidence.locks = any(side.locked for side in sides.values())


def _needed(roles: ClusterRoles) -> Role:
    """Return the part without whose databases nothing can be told."""
    if not roles.switched:
        return Role.BLUE
    if roles.bears(roles.prime):
        return Role.BLUE_PRIME
    return Role.OLD_BLUE if roles.bears(roles.blue) else Role.NEW_BLUE


async def _stays(evidence: RecoveryEvidence, say: Say) -> list[Stay]:
    roles = evidence.roles
    if not roles.switched:
        gone = roles.deployment is None and roles.green is not None
        if gone or (roles.deployment is not None and roles.deployment.status == "DELETING"):
            return await infer_upgrade.aborting(evidence)
        return [await infer_upgrade.before(evidence)]
    if Role.NEW_BLUE not in evidence.sides:
        return infer_rollback.cleaning(evidence)
    await _compare(evidence, say)
    variant = infer_rollback.way_of(evidence)
    if isinstance(variant, UpgradeVariant):
        return await infer_rollback.going_forward(evidence)
    if variant is not None:
        return await infer_rollback.rolling_back(evidence, variant)
    if infer_rollback.committing(evidence):
        return await infer_rollback.ending(evidence)
    if infer_rollback.has_gone_forward(evidence):
        return await infer_rollback.going_forward(evidence)
    return [await infer_upgrade.after(evidence)]


async def _compare(evidence: RecoveryEvidence, say: Say) -> None:
    """Compare the rows of both blues where the traffic is closed: was it ever open?"""
    if (
        evidence.rows is not None
        or Role.OLD_BLUE not in evidence.sides
        or evidence.traffic(Role.NEW_BLUE) is not Traffic.CLOSED
        or not evidence.roles.bears(evidence.roles.green)
        or any(evidence.sides[Role.NEW_BLUE].read_only.values())
        or (Role.BLUE_PRIME in evidence.sides and evidence.sides[Role.BLUE_PRIME].captured)
    ):
        return
    say("comparing the rows of old blue and new blue: was anything written since the freeze?")
    databases = evidence.sides[Role.NEW_BLUE].databases
    evidence.rows = await database_state.same_rows(
        evidence.context, Role.OLD_BLUE, Role.NEW_BLUE, databases
    )
    evidence.say(
        "writes on new blue since the freeze",
        {True: "none", False: "there are", None: "not proved"}[evidence.rows.same],
        evidence.rows.words,
    )


def _protects_first(evidence: RecoveryEvidence) -> bool:
    """Return whether the lost plan put the protection before the traffic."""
    return evidence.never_opened and evidence.roles.prime is not None


async def _with_every_role(
    context: RunContext, text: str, roles: ClusterRoles, given: Given
) -> str:
    """Return a discovered plan with the roles that may log in on any cluster of the run."""
    names: set[str] = set(given.application_roles)
    if not names:
        for role in await _looked(context, roles):
            async with context.connect(role) as connection:
                names |= plan_from_cluster.applications(await catalog.login_roles(connection))
    return plan_from_cluster.with_roles(text, sorted(names))


def _locked(evidence: RecoveryEvidence) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the roles that the run surely locked, and those that anybody may have locked."""
    if not evidence.context.plan.traffic.lock_roles:
        return (), ()
    able = {name for side in evidence.sides.values() for name in side.able}
    locked = {name for side in evidence.sides.values() for name in side.locked}
    serving = Role.NEW_BLUE if evidence.roles.switched else Role.BLUE
    closed = evidence.traffic(serving) is Traffic.CLOSED
    return tuple(sorted(able & locked)), tuple(sorted(locked - able)) if closed else ()


def _doubt_plan(evidence: RecoveryEvidence) -> None:
    evidence.doubt(
        "the commands that stop and start the applications, and how a rollback leads them back",
        "the plan was discovered anew: traffic is manual, the endpoint method is rename; if that "
        "is not so, do not go on: adopt again with the plan of the run, or this one corrected, as "
        "--plan. An edit of the file alone is read before preflight and ready-to-switch only",
    )
    evidence.doubt(
        "which roles the applications use, beyond those that may log in somewhere now",
        "a role that may log in nowhere is not among them: name it with --application-role",
    )
