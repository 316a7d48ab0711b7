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
    scene: RecoveryEvidence
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
    found, cast, plan = await _cast(aws, production, run, plan, known, say)
    text = ""
    if plan is None:
        text = await plan_from_cluster.discovered(aws, found, cast, given or Given())
    try:
        return await _told(aws, cast, plan, text, given or Given(), say)
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
        cast = casts.find(region, found, production, plan)
        if not cast.switching:
            return found, cast, plan
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
    aws: Aws, cast: ClusterRoles, plan: Plan | None, text: str, given: Given, say: Say
) -> Adoption:
    draft = Draft()
    goes_by = plan or plan_from_cluster.parsed(text)
    context = RunContext(run=cast.run, plan=goes_by, journal=draft, aws=aws, connect_s=CONNECT_S)
    scene = RecoveryEvidence(context, draft, cast, {}, locks=goes_by.traffic.lock_roles)
    scene.items, scene.unknown = list(cast.items), list(cast.unknown)
    facts.roles(scene)
    try:
        if plan is None:
            text = await _with_every_role(context, text, cast, given)
            context.plan = plan_from_cluster.parsed(text)
        say("looking at the databases")
        await _look_inside(scene, known=plan is not None)
        stays = await _stays(scene, say)
        if plan is None and _protects_first(scene):
            text = plan_from_cluster.with_order(text, Order.PROTECT_FIRST)
            context.plan = plan_from_cluster.parsed(text)
            stays = await _stays(scene, say)
        await facts.rest(scene, stays)
        surely, maybe = _locked(scene)
    finally:
        await context.forget_connections()
    mark = _held(scene)
    if plan is None:
        _doubt_plan(scene)
    last = stays[-1]
    following = next_step(scene, last)
    return Adoption(cast.run, context.plan, text, scene, stays, following, mark, surely, maybe)


def _held(scene: RecoveryEvidence) -> HolderTag | None:
    """Keep who holds the run by its mark, and return that; say so where there is none."""
    clusters = scene.cast.clusters
    mark = holder.latest(clusters, scene.cast.run)
    if mark is None:
        scene.doubt(
            "whether another machine has the run's journal and acts on it",
            f"no cluster of the run bears the tag {HOLDER_TAG}: make sure that none does; a run is "
            "moved by blueprime handover",
        )
        return None
    words = f"held by {mark.words}" + ", ended" * mark.ended
    bearers = [c.identifier for c in clusters if holder.marks([c]).get(c.resource_id) == mark]
    scene.say("who has acted on the run", words, f"tag {HOLDER_TAG} of {', '.join(bearers)}")
    scene.draft.keep(holder.FACT, holder.as_fact(mark), f"the run is {words}")
    return mark


async def _looked(context: RunContext, cast: ClusterRoles) -> list[Role]:
    """Return the parts whose cluster has an instance that answers, as far as AWS knows."""
    if cast.switched:
        parts = {
            Role.NEW_BLUE: cast.green,
            Role.OLD_BLUE: cast.blue,
            Role.BLUE_PRIME: cast.prime,
        }
    else:
        parts = {Role.BLUE: cast.blue, Role.GREEN: cast.green}
    found = []
    for role, cluster in parts.items():
        if cluster is None or not (cluster.available and cluster.endpoint):
            continue
        if context.bound(role) is None:
            continue
        if any(instance.available for instance in await context.instances(role)):
            found.append(role)
    return found


async def _look_inside(scene: RecoveryEvidence, *, known: bool) -> None:
    sides: dict[Role, Side] = {}
    for role in await _looked(scene.context, scene.cast):
        if others := await database_state.other_sessions(scene.context, role):
            scene.say(
                "another blueprime",
                f"{others} of its sessions are on {role.value}",
                "their application_name",
            )
        sides[role] = await database_state.look(scene.context, role)
    scene.sides = sides
    needed = _needed(scene.cast)
    if needed not in sides:
        raise no_guess(
            f"The databases of {needed.value} cannot be looked at: its cluster or its instances "
            "are not available, or gone.",
            "Wait until it is available with an instance, then try again.",
        )
    if not known:
        # Whether the lost plan locked roles is told by whether any is locked.
        scene.locks = any(side.locked for side in sides.values())


def _needed(cast: ClusterRoles) -> Role:
    """Return the part without whose databases nothing can be told."""
    if not cast.switched:
        return Role.BLUE
    if cast.bears(cast.prime):
        return Role.BLUE_PRIME
    return Role.OLD_BLUE if cast.bears(cast.blue) else Role.NEW_BLUE


async def _stays(scene: RecoveryEvidence, say: Say) -> list[Stay]:
    cast = scene.cast
    if not cast.switched:
        gone = cast.deployment is None and cast.green is not None
        if gone or (cast.deployment is not None and cast.deployment.status == "DELETING"):
            return await infer_upgrade.aborting(scene)
        return [await infer_upgrade.before(scene)]
    if Role.NEW_BLUE not in scene.sides:
        return infer_rollback.cleaning(scene)
    await _compare(scene, say)
    way = infer_rollback.way_of(scene)
    if isinstance(way, UpgradeVariant):
        return await infer_rollback.going_forward(scene)
    if way is not None:
        return await infer_rollback.rolling_back(scene, way)
    if infer_rollback.committing(scene):
        return await infer_rollback.ending(scene)
    if infer_rollback.has_gone_forward(scene):
        return await infer_rollback.going_forward(scene)
    return [await infer_upgrade.after(scene)]


async def _compare(scene: RecoveryEvidence, say: Say) -> None:
    """Compare the rows of both blues where the traffic is closed: was it ever open?"""
    if (
        scene.rows is not None
        or Role.OLD_BLUE not in scene.sides
        or scene.traffic(Role.NEW_BLUE) is not Traffic.CLOSED
        or not scene.cast.bears(scene.cast.green)
        or any(scene.sides[Role.NEW_BLUE].read_only.values())
        or (Role.BLUE_PRIME in scene.sides and scene.sides[Role.BLUE_PRIME].captured)
    ):
        return
    say("comparing the rows of old blue and new blue: was anything written since the freeze?")
    databases = scene.sides[Role.NEW_BLUE].databases
    scene.rows = await database_state.same_rows(
        scene.context, Role.OLD_BLUE, Role.NEW_BLUE, databases
    )
    scene.say(
        "writes on new blue since the freeze",
        {True: "none", False: "there are", None: "not proved"}[scene.rows.same],
        scene.rows.words,
    )


def _protects_first(scene: RecoveryEvidence) -> bool:
    """Return whether the lost plan put the protection before the traffic."""
    return scene.never_opened and scene.cast.prime is not None


async def _with_every_role(context: RunContext, text: str, cast: ClusterRoles, given: Given) -> str:
    """Return a discovered plan with the roles that may log in on any cluster of the run."""
    names: set[str] = set(given.application_roles)
    if not names:
        for role in await _looked(context, cast):
            async with context.connect(role) as connection:
                names |= plan_from_cluster.applications(await catalog.login_roles(connection))
    return plan_from_cluster.with_roles(text, sorted(names))


def _locked(scene: RecoveryEvidence) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the roles that the run surely locked, and those that anybody may have locked."""
    if not scene.context.plan.traffic.lock_roles:
        return (), ()
    able = {name for side in scene.sides.values() for name in side.able}
    locked = {name for side in scene.sides.values() for name in side.locked}
    serving = Role.NEW_BLUE if scene.cast.switched else Role.BLUE
    closed = scene.traffic(serving) is Traffic.CLOSED
    return tuple(sorted(able & locked)), tuple(sorted(locked - able)) if closed else ()


def _doubt_plan(scene: RecoveryEvidence) -> None:
    scene.doubt(
        "the commands that stop and start the applications, and how a rollback leads them back",
        "the plan was discovered anew: traffic is manual, the endpoint method is rename; if that "
        "is not so, do not go on: adopt again with the plan of the run, or this one corrected, as "
        "--plan. An edit of the file alone is read before preflight and ready-to-switch only",
    )
    scene.doubt(
        "which roles the applications use, beyond those that may log in somewhere now",
        "a role that may log in nowhere is not among them: name it with --application-role",
    )
