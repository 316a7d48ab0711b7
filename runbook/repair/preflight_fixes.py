"""The repairs that preflight checks offer on blue, before the switchover."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from psycopg import AsyncConnection

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Gate, Watch, Wave
from runbook.failures import Answer, Finding, Refused, StepFailed
from runbook.ownership.aws_names import Owner, of_aws, owner
from runbook.postgres import fix, fix_sql
from runbook.postgres.fix import Fix, FixKind
from runbook.postgres.statement import quoted
from runbook.procedure.steps.shared.effects import SqlEffect, no, yes
from runbook.repair.contract import Repair
from state.records import Json

TYPED = {
    FixKind.DROP_SLOT: "Its reader can never go on from it: what it kept is gone.",
    FixKind.DROP_PUBLICATION: "Who subscribes to it gets nothing more until it is made anew.",
    FixKind.DROP_SUBSCRIPTION: "Nothing more arrives; its slot on the publisher keeps WAL.",
    FixKind.ROLL_BACK_PREPARED: "What it wrote is gone; its owner takes it for prepared.",
    FixKind.DROP_EXTENSION: "What it holds of its own is gone; it can be made anew, empty.",
}
"""What cannot be undone: the object's name is typed for it, and this is said."""

UNDO = {
    FixKind.TERMINATE: "None: its transaction is rolled back; the client may connect again.",
    FixKind.IDENTITY_FULL: "ALTER TABLE … REPLICA IDENTITY DEFAULT.",
    FixKind.IDENTITY_INDEX: "ALTER TABLE … REPLICA IDENTITY DEFAULT.",
    FixKind.IDENTITY_DEFAULT: "ALTER TABLE … REPLICA IDENTITY FULL.",
    FixKind.PLAIN_TRIGGER: "ALTER TABLE … ENABLE ALWAYS (or REPLICA) TRIGGER …, as it was.",
    FixKind.JOIN_ROLE: "REVOKE … FROM …: not before the run is at its end.",
}


OF_A_DEPLOYMENT = (FixKind.DROP_SLOT, FixKind.DROP_PUBLICATION, FixKind.DROP_SUBSCRIPTION)
"""AWS makes its own of these on blue with the deployment: with a run's own none is dropped."""


@dataclass
class Fixing(Repair):
    """One repair of a check. `fix` is as the check's result keeps it."""

    what: ClassVar[str] = "fix"
    fix: dict[str, Any]

    def __post_init__(self) -> None:
        self._fix = one = fix.from_json(self.fix)
        names = [quoted(name) for name in one.names]
        where = [] if one.on == Role.BLUE else [one.on]
        where += [quoted(one.database)] if one.database else []
        self.named(one.kind.value, *where, *names)
        self.title = fix_sql.title(one) + ("" if one.on == Role.BLUE else f" on {one.on}")
        self.undo = TYPED.get(one.kind) or UNDO[one.kind]

    async def gates(self, context: RunContext) -> list[Gate]:
        one = self._fix
        question = f"{self.title} on blue, which serves."
        if one.kind is FixKind.TERMINATE:
            return self.asking(question, "The transaction that it has open is rolled back.")
        if one.kind is FixKind.JOIN_ROLE:
            return self.asking(f"{self.title}.", self.undo)
        if one.kind in TYPED:
            return self.asking(question, TYPED[one.kind], typed=one.names[0])
        return []

    async def owner(self, context: RunContext) -> Owner | None:
        """Return whose its object is, as AWS says now, or None where it may be repaired."""
        return await _owner(context, self._fix)

    async def effects(self, context: RunContext) -> list[Wave]:
        return [[FixEffect(context, self._fix, self.key, self.title)]]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        finding = await FixEffect(context, self._fix, self.key, self.title).probe()
        if finding.answer is not Answer.YES:
            raise StepFailed(
                f"{self.title} was asked for, and it still stands: {finding.seen}.",
                now="Nothing else was changed.",
                todo=f"Look at it on {self._fix.on}, then try again.",
            )
        watch.evidence(f"done: {self.title}; the preflight, run again, looks anew")


class FixEffect(SqlEffect):
    """The SQL of one repair."""

    def __init__(self, context: RunContext, one: Fix, key: str, title: str) -> None:
        async def probe(connection: AsyncConnection) -> Finding:
            standing = await fix_sql.standing(connection, one)
            return no(standing) if standing else yes("there is nothing to repair any more")

        super().__init__(
            context,
            Role(one.on),
            one.database,
            fix_sql.statements(one),
            key=f"{Role(one.on).slug}/{key}",
            title=title,
            probe=probe,
            transaction=fix_sql.in_transaction(one),
            limit_s=context.plan.limits.repair_s,
        )
        self._one = one

    async def perform(self) -> Mapping[str, Json]:
        """Run the SQL, unless the object turns out to be somebody's who needs it."""
        whose = await _owner(self.context, self._one)
        if whose is not None:
            raise Refused(f"{self.title}: {whose.words}.", todo=whose.todo)
        return await super().perform()


async def _owner(context: RunContext, one: Fix) -> Owner | None:
    if one.kind not in OF_A_DEPLOYMENT:
        return None
    name, standing = one.names[0], []
    if of_aws(name):
        standing = await context.rds.deployments_of((await context.cluster(Role.BLUE)).arn)
    return owner(name, context.run, standing)


def offered(context: RunContext, *facts: str) -> list[Fixing]:
    """Return the repairs that the results under these facts offer, each once."""
    found: dict[str, Fixing] = {}
    deployed = context.fact("deployment") is not None or context.begun("create-deployment")
    for result in (row for fact in facts for row in context.fact(fact) or ()):
        if result.get("fix") and result.get("level") != "pass":
            why = f"{result['subject']}: {result['text']}"
            one = Fixing(why=why, fix=result["fix"])
            if deployed and fix.from_json(result["fix"]).kind in OF_A_DEPLOYMENT:
                continue
            found.setdefault(one.key, one)
    return list(found.values())
