"""The forced way to blue prime: new blue does not answer, and what it did not send is given up.

Nothing here asks new blue for anything; and nothing is done once it answers, since then the
ordinary rollback loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import psycopg

from runbook import board as boards
from runbook import newcomers, serving
from runbook.plan import StopMethod
from runbook.postgres import ahead, replication, sequences
from runbook.postgres.connect import CannotConnect, WrongServer
from runbook.roles import Role
from runbook.step import Effect, Finding, Gate, Refused, Risk, Stake, Stakes, Step, Watch, Wave
from runbook.steps.capture import captured_databases
from runbook.steps.detach import detached
from runbook.steps.effects import answered, no, yes
from runbook.steps.endpoint import SwitchEndpoint, rename
from runbook.steps.rollback import OpenSide
from runbook.steps.traffic import ELSEWHERE_S, StopTraffic, still_stopped
from runbook.world import STOPPED_BY_HAND, World
from state.records import Json
from state.words import Result

GATE = "forced"
"""The key of the decision that gives up what new blue did not send."""

LOSS = "forced.loss"
"""The fact that says what was given up, in words."""


def loss(world: World) -> str:
    """Return how far blue prime was behind when it was last known, with the age of that, and what
    it was never fed.
    """
    value = world.live()
    lags = () if value is None else boards.from_json(value).last_lags
    said = [] if lags else ["how far blue prime was behind is not known"]
    if whole := newcomers.not_fed(world):
        said.append(whole)
    for lag in lags:
        seconds = "for a time that is not known" if lag.seconds is None else f"{lag.seconds:.1f} s"
        age_s = boards.age(lag.at, world.now())
        age = "at a time that is not known" if age_s is None else f"{boards.ago(age_s)} ago"
        said.append(f"{lag.database}: {lag.bytes:,} bytes and {seconds} behind {age}")
    return "; ".join(said)


async def refuse_if_back(world: World) -> None:
    """Raise `Refused` where new blue answers: then nothing has to be given up."""
    seen = (await serving.look(world)).get(Role.NEW_BLUE)
    if seen is None or not seen.answers:
        return
    name = seen.cluster.identifier
    raise Refused(
        f"New blue ({name}) answers, and may serve the applications.",
        now="Nothing was changed by this step.",
        todo="Take the ordinary way back, which gives nothing up: branch, or blueprime auto "
        f"{world.run} --track rollback. If the applications were stopped: branch to stay first.",
    )


class ForcedAssess(Step):
    """Say what this gives up, and let a person decide it by name."""

    key = "assess-forced"
    title = "Assess the forced way"
    why = "New blue cannot be asked: what it did not send is lost, unless it comes back."
    risk = Risk.READ_ONLY

    async def gates(self, world: World) -> Sequence[Gate]:
        await refuse_if_back(world)
        name = world.plan.cluster.identifier
        return (
            Gate(
                key=GATE,
                question=(
                    f"Give up new blue, which does not answer, and take {name} to blue prime? What "
                    "new blue acknowledged and blue prime has not received is lost. Last known: "
                    f"{loss(world)}. Whatever was written after that look is lost, too."
                ),
                reversible=(
                    "Not once the applications write on blue prime. New blue is kept, and nothing "
                    "on it is changed. Make sure that no application can reach it: it cannot be "
                    "closed while it does not answer."
                ),
                must_type=name,
                valid_s=600.0,
                by_person=True,
            ),
        )

    async def verify(self, world: World, watch: Watch) -> None:
        prime = await world.cluster(Role.BLUE_PRIME)
        if not prime.available:
            raise Refused(
                f"Blue prime ({prime.identifier}) is {prime.status}.",
                now="Nothing was changed.",
                todo="Wait until it is available, then run the step again.",
            )
        async with world.connect(Role.BLUE_PRIME) as connection:
            place = f"{connection.info.host}:{connection.info.port}"
        lost = loss(world)
        watch.evidence(f"blue prime answers at {place}; given up: {lost}", key=LOSS, value=lost)


class CutOff(StopTraffic):
    """Keep the applications from new blue, as far as that can be done without it."""

    title = "Stop the traffic, without new blue"
    why = "It may come back at any time, and must not take writes that nobody will have."
    undo = "Branch to stay on the new version, if new blue is back."

    async def gates(self, world: World) -> Sequence[Gate]:
        return [each for each in await super().gates(world) if each.key.startswith(STOPPED_BY_HAND)]

    async def effects(self, world: World) -> Sequence[Wave]:
        await refuse_if_back(world)
        by_command = world.plan.traffic.stop is StopMethod.COMMAND
        return [[self._command(world)]] if by_command else ()

    async def verify(self, world: World, watch: Watch) -> None:
        watch.evidence("", key="fence", value={"proved": False, "on": self.on.value})
        watch.evidence(
            "the applications were told to stop; new blue cannot be asked whether they did",
            key="traffic",
            value={"open": False, "on": "", "at": world.now().isoformat()},
        )


class ApplyReceived(Step):
    """Let the apply workers bring to its end what they have received."""

    key = "apply-received"
    title = "Apply what was received"
    why = "What has arrived on blue prime is not given up."

    async def skip(self, world: World) -> str:
        return "blue prime was detached before" * detached(world, Role.BLUE_PRIME)

    async def verify(self, world: World, watch: Watch) -> None:
        limits, before = world.plan.limits, -1
        async for _ in watch.until(
            limits.drain_s, every_s=limits.fast_poll_s, what="the apply workers to come to an end"
        ):
            async with world.connect(Role.BLUE_PRIME) as connection:
                applying = await replication.applying(connection)
            # Twice: one that has just ended a transaction may begin the next.
            if applying == before == 0:
                watch.evidence("the apply workers have nothing left to apply")
                return
            before = applying
            if applying:
                watch.progress(f"{applying} apply workers are amid a transaction")


def _ahead_key(world: World, database: str) -> str:
    """Return the key of one database's move: each stay makes its own, the last one is behind."""
    return f"{Role.BLUE_PRIME.slug}/{database}/sequences-ahead/{world.stay}"


class AheadEffect(Effect):
    """One database's sequences, moved beyond what new blue may have given out."""

    def __init__(self, world: World, database: str) -> None:
        self.stakes = Stakes(Stake.CHANGE, Role.BLUE_PRIME)
        self.key = _ahead_key(world, database)
        self.title = f"move the sequences of {database} ahead on blue prime"
        self._world = world
        self._database = database

    def preview(self) -> str:
        """Return what is done: the values are read at that moment."""
        return (
            f"-- on {Role.BLUE_PRIME.value}, database {self._database}: one statement; each "
            f"sequence {ahead.MARGIN:,} values beyond itself and the rows that it numbered, or "
            "half of what is left\nSELECT … setval(sequence, value, true) …;"
        )

    async def probe(self) -> Finding:
        """Tell by what the journal kept: a second time would move them further."""
        done = self._world.done(self.key)
        return yes("they were moved on this stay") if done is not None else no("not moved yet")

    async def perform(self) -> Mapping[str, Json]:
        """Move them, and check the result of each."""
        with answered(self.title, Role.BLUE_PRIME):
            async with self._world.connect(Role.BLUE_PRIME, self._database) as connection:
                moved = await ahead.ahead(connection)
                results = await sequences.results(connection, [each.value for each in moved])
        refused = [f"{each.schema}.{each.name}: {each.reason}" for each in results if not each.set]
        guessed = [str(each.value) for each in moved if not each.told_by_rows]
        return {"moved": len(moved) - len(refused), "refused": refused, "guessed": guessed}


class SequencesAhead(Step):
    """Move the sequences ahead: how far new blue has come with them cannot be asked."""

    key = "sequences-ahead"
    title = "Move the sequences ahead"
    why = "Replication does not move sequences; numbers that new blue gave out must not come again."
    risk = Risk.REVERSIBLE
    undo = "Not needed: numbers that are passed over harm nothing."

    async def effects(self, world: World) -> Sequence[Wave]:
        return [
            [AheadEffect(world, name) for name in await captured_databases(world, Role.NEW_BLUE)]
        ]

    async def verify(self, world: World, watch: Watch) -> None:
        for database in await captured_databases(world, Role.NEW_BLUE):
            done = world.done(_ahead_key(world, database)) or {}
            refused, guessed = done.get("refused") or [], done.get("guessed") or []
            watch.evidence(f"{database}: {done.get('moved', 0)} sequences moved ahead")
            if refused:
                watch.evidence(f"NOT moved in {database}: {'; '.join(map(str, refused))}")
            if guessed:
                watch.evidence(
                    f"no row tells how far these had come in {database}, so they were moved by the "
                    f"margin alone: {', '.join(map(str, guessed))}"
                )


class ForcedOpen(OpenSide):
    """Open blue prime, unless new blue has come back."""

    async def effects(self, world: World) -> Sequence[Wave]:
        await refuse_if_back(world)
        return await super().effects(world)


class ForcedEndpoint(SwitchEndpoint):
    """Lead the applications to blue prime, with new blue silent, or gone from AWS."""

    async def _renames(self, world: World) -> Sequence[Wave]:
        if await world.find(self.away) is not None:
            return await super()._renames(world)
        return [[await rename(world, self.to, world.plan.cluster.identifier, Stake.OPEN)]]

    async def _closed(self, world: World, watch: Watch) -> None:
        try:
            await asyncio.wait_for(still_stopped(world, self.away), ELSEWHERE_S)
        except (TimeoutError, CannotConnect, WrongServer, psycopg.Error, OSError):
            watch.evidence(f"{self.away.value} does not answer; nobody was asked to leave it")


class ForcedSettled(Step):
    """Say how it ended, and what new blue may still have."""

    key = "settled"
    title = "Settled"
    why = "The night is over; what new blue has alone is not."
    rests = True

    async def verify(self, world: World, watch: Watch) -> None:
        cluster = await world.cluster(Role.BLUE_PRIME)
        async with world.connect(Role.BLUE_PRIME) as connection:
            watch.evidence(
                f"{cluster.identifier} serves on {cluster.engine_version} at "
                f"{connection.info.host}:{connection.info.port}"
            )
        watch.evidence("no way forward is held", key="slots", value=[])
        watch.evidence(
            f"given up: {world.fact(LOSS)}. New blue is kept: if it comes back, close it first, "
            "then look there for what blue prime lacks, before it is deleted"
        )
        watch.result(Result.ROLLED_BACK)
