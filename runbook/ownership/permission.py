"""Whether a change may be made now: this journal holds the run, and the clusters agree with it.

The runner asks before each wave of changes, for every step and every repair. It is the one place
that takes hold of a run, and that keeps what was done to a cluster's door.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from runbook.aws.facts import Cluster
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Effect, Impact, Risk, Step
from runbook.failures import StepFailed
from runbook.ownership import holder, serving
from runbook.ownership.holder import HolderTag
from runbook.ownership.serving import Access, ClusterUse
from state.journal import Journal
from state.records import Attempt

FRESH_S = 1.0
"""How old a look at the marks may be: inside the fence each call to AWS is downtime."""


async def objection(context: RunContext) -> str:
    """Return why no change could be made now, or an empty string; only looks.

    Raises what AWS says where it cannot be asked.
    """
    return (await objection_and_look(context))[0]


async def objection_and_look(context: RunContext) -> tuple[str, dict[Role, ClusterUse]]:
    """Return the same, and what the clusters said, who were asked for it."""
    clusters = await serving.own_clusters(context)
    if (mark := holder.left_behind(context, clusters)) is not None:
        return f"this journal was left behind: the run is held by {mark.words}", {}
    seen = await serving.look(context, clusters)
    return "; ".join(serving.disagreements(context, seen, ())), seen


class Permission:
    """Of one process, for one run. `who` is the operator's name."""

    def __init__(self, context: RunContext, journal: Journal, *, who: str) -> None:
        self._context = context
        self._journal = journal
        self._who = who
        self._taken = self._looked = False
        self._listed: list[Cluster] = []
        self._listed_at = float("-inf")
        self._silent: dict[Role, ClusterUse] = {}
        context.still_held = self.refuse_if_left_behind

    def begin(self) -> None:
        """Take hold anew before the next change: a person has asked for something."""
        self._taken = self._looked = False
        self._forget()

    async def before(self, step: Step) -> None:
        """Refuse a step that changes something before its gates are asked, once for an advance.

        Whoever confirms with a typed name is told first that it leads nowhere.
        """
        if self._looked or step.risk is Risk.READ_ONLY:
            return
        clusters = await self._clusters()
        holder.refuse_if_left_behind(self._context, self._journal, clusters)
        serving.refuse_unless_agreed(self._context, await self._seen(clusters), ())
        self._looked = True

    async def ask(self, attempt: Attempt, effects: Sequence[Effect]) -> None:
        """Let changes be made, or raise `Refused` in words that tell both sides.

        Raises what AWS says where it cannot be asked: then nothing was changed.
        """
        stakes = [effect.stakes for effect in effects if effect.stakes is not None]
        if any(each.kind is Impact.DELETE for each in stakes):
            self._forget()
        clusters = await self._clusters()
        holder.refuse_if_left_behind(self._context, self._journal, clusters)
        if stakes:
            serving.refuse_unless_agreed(self._context, await self._seen(clusters), stakes)
        if not self._taken:
            await self._take(attempt, clusters)
            self._taken = True
        self._keep_doors(attempt, effects, done=False)

    def done(self, attempt: Attempt, effects: Iterable[Effect]) -> None:
        """Keep what changes that are there have done to the clusters' doors."""
        self._keep_doors(attempt, effects, done=True)

    async def refuse_if_left_behind(self) -> None:
        """Raise `Refused` where another journal has acted on the run since this one."""
        holder.refuse_if_left_behind(self._context, self._journal, await self._clusters())

    async def let_go(self) -> None:
        """Say in AWS that the run is over; what could not be said is journaled, not raised."""
        try:
            clusters = await self._clusters()
            if holder.left_behind(self._context, clusters) is None:
                mark = holder.next_mark(self._context, clusters, who=self._who)
                await self._put(mark.at_its_end(), clusters, None)
        except StepFailed as failure:
            self._journal.event(self._context.run, "note", f"the mark in AWS stays: {failure.what}")

    def _forget(self) -> None:
        """Ask AWS, and every cluster, anew."""
        self._listed_at = float("-inf")
        self._silent = {}

    async def _seen(self, clusters: Sequence[Cluster]) -> dict[Role, ClusterUse]:
        """Ask the clusters; one that does not answer is waited for once while a chain runs."""
        seen = await serving.look(self._context, clusters, self._silent)
        self._silent = {role: each for role, each in seen.items() if each.unknown}
        return seen

    async def _clusters(self) -> list[Cluster]:
        if time.monotonic() - self._listed_at > FRESH_S:
            self._listed = await serving.own_clusters(self._context)
            self._listed_at = time.monotonic()
        return self._listed

    async def _take(self, attempt: Attempt, clusters: Sequence[Cluster]) -> None:
        """Take hold of the run: whoever goes by an older copy of this journal is told from here."""
        holder.refuse_if_anothers(self._context, clusters)
        mark = holder.next_mark(self._context, clusters, who=self._who)
        await self._put(mark, clusters, attempt)

    async def _put(
        self, mark: HolderTag, clusters: Sequence[Cluster], attempt: Attempt | None
    ) -> None:
        made = holder.calls(mark, clusters)
        shown = "\n".join(call.text() for call in made.values())
        # On disk before AWS has it: a mark that is newer than the journal's own is another's.
        self._keep(mark, f"held by {mark.words}\n{shown}", attempt, is_set=False)
        refused = await holder.put(self._context, made)
        for name, words in refused.items():
            self._journal.event(self._context.run, "note", f"{name} bears no mark: {words}")
        if len(refused) < len(made):
            self._keep(mark, "", attempt, is_set=True)

    def _keep(self, mark: HolderTag, text: str, attempt: Attempt | None, *, is_set: bool) -> None:
        self._journal.evidence(
            self._context.run,
            "" if attempt is None else attempt.step,
            text,
            key=holder.FACT,
            value=holder.as_fact(mark, is_set=is_set),
            attempt=None if attempt is None else attempt.id,
        )

    def _keep_doors(self, attempt: Attempt, effects: Iterable[Effect], *, done: bool) -> None:
        doors = {}
        for effect in effects:
            if effect.stakes is not None and effect.stakes.lasting:
                opens = effect.stakes.kind is Impact.OPEN
                under_way, ended = (
                    (Access.OPENING, Access.OPEN) if opens else (Access.CLOSING, Access.CLOSED)
                )
                doors[serving.door_fact(effect.stakes.role)] = ended if done else under_way
        for key, door in doors.items():
            if self._context.fact(key) != door:
                self._journal.evidence(
                    self._context.run, attempt.step, "", key=key, value=door, attempt=attempt.id
                )
