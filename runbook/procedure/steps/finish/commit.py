"""The end of the way back."""

from __future__ import annotations

from collections.abc import Sequence

from runbook.aws import Call
from runbook.aws.facts import tag_rows
from runbook.base import derived_names
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Gate, Risk, Step, Watch, Wave
from runbook.failures import Finding, Refused, StepFailed
from runbook.postgres import catalog
from runbook.procedure.steps.shared import remains
from runbook.procedure.steps.shared.deletion import (
    await_gone,
    deletion,
    deletion_gates,
    never_deleted,
    own,
    serves,
)
from runbook.procedure.steps.shared.effects import ApiEffect, no, yes
from state.enums import Result


class AssessCommit(Step):
    """Ask for the end of the way back, in those words."""

    key = "assess-commit"
    title = "Assess the commit"
    why = "After this there is no return to the old version but a restore."
    risk = Risk.DESTRUCTIVE
    undo = "None."

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        name = context.plan.cluster.identifier
        return (
            *await self._by_another_hand(context),
            Gate(
                key="commit",
                question=f"End the way back of {name}: stay on the new version for good.",
                reversible=(
                    "It cannot be undone. Blue prime stops following at once, and with it the "
                    "rollback that loses nothing."
                ),
                must_type=name,
            ),
        )

    async def _by_another_hand(self, context: RunContext) -> list[Gate]:
        """Return the decision to go on where slots are gone that this journal has not dropped.

        A server that loses a slot still lists it, as lost. One that is not listed was dropped by
        somebody, perhaps by another journal of this run, for which another cluster serves.
        """
        names = [str(name) for name in context.fact("slots") or ()]
        async with context.connect(Role.NEW_BLUE) as connection:
            listed = {slot.name for slot in await catalog.replication_slots(connection)}
        gone = [name for name in names if name not in listed]
        if not gone:
            return []
        return [
            Gate(
                key=f"commit-without/{'+'.join(gone)}",
                question=f"{', '.join(gone)} on new blue was dropped, and not by this journal. End "
                "the way back all the same?",
                reversible="It cannot be undone. First find out who dropped it, and make sure that "
                "no application uses blue prime.",
                must_type=context.plan.cluster.identifier,
                by_person=True,
            )
        ]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        new_blue = await context.cluster(Role.NEW_BLUE)
        if new_blue.identifier != context.plan.cluster.identifier:
            raise Refused(
                f"New blue is named {new_blue.identifier}: it does not bear the production name.",
                todo="Commit is for a cluster that serves.",
            )
        watch.evidence(f"{new_blue.identifier} stays on {new_blue.engine_version}")


class AssessFinalize(Step):
    """Ask for the end of the way forward, in those words."""

    key = "assess-finalize"
    title = "Assess the end of the rollback"
    why = "After this a return to the new version is a new upgrade."
    risk = Risk.DESTRUCTIVE
    undo = "None."

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        name = context.plan.cluster.identifier
        return (
            Gate(
                key="finalize",
                question=f"End the way forward of {name}: stay on the old version.",
                reversible=(
                    "It cannot be undone. New blue stops following at once; what is written from "
                    "then on is on blue prime alone."
                ),
                must_type=name,
            ),
        )

    async def verify(self, context: RunContext, watch: Watch) -> None:
        if not serves(context, Role.BLUE_PRIME):
            raise Refused(
                "Blue prime does not serve the applications.",
                todo="Finalizing is for a run that has rolled back to it.",
            )
        blue_prime = await context.cluster(Role.BLUE_PRIME)
        watch.evidence(f"{blue_prime.identifier} stays on {blue_prime.engine_version}")


class SnapshotOldBlue(Step):
    """Keep a last snapshot of the old version.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_CreateSnapshotCluster.html
    """

    key = "snapshot-old-blue"
    title = "Snapshot old blue"
    why = "What the database was before the upgrade stays restorable."
    risk = Risk.REVERSIBLE
    undo = "Delete the snapshot."

    async def skip(self, context: RunContext) -> str:
        if not context.plan.commit.final_snapshot:
            return "the plan wants no final snapshot"
        if await context.find(Role.OLD_BLUE) is None:
            return "old blue is gone"
        return ""

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        old_blue = await context.cluster(Role.OLD_BLUE)
        name = derived_names.final_snapshot(context.run)

        async def probe() -> Finding:
            found = await context.rds.snapshot(name)
            return yes(f"{name} is {found.status}") if found else no(f"there is no snapshot {name}")

        parameters = {
            "DBClusterSnapshotIdentifier": name,
            "DBClusterIdentifier": old_blue.identifier,
            "Tags": tag_rows(context.tags),
        }
        effect = ApiEffect(
            context,
            Call("rds", "CreateDBClusterSnapshot", parameters),
            key=name,
            title=f"create snapshot {name} of {old_blue.identifier}",
            probe=probe,
        )
        return [[effect]]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        name = derived_names.final_snapshot(context.run)
        limits = context.plan.limits
        async for _ in watch.until(limits.clone_s, every_s=limits.poll_s, what="the snapshot"):
            found = await context.rds.snapshot(name)
            status = found.status if found else "not listed yet"
            watch.progress(f"{name} {status}")
            if status == "available":
                watch.evidence(f"snapshot {name} is available")
                return
            if status == "failed":
                raise StepFailed(
                    f"The snapshot {name} failed.",
                    now="Old blue and blue prime still exist.",
                    todo=f"Delete {name} in the console, then run the step again.",
                )


class DeleteBluePrime(Step):
    """The rollback cluster goes."""

    key = "delete-blue-prime"
    title = "Delete blue prime"
    why = "It follows nobody any more and costs as much as production."
    risk = Risk.DESTRUCTIVE
    undo = "None."

    async def skip(self, context: RunContext) -> str:
        if not context.plan.commit.delete_blue_prime:
            return "the plan keeps blue prime"
        return "" if await context.find(Role.BLUE_PRIME) else "there is no blue prime"

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        return await deletion_gates(context, Role.BLUE_PRIME, "It cannot be undone.")

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        cluster = await own(context, Role.BLUE_PRIME)
        return () if cluster is None else await deletion(context, cluster, Role.BLUE_PRIME)

    async def verify(self, context: RunContext, watch: Watch) -> None:
        await await_gone(context, watch, Role.BLUE_PRIME)


class DeleteOldBlue(Step):
    """The old production cluster goes, if the plan says so."""

    key = "delete-old-blue"
    title = "Delete old blue"
    why = "The plan decides whether the old version is kept; it is billed as long as it exists."
    risk = Risk.DESTRUCTIVE
    undo = "Restore the final snapshot."

    async def skip(self, context: RunContext) -> str:
        if not context.plan.commit.delete_old_blue:
            return "the plan keeps old blue"
        return "" if await context.find(Role.OLD_BLUE) else "old blue is gone"

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        kept = "The final snapshot stays." if context.plan.commit.final_snapshot else "No snapshot."
        return await deletion_gates(context, Role.OLD_BLUE, f"It cannot be undone. {kept}")

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        cluster = await context.find(Role.OLD_BLUE)
        if cluster is None:
            return ()
        if cluster.identifier == context.plan.cluster.identifier:
            raise never_deleted(f"Old blue bears the production name {cluster.identifier}.")
        if serves(context, Role.OLD_BLUE):
            raise never_deleted(f"Old blue ({cluster.identifier}) serves the applications.")
        return await deletion(context, cluster, Role.OLD_BLUE)

    async def verify(self, context: RunContext, watch: Watch) -> None:
        await await_gone(context, watch, Role.OLD_BLUE)


class VerifyCommitted(Step):
    """Say how it ended."""

    key = "verify-end"
    title = "Verify the end"
    why = "The upgrade is for good."
    rests = True

    async def verify(self, context: RunContext, watch: Watch) -> None:
        new_blue = await context.cluster(Role.NEW_BLUE)
        watch.evidence(f"{new_blue.identifier} serves on {new_blue.engine_version}, for good")
        old_blue = await context.find(Role.OLD_BLUE)
        if old_blue is not None:
            watch.evidence(
                f"{old_blue.identifier} is kept on {old_blue.engine_version}, and billed"
            )
        watch.evidence("no way back is held")
        await remains.tell(context, watch)
        watch.result(Result.COMMITTED)
