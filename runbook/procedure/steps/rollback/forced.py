"""The forced way: the cluster that serves does not answer, and what it did not send is given up.

It leads to the one that follows: from new blue to blue prime, or after a rollback from blue prime
to new blue. Nothing here asks the one that is given up for anything; and nothing is done once it
answers, since then the ordinary way loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from psycopg import AsyncConnection

from runbook.amounts import counted
from runbook.base.context import RunContext
from runbook.base.downtime import STOPPED_BY_HAND
from runbook.base.pair import captured_databases, detached
from runbook.base.roles import Role
from runbook.base.step import Gate, Impact, Risk, Step, Watch, Wave
from runbook.failures import Finding, Refused
from runbook.ownership import serving
from runbook.plan.model import StopMethod
from runbook.postgres import advance_sequences, replication, sequences
from runbook.postgres.replication.subscriber import HEARS_S
from runbook.procedure.steps.rollback.fail_back import OpenCluster, name_serving
from runbook.procedure.steps.shared.effects import DatabaseEffect, no, yes
from runbook.procedure.steps.traffic import StopTraffic, keep_traffic
from runbook.proofs import new_databases
from runbook.protection import dashboard as boards
from runbook.protection import given_up, verdicts
from runbook.protection.dashboard import Serving
from state.enums import Result
from state.records import Json

GATE = "forced"
"""The key of the decision that gives up what the cluster that served did not send."""

LOSS = "forced.loss"
"""The fact that says what was given up, in words."""


HEARD = (
    "It may still serve applications that reach it, and their writes would be lost. Go on from a "
    "machine that reaches it: blueprime handover. If it is really down, try again after "
    f"{HEARS_S:.0f} s."
)
"""Why the way is closed while the cluster is heard of, and what to do."""


def loss(context: RunContext) -> str:
    """Return how far the one that follows was behind when that was last known, when it was, and
    what it was never fed.
    """
    value = context.live()
    lags = () if value is None else boards.from_json(value).last_lags
    said = [] if lags else ["how far it was behind is not known"]
    if whole := new_databases.not_fed(context):
        said.append(whole)
    for lag in lags:
        seconds = "for a time that is not known" if lag.seconds is None else f"{lag.seconds:.1f} s"
        size = "an unknown size" if lag.bytes is None else counted(lag.bytes, "byte")
        said.append(f"{lag.database}: {size} and {seconds} behind at {_at(lag.at)}")
    return "; ".join(said)


def _at(moment: datetime | None) -> str:
    if moment is None:
        return "a time that is not known"
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


async def refuse_if_back(context: RunContext, away: Role) -> None:
    """Raise `Refused` where the cluster answers, or is heard of: it may serve the applications."""
    heard = verdicts.unreached(context)
    if heard is not None and heard.state is Serving.CUT:
        raise Refused(f"{heard.text}.", now="Nothing was changed by this step.", todo=HEARD)
    seen = (await serving.look(context)).get(away)
    if seen is None or not seen.answers:
        return
    name = seen.cluster.identifier
    track = "rollback" if away is Role.NEW_BLUE else "forward"
    raise Refused(
        f"{away.value.capitalize()} ({name}) answers, and may serve the applications.",
        now="Nothing was changed by this step.",
        todo="Take the ordinary way, which gives nothing up: branch, or blueprime auto "
        f"{context.run} --track {track}. If the applications were stopped: branch to stay first.",
    )


class AssessForced(Step):
    """Say what this gives up, and let a person decide it by name."""

    key = "assess-forced"
    title = "Assess the forced way"
    risk = Risk.READ_ONLY

    def __init__(self, away: Role, to: Role) -> None:
        self.away = away
        self.to = to
        self.why = (
            f"{away.value.capitalize()} cannot be asked: what it did not send is lost, unless it "
            "comes back."
        )

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        await refuse_if_back(context, self.away)
        name, away, to = context.plan.cluster.identifier, self.away.value, self.to.value
        down = verdicts.unreached(context, fresh=False)
        since = "" if down is None else f" since {_at(down.since)} ({down.text})"
        return (
            Gate(
                key=GATE,
                question=(
                    f"Give up {away}, which does not answer{since}, and take {name} to {to}? What "
                    f"{away} acknowledged and {to} did not receive is lost. Last known: "
                    f"{loss(context)}. Later writes are lost, too."
                ),
                reversible=(
                    f"Not once the applications write on {to}. {away.capitalize()} is kept, and "
                    "nothing on it is changed while it does not answer. Make sure that no "
                    "application can reach it: it can be closed only once it is back."
                ),
                must_type=name,
                valid_s=600.0,
                by_person=True,
            ),
        )

    async def verify(self, context: RunContext, watch: Watch) -> None:
        target = await context.cluster(self.to)
        if not target.available:
            raise Refused(
                f"{self.to.value.capitalize()} ({target.identifier}) is {target.status}.",
                todo="Wait until it is available, then run the step again.",
            )
        async with context.connect(self.to) as connection:
            place = f"{connection.info.host}:{connection.info.port}"
        lost = loss(context)
        watch.evidence(
            f"{self.to.value} answers at {place}; given up: {lost}", key=LOSS, value=lost
        )


class StopTrafficForced(StopTraffic):
    """Keep the applications from the one that is given up, as far as it goes without it."""

    why = "It may come back at any time, and must not take writes that nobody will have."

    def __init__(self, on: Role) -> None:
        super().__init__(on)
        self.title = f"Stop the traffic, without {on.value}"
        version = "old" if on is Role.BLUE_PRIME else "new"
        self.undo = f"Branch to stay on the {version} version, if {on.value} is back."

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        return [
            each for each in await super().gates(context) if each.key.startswith(STOPPED_BY_HAND)
        ]

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        await refuse_if_back(context, self.on)
        by_command = context.plan.traffic.stop is StopMethod.COMMAND
        return [[self._command(context)]] if by_command else ()

    async def verify(self, context: RunContext, watch: Watch) -> None:
        watch.evidence("", key="fence", value={"proved": False, "on": self.on.value})
        words = "the applications were told to stop; "
        words += f"{self.on.value} cannot be asked whether they did"
        keep_traffic(context, watch, words)


class ApplyReceived(Step):
    """Let the apply workers bring to its end what they have received."""

    key = "apply-received"
    title = "Apply what was received"

    def __init__(self, to: Role) -> None:
        self.to = to
        self.why = f"What has arrived on {to.value} is not given up."

    async def skip(self, context: RunContext) -> str:
        return f"{self.to.value} has no subscription any more" * detached(context, self.to)

    async def verify(self, context: RunContext, watch: Watch) -> None:
        limits, before = context.plan.limits, -1
        async for _ in watch.until(
            limits.drain_s, every_s=limits.fast_poll_s, what="the apply workers to come to an end"
        ):
            async with context.connect(self.to) as connection:
                applying = await replication.applying(connection)
            # Twice: one that has just ended a transaction may begin the next.
            if applying == before == 0:
                watch.evidence("the apply workers have nothing left to apply")
                return
            before = applying
            if applying:
                watch.progress(
                    f"{counted(applying, 'apply worker is', 'apply workers are')} amid a "
                    "transaction"
                )


def _ahead_key(context: RunContext, on: Role, database: str) -> str:
    """Return the key of one database's move: each stay makes its own, the last one is behind."""
    return f"{on.slug}/{database}/sequences-ahead/{context.stay}"


class AdvanceEffect(DatabaseEffect):
    """One database's sequences, moved beyond what was given out where they cannot be asked."""

    def __init__(self, context: RunContext, on: Role, database: str) -> None:
        super().__init__(context, on, database, stake=Impact.CHANGE)
        self.key = _ahead_key(context, on, database)
        self.title = f"move the sequences of {database} ahead on {on.value}"

    def preview(self) -> str:
        """Return what is done: the values are read at that moment."""
        return (
            f"{self.where}: one statement; each sequence "
            f"{advance_sequences.MARGIN:,} values beyond itself and the rows that it "
            "numbered, or half of what is left\nSELECT … setval(sequence, value, true) …;"
        )

    async def probe(self) -> Finding:
        """Tell by what the journal kept: a second time would move them further."""
        done = self.context.done(self.key)
        return yes("they were moved on this stay") if done is not None else no("not moved yet")

    async def run(self, connection: AsyncConnection) -> Mapping[str, Json]:
        """Move them, and check the result of each."""
        moved = await advance_sequences.ahead(connection)
        results = await sequences.results(connection, [each.value for each in moved])
        refused = [f"{each.schema}.{each.name}: {each.reason}" for each in results if not each.set]
        guessed = [str(each.value) for each in moved if not each.told_by_rows]
        return {"moved": len(moved) - len(refused), "refused": refused, "guessed": guessed}


class AdvanceSequences(Step):
    """Move the sequences ahead: how far they have come where it served cannot be asked."""

    key = "advance-sequences"
    title = "Advance the sequences"
    risk = Risk.REVERSIBLE
    undo = "Not needed: numbers that are passed over harm nothing."

    def __init__(self, away: Role, to: Role) -> None:
        self.away = away
        self.to = to
        self.why = (
            f"Replication does not move sequences; numbers that {away.value} gave out must not "
            "come again."
        )

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        databases = await captured_databases(context, self.away)
        return [[AdvanceEffect(context, self.to, name) for name in databases]]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        for database in await captured_databases(context, self.away):
            done = context.done(_ahead_key(context, self.to, database)) or {}
            refused, guessed = done.get("refused") or [], done.get("guessed") or []
            watch.evidence(f"{database}: {counted(done.get('moved', 0), 'sequence')} moved ahead")
            if refused:
                watch.evidence(f"NOT moved in {database}: {'; '.join(map(str, refused))}")
            if guessed:
                watch.evidence(
                    f"no row tells how far these had come in {database}, so they were moved by the "
                    f"margin alone: {', '.join(map(str, guessed))}"
                )


class OpenForced(OpenCluster):
    """Open the one that takes over, unless the other has come back."""

    def __init__(self, away: Role, to: Role) -> None:
        super().__init__(to)
        self.away = away

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        await refuse_if_back(context, self.away)
        return await super().effects(context)

    async def verify(self, context: RunContext, watch: Watch) -> None:
        await super().verify(context, watch)
        watch.evidence(
            f"{self.away.value} is given up: it is to be closed as soon as it answers",
            key=given_up.FACT,
            value=self.away.value,
        )


class VerifyForced(Step):
    """Say how it ended, and what the one that was given up may still have."""

    key = "verify-end"
    title = "Verify the end"
    why = "The night is over; what the cluster that was given up has alone is not."
    rests = True

    def __init__(self, away: Role, to: Role) -> None:
        self.away = away
        self.to = to

    async def verify(self, context: RunContext, watch: Watch) -> None:
        await name_serving(context, watch, self.to)
        forward = self.to is Role.NEW_BLUE
        watch.evidence(f"no way {'back' if forward else 'forward'} is held", key="slots", value=[])
        watch.evidence(
            f"given up: {context.fact(LOSS)}. {self.away.value.capitalize()} is kept, with its "
            f"slots: look there, once it is closed, for what {self.to.value} lacks, before it is "
            "deleted"
        )
        ended = Result.COMMITTED if forward else Result.ROLLED_BACK
        # Until the other one is closed it may take writes: nothing has ended.
        watch.result(ended if given_up.of(context) is None else None)
