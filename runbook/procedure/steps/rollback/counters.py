"""What must be equal before the subscriber takes over: the last write, the sequences, the rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from time import monotonic

from runbook.amounts import counted
from runbook.base.context import RunContext
from runbook.base.pair import captured_databases, detached
from runbook.base.roles import Role
from runbook.base.step import ClusterImpact, Effect, Impact, Risk, Watch, Wave
from runbook.failures import Finding, StepFailed
from runbook.plan.model import CompareMode
from runbook.postgres import sequences
from runbook.postgres.comparison import fenced
from runbook.postgres.comparison.fenced import How
from runbook.procedure.steps.protect.verify import barriers, confirm_barriers
from runbook.procedure.steps.shared.effects import answered, no, yes
from runbook.procedure.steps.shared.of_pair import PairStep
from runbook.proofs import compare as comparing
from runbook.proofs import cutover, diverged, late_writes, unreplicated
from runbook.proofs.diverged import DIFFERENT, Differing
from state.records import Json


class Drain(PairStep):
    """Wait, inside the fence, until the subscriber has confirmed past a captured position."""

    key = "drain"
    title = "Drain the replication"

    def __init__(self, publisher: Role, subscriber: Role) -> None:
        super().__init__(publisher, subscriber)
        self.why = (
            f"The last acknowledged write must be on {subscriber.value} before it takes over."
        )

    async def skip(self, context: RunContext) -> str:
        if detached(context, self.subscriber):
            return f"{self.subscriber.value} was drained before its subscriptions were dropped"
        return ""

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        return [await barriers(context, self.publisher, "drain")]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        await confirm_barriers(
            context,
            watch,
            (self.publisher, self.subscriber),
            "drain",
            limit_s=context.plan.limits.drain_s,
            now=f"The applications are stopped; {self.publisher.value} has every write.",
        )


class SequencesEffect(Effect):
    """One database's sequences, set in one statement to exactly what the publisher has.

    Source: https://www.postgresql.org/docs/current/logical-replication-restrictions.html
    """

    def __init__(
        self, context: RunContext, publisher: Role, subscriber: Role, database: str
    ) -> None:
        self.stakes = ClusterImpact(Impact.CHANGE, subscriber)
        self.key = f"{subscriber.slug}/{database}/sequences"
        self.title = f"set the sequences of {database} on {subscriber.value}"
        self._context = context
        self._publisher = publisher
        self._subscriber = subscriber
        self._database = database

    def preview(self) -> str:
        """Return what is done: the values are read at that moment."""
        return (
            f"-- on {self._subscriber.value}, database {self._database}: one statement, with "
            f"last_value and is_called of each sequence as {self._publisher.value} has them\n"
            "SELECT … setval(sequence, last_value, is_called) …;"
        )

    async def probe(self) -> Finding:
        """Compare both sides."""
        differences = await self._differences()
        if differences:
            return no(f"{len(differences)} differ, e.g. {differences[0]}")
        return yes("all are equal")

    async def _differences(self) -> list[str]:
        async with (
            self._context.connect(self._publisher, self._database) as left,
            self._context.connect(self._subscriber, self._database) as right,
        ):
            return sequences.differences(await sequences.read(left), await sequences.read(right))

    async def perform(self) -> Mapping[str, Json]:
        """Set them and check the result of each."""
        with answered(self.title, self._subscriber):
            async with (
                self._context.connect(self._publisher, self._database) as left,
                self._context.connect(self._subscriber, self._database) as right,
            ):
                wanted = await sequences.read(left)
                if back := await sequences.set_back_in_use(right, wanted):
                    raise StepFailed(
                        f"{counted(len(back), 'sequence')} of {self._database} on "
                        f"{self._subscriber.value} "
                        f"would be set back while it is open to writes, e.g. {back[0]}.",
                        now=f"No sequence was changed; {self._publisher.value} has every write.",
                        todo=(
                            f"Make the database read-only on {self._subscriber.value} again, so "
                            "that nobody uses them, then run the step again."
                        ),
                    )
                results = await sequences.results(right, wanted)
            refused = [result for result in results if not result.set]
            if refused:
                raise StepFailed(
                    f"{len(refused)} of {len(results)} sequences of {self._database} were not set, "
                    f"e.g. {refused[0].schema}.{refused[0].name}: {refused[0].reason}.",
                    now="The others are set. The applications are stopped.",
                    todo=f"Fix what is named on {self._subscriber.value}, then run the step again.",
                )
            return {"set": len(results)}


class SyncSequences(PairStep):
    """Carry the sequences over: logical replication does not."""

    key = "sync-sequences"
    title = "Carry the sequences over"
    why = "Replication does not move sequences; the next insert would collide."
    risk = Risk.REVERSIBLE

    def __init__(self, publisher: Role, subscriber: Role) -> None:
        super().__init__(publisher, subscriber)
        self.undo = f"Not needed: {subscriber.value} is not in use."

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        return [
            [
                SequencesEffect(context, self.publisher, self.subscriber, database)
                for database in await captured_databases(context, self.publisher)
            ]
        ]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        for database in await captured_databases(context, self.publisher):
            async with (
                context.connect(self.publisher, database) as left,
                context.connect(self.subscriber, database) as right,
            ):
                wanted = await sequences.read(left)
                differences = sequences.differences(wanted, await sequences.read(right))
            if differences:
                raise StepFailed(
                    f"{counted(len(differences), 'sequence differs', 'sequences differ')} in "
                    f"{database}: {differences[0]}.",
                    now=f"The applications are stopped; {self.subscriber.value} is not in use.",
                    todo="Run the step again.",
                )
            watch.evidence(
                f"{database}: {counted(len(wanted), 'sequence')} equal, last_value and is_called"
            )


class Compare(PairStep):
    """Prove, inside the fence, that the subscriber holds the publisher's rows."""

    key = "compare"
    title = "Compare the rows"
    why = "Lag 0 and no error do not prove that nothing is missing; the rows do."

    async def verify(self, context: RunContext, watch: Watch) -> None:
        plan = context.plan.compare
        databases = await captured_databases(context, self.publisher)
        ends = monotonic() + (0 if plan.mode is CompareMode.COUNTS else plan.hash_budget_s)
        known = diverged.left(context)
        left, different, unproved = known, [], 0
        since = await comparing.position(context, self.publisher)
        lost = {each.name for each in diverged.given_up(context)}
        for place, database in enumerate(databases):
            # What one database leaves of the time is the others'.
            budget_s = max(0.0, ends - monotonic()) / (len(databases) - place)
            result = await self._compare(context, watch, database, budget_s)
            differ = [
                Differing(database, t.schema, t.table, t.rows_left, t.rows_right, "comparison")
                for t in result.different
                if (database, t.schema, t.table) not in lost
            ]
            left = diverged.after(left, database, differ, [t.place for t in result.unproved])
            unproved += len(result.unproved)
            different += [f"{each.database}: {each.schema}.{each.table}" for each in differ]
            watch.evidence(
                f"{database}: {result.words()}{_given_up(result, database, lost)}",
                key=f"compare.{database}",
                value=_as_json(result),
            )
        if left != known:
            watch.evidence(
                f"tables known to differ: {len(left)}",
                key=diverged.FACT,
                value=diverged.as_json(left),
            )
        if different:
            names = ", ".join(different[:5])
            watch.evidence(f"rows differ in {names}", key=DIFFERENT, value=different)
            raise StepFailed(
                f"{counted(len(different), 'table differs', 'tables differ')} between "
                f"{self.publisher.value} and "
                f"{self.subscriber.value}: {names}.",
                now=f"The applications are stopped; {self.publisher.value} has every write.",
                todo=(
                    "m (blueprime repair) offers to re-copy just the rows that differ, or to give "
                    "a table up by name: then run the step again. Or let traffic in on "
                    f"{self.publisher.value} again (leave this track), repair them there, and try "
                    "again then."
                ),
            )
        await cutover.prove_equal_still(context, watch, self.publisher, self.subscriber)
        if not unproved:
            unreplicated.proved(context, watch.evidence, since)
        if context.fact(DIFFERENT):
            watch.evidence("what differed before is equal now", key=DIFFERENT, value=[])
        late_writes.forget(context, watch)

    async def _compare(
        self, context: RunContext, watch: Watch, database: str, budget_s: float
    ) -> fenced.Comparison:
        plan = context.plan.compare
        left, right = await context.target(self.publisher), await context.target(self.subscriber)
        return await fenced.compare_databases(
            context.connector(left, database),
            context.connector(right, database),
            budget_s=budget_s,
            share=plan.sampled_share if plan.mode is CompareMode.SAMPLED else 1.0,
            # No count and no sample clears what is known to differ.
            first=[(t.schema, t.table) for t in diverged.left(context) if t.database == database],
            parallel=plan.parallel,
            progress=lambda what, fraction: watch.progress(f"{database}: {what}", fraction),
        )


def _given_up(
    result: fenced.Comparison, database: str, lost: Collection[tuple[str, str, str]]
) -> str:
    """Return the words on tables that differ, and whose loss was accepted by name."""
    names = [
        f"{t.schema}.{t.table}" for t in result.different if (database, t.schema, t.table) in lost
    ]
    return f"; given up by name, and unlike: {', '.join(names)}" if names else ""


def _as_json(result: fenced.Comparison) -> Json:
    def named(how: How) -> list[str]:
        return [f"{t.schema}.{t.table}" for t in result.tables if t.how is how]

    return {
        "tables": len(result.tables),
        "rows": sum(table.rows_left or 0 for table in result.tables),
        "hashed": len(named(How.HASHED)),
        "sampled": named(How.SAMPLED),
        "sampled_share": result.share,
        "counted": named(How.COUNTED),
        "unread": named(How.UNREAD),
        "different": [f"{t.schema}.{t.table}" for t in result.different],
        "seconds": round(result.seconds, 3),
    }
