"""Who else reads from a publisher: slots and publications that are neither the run's nor AWS's.

A consumer of changes (CDC, DMS, Debezium) is set up anew on the cluster that serves. No way back
takes it along: its slot stays where it is, keeps WAL there, and hears nothing of the other cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runbook.amounts import some
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Watch
from runbook.failures import StepFailed
from runbook.ownership.aws_names import of_aws
from runbook.postgres import catalog
from runbook.postgres.catalog import SlotFound
from runbook.postgres.connect import UNREACHABLE


@dataclass(frozen=True, slots=True)
class Consumers:
    """What others have made on one cluster to read from it."""

    slots: Sequence[str]
    """Each in words."""
    publications: Sequence[str]

    @property
    def words(self) -> str:
        """What there is, in a few words; empty where there is nothing."""
        kinds = (("slot", self.slots), ("publication", self.publications))
        return "; ".join(
            f"{kind}{'s' if len(names) > 1 else ''} {some(names)}" for kind, names in kinds if names
        )


def others(slots: Iterable[SlotFound], own: str) -> list[SlotFound]:
    """Return the logical slots that are not AWS's, nor the run's, whose names begin with `own`."""
    return [
        slot
        for slot in slots
        if slot.slot_type == "logical"
        and not slot.temporary
        and not slot.name.startswith(own)
        and not of_aws(slot.name)
    ]


def in_words(slot: SlotFound) -> str:
    """Return a slot by its name, with what reads it and where."""
    state = "read now" if slot.active else "not read now"
    return f"{slot.name} ({slot.plugin} in {slot.database}, {state})"


async def consumers(context: RunContext, role: Role) -> Consumers:
    """Return what others have made on a role's cluster, in all of its databases."""
    own = context.sql_name()
    async with context.connect(role) as connection:
        slots = others(await catalog.replication_slots(connection), own)
    publications = []
    for database in await context.databases(role):
        async with context.connect(role, database) as connection:
            publications += [
                f"{each.name} in {database}"
                for each in await catalog.publications(connection)
                if not each.name.startswith(own) and not of_aws(each.name)
            ]
    return Consumers([in_words(slot) for slot in slots], publications)


async def name_consumers(context: RunContext, watch: Watch, role: Role, *, todo: str) -> None:
    """Warn of what others have made on a role's cluster; one that does not answer is said to.

    `todo` says what has to be done about it. Nothing is held up by it.
    """
    try:
        words = (await consumers(context, role)).words
    except (StepFailed, *UNREACHABLE) as error:
        reason = " ".join(str(error).split())
        watch.evidence(f"who else reads from {role.value} was not looked at: {reason}")
        return
    watch.warning(
        f"not the run's on {role.value}: {words}. {todo}" if words else "",
        key=f"consumers/{role.slug}",
    )
