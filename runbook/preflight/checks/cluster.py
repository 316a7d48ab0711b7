"""The cluster itself: the right one, whole, and one that AWS takes into a deployment."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runbook.amounts import counted
from runbook.aws.errors import AccessDenied
from runbook.aws.facts import Cluster, Deployment
from runbook.aws.versions import OLDEST, blue_green_since, blue_green_support, numbers
from runbook.base.roles import Role
from runbook.ownership.tags import run_of_deployment
from runbook.preflight.check import check
from runbook.preflight.result import Result, block, passed, unseen, warn
from runbook.preflight.survey import Survey


@check("cluster.found", why="A run knows its cluster by the resource id, which never changes.")
async def found(look: Survey) -> AsyncIterator[Result]:
    """Gone, or renamed: the plan would speak of another cluster than it means."""
    wanted = look.plan.cluster
    cluster = await look.context.find(Role.BLUE)
    if cluster is None:
        yield block(
            wanted.identifier,
            f"{wanted.region} has no cluster with the resource id {wanted.resource_id}.",
            "Check the region; if the cluster was made anew, write a new plan.",
        )
    elif cluster.identifier != wanted.identifier:
        yield block(
            wanted.identifier,
            f"The cluster of the plan is named {cluster.identifier} now.",
            "If it was renamed on purpose, write a new plan for the new name.",
        )
    else:
        yield passed(cluster.identifier, f"{cluster.resource_id}, {cluster.engine_version}")


@check("cluster.status", why="AWS refuses a deployment while the cluster or an instance changes.")
async def status(look: Survey) -> AsyncIterator[Result]:
    """Something is being modified, or is broken."""
    cluster, instances = await look.cluster(), await look.instances()
    waiting = [(i.identifier, i.status) for i in instances if not i.available]
    if not cluster.available:
        waiting.insert(0, (cluster.identifier, cluster.status))
    for name, word in waiting:
        yield block(name, f"It is {word}.", "Wait until it is available.")
    if not waiting:
        yield passed(cluster.identifier, f"available, with {counted(len(instances), 'instance')}")


@check("cluster.members", why="AWS needs a writer, and all instances on one version.")
async def members(look: Survey) -> AsyncIterator[Result]:
    """No writer, or instances of different versions after a half-done update."""
    cluster, instances = await look.cluster(), await look.instances()
    if cluster.writer is None:
        yield block(
            cluster.identifier,
            "The cluster has no writer instance.",
            "Add an instance (aws rds create-db-instance), and wait until it is available.",
        )
    odd = [i for i in instances if i.engine_version != cluster.engine_version]
    for instance in odd:
        yield block(
            instance.identifier,
            f"It runs {instance.engine_version}, the cluster {cluster.engine_version}.",
            "Finish the pending maintenance of this instance first.",
        )
    if cluster.writer is not None and not odd:
        yield passed(cluster.writer.identifier, f"writer, {cluster.engine_version}")


@check("cluster.version", why="Only some versions can be blue in a blue/green deployment.")
async def version(look: Survey) -> AsyncIterator[Result]:
    """Blue is too old for a blue/green deployment."""
    cluster = await look.cluster()
    if numbers(cluster.engine_version)[0] < OLDEST:
        yield block(
            cluster.identifier,
            f"{cluster.engine_version} is older than what blueprime takes, {OLDEST} and later.",
            f"First upgrade it in place to {OLDEST}, or upgrade without blueprime.",
        )
        return
    yield _support(cluster.identifier, cluster.engine_version, "first upgrade it in place to")


@check("cluster.target", why="AWS upgrades only along the paths that it lists for each version.")
async def target(look: Survey) -> AsyncIterator[Result]:
    """The target is no valid upgrade from here, or takes no blue/green deployment."""
    cluster, wanted = await look.cluster(), look.plan.upgrade.target_version
    source = await look.context.rds.engine_version(cluster.engine_version)
    targets = [] if source is None else source.upgrade_targets
    if wanted in {t.version for t in targets}:
        yield passed(wanted, f"a valid upgrade from {cluster.engine_version}")
        yield _support(wanted, wanted, "choose at least")
    else:
        names = ", ".join(t.version for t in targets if t.is_major) or "none"
        yield block(
            wanted,
            f"{cluster.engine_version} cannot be upgraded to {wanted} here.",
            f"Choose one of: {names}.",
        )


def _support(subject: str, number: str, advice: str) -> Result:
    support = blue_green_support(number)
    if support is None:
        return warn(
            subject,
            f"AWS's guide does not say yet whether {number} takes a blue/green deployment.",
            "Nothing is at risk: AWS refuses the deployment if not, and blue stays as it is.",
        )
    if not support:
        return block(
            subject,
            f"{number} takes no blue/green deployment.",
            f"For a blue/green deployment, {advice} {blue_green_since(number)}.",
        )
    return passed(subject, f"{number} takes a blue/green deployment")


@check("cluster.kind", why="AWS takes no such cluster into a blue/green deployment.")
async def kind(look: Survey) -> AsyncIterator[Result]:
    """Serverless v1, or part of a global database, whose topology must not change meanwhile."""
    cluster = await look.cluster()
    world = _global_database(cluster)
    if cluster.engine_mode not in ("provisioned", ""):
        yield block(
            cluster.identifier,
            f"Its engine mode is {cluster.engine_mode}; a deployment takes only provisioned "
            "clusters, Serverless v2 among them.",
            "Migrate it to a provisioned cluster first.",
        )
    elif source := cluster.raw.get("ReplicationSourceIdentifier"):
        yield block(
            cluster.identifier,
            f"It is a replica of {source} in another Region.",
            "Promote it, or upgrade the source instead.",
        )
    elif world:
        yield block(
            cluster.identifier,
            f"It is part of {world}. Blue prime would be outside of it, a rollback by renaming is "
            "not possible, and each secondary Region without a parameter group of green's name "
            "falls back to the default one in silence.",
            "Upgrade it without blueprime; or, where nobody reads from the secondaries, take it "
            "out first: aws rds remove-from-global-cluster --global-cluster-identifier … "
            f"--db-cluster-identifier {cluster.arn}",
        )
    else:
        yield passed(cluster.identifier, "a cluster of one region, provisioned")


def _global_database(cluster: Cluster) -> str:
    """Return the global database that a cluster is part of, in words, or an empty string.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-considerations.html
    """
    if identifier := cluster.raw.get("GlobalClusterIdentifier"):
        return f"the global database {identifier}"
    forwards = cluster.global_write_forwarding in ("enabled", "enabling")
    return "a global database: it forwards writes" if forwards else ""


@check(
    "cluster.master-password",
    why="AWS refuses a blue/green deployment of a cluster whose master password RDS manages.",
)
async def master_password(look: Survey) -> AsyncIterator[Result]:
    """The master password is managed in Secrets Manager."""
    cluster = await look.cluster()
    if cluster.master_secret_arn:
        yield block(
            cluster.identifier,
            "RDS manages its master password in Secrets Manager.",
            f"aws rds modify-db-cluster --db-cluster-identifier {cluster.identifier} "
            "--no-manage-master-user-password --master-user-password … --apply-immediately",
        )
    else:
        yield passed(cluster.identifier, "the master password is not managed by RDS")


@check("cluster.backups", why="AWS makes green from a backup.")
async def backups(look: Survey) -> AsyncIterator[Result]:
    """Backups are off."""
    cluster = await look.cluster()
    if cluster.backup_retention_days < 1:
        yield block(
            cluster.identifier,
            "Automated backups are off.",
            f"aws rds modify-db-cluster --db-cluster-identifier {cluster.identifier} "
            "--backup-retention-period 7 --apply-immediately",
        )
    else:
        yield passed(
            cluster.identifier, f"backups kept {counted(cluster.backup_retention_days, 'day')}"
        )


@check("cluster.deployments", why="A cluster can be part of one deployment at a time.")
async def deployments(look: Survey) -> AsyncIterator[Result]:
    """Somebody else's deployment stands on the cluster."""
    cluster = await look.cluster()
    others = [d for d in await look.deployments() if d.name != look.own_deployment]
    for other in others:
        yield block(
            other.identifier,
            f"The blue/green deployment {other.name} of {cluster.identifier} is {other.status}.",
            _about(other),
        )
    if not others:
        yield passed(cluster.identifier, "no other deployment")


def _about(deployment: Deployment) -> str:
    """Return what to do about a deployment that stands in the way, and what its deletion takes."""
    if run := run_of_deployment(deployment):
        return (
            f"It belongs to run {run} of blueprime, which goes on with it or deletes it: the check "
            "cluster.another-run says what to do about that run."
        )
    delete = (
        "aws rds delete-blue-green-deployment "
        f"--blue-green-deployment-identifier {deployment.identifier}"
    )
    blue, green = (arn.rpartition(":")[2] for arn in (deployment.source, deployment.target))
    if deployment.status == "SWITCHOVER_COMPLETED":
        return f"If nobody goes back by it: {delete}. Both clusters stay, {blue} no longer locked."
    what = f"the cluster {green} with its instances and rows" if green else "the green in making"
    return (
        "Find out who has made it, and let them finish it. If nobody needs it: "
        f"{delete} --delete-target, which deletes {what}."
    )


@check("cluster.deletion-protection", why="Green and blue prime inherit it.")
async def deletion_protection(look: Survey) -> AsyncIterator[Result]:
    """Told, since the run lifts it on its own clusters before it deletes them."""
    cluster = await look.cluster()
    if cluster.deletion_protection:
        text = (
            "on; green and blue prime get it too, and a person is asked before it is lifted there"
        )
    else:
        text = "off"
    yield passed(cluster.identifier, f"deletion protection is {text}")


@check("cluster.not-copied", why="What AWS does not copy is missing after the switchover.")
async def not_copied(look: Survey) -> AsyncIterator[Result]:
    """IAM roles are not copied to green, custom endpoints not to a clone."""
    cluster = await look.cluster()
    endpoints = await look.custom_endpoints()
    for role in cluster.associated_roles:
        yield warn(
            role,
            "This IAM role is attached to the cluster and is not copied to green.",
            f"After green exists: aws rds add-role-to-db-cluster --role-arn {role} "
            "--db-cluster-identifier <green>",
        )
    for endpoint in endpoints:
        yield warn(
            endpoint.identifier,
            "This custom endpoint is copied to green, but blue prime will not have it.",
            "Make it on blue prime by hand if a rollback needs it: "
            "aws rds create-db-cluster-endpoint.",
        )
    if not cluster.associated_roles and not endpoints:
        yield passed(cluster.identifier, "no IAM roles, no custom endpoints")


@check(
    "cluster.auto-scaling",
    why="Auto Scaling policies are not copied to green: after the switchover readers are neither "
    "added nor removed, and a reader that comes meanwhile changes what green is made of.",
)
async def auto_scaling(look: Survey) -> AsyncIterator[Result]:
    """Auto Scaling adds readers to the cluster."""
    cluster = await look.cluster()
    try:
        count = await look.context.aws.scaling.targets(cluster.identifier)
    except AccessDenied as error:
        yield unseen(
            cluster.identifier,
            f"Auto Scaling could not be looked at: {error.what}",
            error.todo,
            survives="readers may come while green is made, and its policies are lost",
        )
        return
    if count:
        yield warn(
            cluster.identifier,
            "Auto Scaling adds readers to it.",
            "Note its policies, suspend them until the run has ended (aws application-autoscaling "
            "register-scalable-target --suspended-state …), then register new blue anew.",
        )
    else:
        yield passed(cluster.identifier, "no Auto Scaling")


@check("cluster.zero-etl", why="AWS refuses the switchover while the integration exists.")
async def zero_etl(look: Survey) -> AsyncIterator[Result]:
    """A zero-ETL integration reads from the cluster."""
    cluster = await look.cluster()
    try:
        names = await look.context.rds.integrations_of(cluster.arn)
    except AccessDenied as error:
        yield unseen(
            cluster.identifier,
            f"Integrations could not be looked at: {error.what}",
            error.todo,
            survives="AWS refuses the switchover where a zero-ETL integration is there",
        )
        return
    for name in names:
        yield block(
            name,
            f"This zero-ETL integration reads from {cluster.identifier}.",
            "Delete it for the switchover (aws rds delete-integration), and make it anew after.",
        )
    if not names:
        yield passed(cluster.identifier, "no zero-ETL integration")


_IN_FLIGHT_SENT = {13: 21, 14: 18, 15: 13, 16: 9, 17: 5}
"""Major -> the first minor in which changes of transactions that were open while a publication or a
slot was made are decoded in full (PostgreSQL's release notes of May 2025)."""

_SENDS_ON = {13: 22, 14: 19, 15: 14, 16: 10, 17: 6}
"""Major -> the first minor without what that repair brought: a walsender that fails for good with
`invalid memory alloc request size` (PostgreSQL's release notes of August 2025, commit d87d07b)."""


@check(
    "cluster.slot-race",
    why="Slots that are made while transactions are open may miss some of their changes in such "
    "minors, or can be read no more after much DDL. blueprime makes its own while nothing runs; "
    "AWS makes those for green under load.",
)
async def slot_race(look: Survey) -> AsyncIterator[Result]:
    """Blue or green would publish with a minor whose slots lose changes, or stand still."""
    cluster = await look.cluster()
    clear = True
    for subject, number, role in (
        (cluster.identifier, cluster.engine_version, "blue"),
        (look.plan.upgrade.target_version, look.plan.upgrade.target_version, "new blue"),
    ):
        if result := _racing(subject, number, role):
            clear = False
            yield result
    if clear:
        yield passed(cluster.identifier, "neither version has a known fault of its slots")


def _racing(subject: str, number: str, role: str) -> Result | None:
    major, minor = numbers(number)
    sends_on = _SENDS_ON.get(major)
    if sends_on is None or minor >= sends_on:
        return None
    fault = (
        "may lose changes of transactions that are open while a slot is made"
        if minor < _IN_FLIGHT_SENT[major]
        else "may fail to send any more (invalid memory alloc request size) where tables are made "
        "or altered while other transactions run"
    )
    return warn(
        subject,
        f"{number}, which {role} runs, {fault}.",
        f"Take {major}.{sends_on} or later, or make the deployment while nothing writes.",
    )
