"""The samplers: clusters, lag, traffic and protection, each value with the time it was seen.

They only read, on connections of their own; a sampler that fails degrades its own panel and says
why. The next look is armed after the last one ended.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import psycopg

from runbook import board as boards
from runbook import clocks
from runbook.applying import Failures, failing_words
from runbook.board import (
    Board,
    ClusterView,
    Fence,
    LagView,
    Protection,
    TrafficView,
    age,
)
from runbook.clocks import ClockWatch
from runbook.judge import DRIFT_EVERY_S, judge
from runbook.outage import downtime
from runbook.postgres import activity, catalog, replication
from runbook.postgres.connect import CannotConnect, WrongServer
from runbook.postgres.replication import LagClock
from runbook.roles import Role
from runbook.sides import held
from runbook.step import StepFailed
from runbook.steps.capture import publication_name
from runbook.steps.green import deployment
from runbook.steps.protection import schema_differences
from runbook.ways import switchover_asked
from runbook.world import World
from state.errors import JournalError
from state.journal import Journal
from state.records import Json, Sample

_log = logging.getLogger("blueprime.monitor")

RATE_OVER_S = 1.5
"""The least time over which a rate of writes is taken."""

CALM_AFTER_S = 900.0
"""So long after the last step, only every so often a sample is kept: a bake may last for days."""

CALM_SAMPLE_EVERY_S = 30.0


class Monitor:
    """Keeps a run's board up to date.

    `world` must be its own: its connections are not shared with the runner's.
    """

    def __init__(self, world: World, journal: Journal) -> None:
        self.world = world
        self._journal = journal
        self.board = Board()
        self._unseen = {"_clusters", "_lags", "_subscriptions", "_drifts"}
        """The looks that the verdict rests on and that have not come to an end since the start."""
        self._last_known = Protection(None, "")
        self._announced: tuple[bool | None, tuple[str, ...]] | None = None
        self._lag_clock = LagClock()
        self._green_clock = LagClock()
        self._written: tuple[float, int, str] | None = None
        self._drift: tuple[str, ...] | None = None
        self._drift_at: datetime | None = None
        self._compared = False
        """Whether a comparison of the schemas has come to an end."""
        self._subscribed: tuple[bool | None, str] = (None, "not looked at yet")
        self._subscribed_at: datetime | None = None
        self._failures = Failures()
        self._names: frozenset[tuple[str, str]] = frozenset()
        self._alarms: list[asyncio.Event] = []
        self._stopping = False
        self._stirred = time.monotonic()
        self._clocks = ClockWatch()
        self._kept: dict[str, float] = {}

    def nudge(self) -> None:
        """Look at everything again at once: a step has changed what is there."""
        self._stirred = time.monotonic()
        self._wake()

    def _wake(self) -> None:
        for alarm in self._alarms:
            alarm.set()

    def waiting(self, text: str, fraction: float | None) -> None:
        """Show what the running step waits for."""
        self.board = replace(self.board, waiting=text, waiting_fraction=fraction)

    def stop(self) -> None:
        """Let each look under way come to its end, and begin no other."""
        self._stopping = True
        self._wake()

    async def run(self) -> None:
        """Sample until stopped."""
        self._begin_with(self._journal.live(self.world.run))
        every = self.world.plan.protection.sample_every_s
        await asyncio.gather(
            self._forever(self._clusters, max(every, 1.0)),
            self._forever(self._lags, every),
            self._forever(self._subscriptions, every),
            self._forever(self._traffic, every),
            self._forever(self._drifts, max(every, DRIFT_EVERY_S)),
            self._forever(self._judge, min(every, 1.0)),
        )

    def _begin_with(self, published: Json | None) -> None:
        """Begin with the figures of whoever held the run before: each bears its age."""
        if published is None:
            return
        known = boards.from_json(published)
        last = known.protection
        if last.looking:
            last = replace(last, protected=last.before, at=last.before_at)
        else:
            self._announced = said(last)
        self._last_known = last
        self.board = replace(
            known, waiting="", waiting_fraction=None, journal_error="", protection=self._looking()
        )

    def _looking(self) -> Protection:
        """Return that it is being looked, with the last verdict known."""
        return Protection(
            None,
            "looking…",
            at=self.world.now(),
            looking=True,
            before=self._last_known.protected,
            before_at=self._last_known.at,
        )

    async def _forever(self, look: Callable[[], Awaitable[None]], every_s: float) -> None:
        alarm = asyncio.Event()
        self._alarms.append(alarm)
        while not self._stopping:
            alarm.clear()
            try:
                await look()
                self._unseen.discard(look.__name__)
            except JournalError as error:
                # The figures stay live; that nothing can be kept is on every screen.
                self.board = replace(self.board, journal_error=str(error))
            except (StepFailed, CannotConnect, WrongServer, psycopg.Error, OSError) as error:
                await self._failed(look.__name__, error)
            except Exception as error:
                # A sampler of ours that stumbles degrades its panel, and the others go on.
                _log.exception("unforeseen failure in sampler %s", look.__name__)
                await self._failed(look.__name__, error)
            with suppress(TimeoutError):
                await asyncio.wait_for(alarm.wait(), every_s)

    async def _failed(self, look: str, error: Exception) -> None:
        words = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        self._unseen.discard(look)
        if look == "_lags":
            self.board = replace(
                self.board,
                lags=tuple(_unknown(lag, words) for lag in self.board.lags),
                green_lags=tuple(_unknown(lag, words) for lag in self.board.green_lags),
            )
        elif look == "_traffic":
            self.board = replace(self.board, traffic=replace(self.board.traffic, error=words))
        elif look == "_clusters":
            clusters = tuple(replace(view, error=words) for view in self.board.clusters)
            self.board = replace(self.board, clusters=clusters)
        elif look == "_subscriptions":
            self._subscribed = (None, f"blue prime cannot be asked: {words}")
        elif look == "_drifts":
            self._drift = None
            self._compared = True
        await self.world.forget_connections()

    async def _clusters(self) -> None:
        switched = self.world.fact("switchover") is not None
        roles = (
            (Role.NEW_BLUE, Role.OLD_BLUE, Role.BLUE_PRIME) if switched else (Role.BLUE, Role.GREEN)
        )
        views = [await self._view(role) for role in roles if self.world.bound(role) is not None]
        found = await deployment(self.world)
        self.board = replace(
            self.board,
            clusters=tuple(views),
            deployment="" if found is None else found.status,
            at=self.world.now(),
        )
        names = frozenset((view.role, view.name) for view in views)
        if names != self._names:
            self._names = names
            await self.world.forget_connections()

    async def _view(self, role: Role) -> ClusterView:
        now = self.world.now()
        cluster = await self.world.find(role)
        if cluster is None:
            return ClusterView(role.value, "", "", "gone", 0, 0, at=now)
        instances = await self.world.rds.instances(cluster.identifier)
        traffic = self.world.fact("traffic") or {"open": True, "on": Role.BLUE.value}
        serves = cluster.identifier == self.world.plan.cluster.identifier
        open_here = bool(traffic.get("open")) and traffic.get("on") == role.value
        return ClusterView(
            role=role.value,
            name=cluster.identifier,
            version=cluster.engine_version,
            status=cluster.status,
            instances=len(instances),
            instances_available=sum(1 for instance in instances if instance.available),
            percent=cluster.percent_progress,
            serves=serves,
            frozen=not open_here,
            at=now,
        )

    async def _lags(self) -> None:
        await self._green_lags()
        capture = self.world.fact("capture")
        if not capture or self.world.fact("slots") == []:
            self.board = replace(self.board, lags=())
            return
        slots = {slot: database for database, slot in capture["slots"].items()}
        now = self.world.now()
        async with self.world.connect(held(self.world).publisher) as connection:
            found = await replication.slot_lags(connection, list(slots))
        views = [_lag_view(lag, slots[lag.slot], self._lag_clock, now) for lag in found]
        self.board = replace(self.board, lags=tuple(views))
        self._keep_samples(now, views)

    async def _green_lags(self) -> None:
        """Look at AWS's own slots on blue, by which green follows it until the switchover."""
        before = self.world.fact("deployment") is not None and not self._asked()
        if not before:
            self.board = replace(self.board, green_lags=())
            return
        now = self.world.now()
        async with self.world.connect(Role.BLUE) as connection:
            slots = await catalog.replication_slots(connection)
            names = [slot.name for slot in slots if slot.slot_type == "logical"]
            found = await replication.slot_lags(connection, names)
        views = tuple(_lag_view(lag, lag.database or "?", self._green_clock, now) for lag in found)
        self.board = replace(self.board, green_lags=views)

    def _asked(self) -> bool:
        """Return whether the switchover was asked for, and not seen to be called off."""
        done = self.world.fact("switchover") is not None
        return done or switchover_asked(self.world, self._journal)

    async def _subscriptions(self) -> None:
        now = self.world.now()
        self._subscribed = await self._subscribed_now()
        self._subscribed_at = now

    def _latest_subscribed(self) -> tuple[bool | None, str]:
        """Return whether every subscription runs, unless that was seen too long ago."""
        seen = age(self._subscribed_at, self.world.now())
        if seen is None or seen > self.world.plan.protection.fresh_s:
            return None, "the subscriptions were not looked at lately"
        return self._subscribed

    async def _subscribed_now(self) -> tuple[bool | None, str]:
        subscriber = held(self.world).subscriber
        if self.world.bound(subscriber) is None:
            return (False, f"{subscriber.value} does not exist yet")
        view = next((v for v in self.board.clusters if v.role == subscriber.value), None)
        if view is None:
            return (None, f"{subscriber.value} was not looked at yet")
        if view.status != "available" or not view.instances_available:
            stage = view.status if view.status != "available" else "waits for instances"
            return (False, f"{subscriber.value} {stage}")
        name = publication_name(self.world)
        databases = list((self.world.fact("capture") or {}).get("databases", ()))
        for database in databases:
            async with self.world.connect(subscriber, database) as connection:
                found = await replication.subscription(connection, name)
            if found is None:
                return (False, f"no subscription in {database} yet")
            clock = time.monotonic()
            self._failures.observe(database, found.apply_error_count, clock)
            if self._failures.failing(database, clock):
                return (False, failing_words(database, subscriber.value))
            if not found.enabled or found.worker_pid is None:
                return (False, f"the apply worker of {database} does not run")
            if found.copying:
                return (False, f"{found.copying} tables of {database} are still copied")
        if self._subscribed[0] is not True:
            # Only now there is something whose schema can be compared: not in a while, at once.
            self._wake()
        return (True, "")

    def _keep(self, samples: list[Sample]) -> None:
        """Keep samples for drawing the past, sparsely once nothing has been done for a while."""
        clock = time.monotonic()
        every = CALM_SAMPLE_EVERY_S if clock - self._stirred > CALM_AFTER_S else 0.0
        due = [s for s in samples if clock - self._kept.get(f"{s.kind} {s.subject}", 0.0) >= every]
        if due:
            self._kept |= {f"{s.kind} {s.subject}": clock for s in due}
            self._journal.samples(self.world.run, due)

    def _keep_samples(self, now: datetime, views: list[LagView]) -> None:
        samples = []
        for view in views:
            known = None if view.bytes is None else float(view.bytes)
            samples.append(Sample(now, "lag_bytes", view.database, known))
            samples.append(Sample(now, "lag_seconds", view.database, view.seconds))
        self._keep(samples)

    async def _traffic(self) -> None:
        serving = self._serving()
        now = self.world.now()
        async with self.world.connect(serving) as connection:
            seen = await activity.look(connection, self.world.plan.traffic.application_roles)
        clock = time.monotonic()
        rate = None
        if self._written is not None and self._written[2] == serving.value:
            if clock - self._written[0] < RATE_OVER_S:
                # Servers report their counts about once a second: no rate over less than that.
                self.board = replace(
                    self.board,
                    traffic=replace(self.board.traffic, sessions=seen.sessions, at=now),
                )
                self._show_fence(seen.sessions)
                return
            elapsed = clock - self._written[0]
            gained = seen.rows_written - self._written[1]
            # Statistics that went down were reset: no rate can be told then.
            rate = gained / elapsed if elapsed > 0 and gained >= 0 else None
        self._written = (clock, seen.rows_written, serving.value)
        self.board = replace(
            self.board,
            traffic=TrafficView(Fence.UNKNOWN, None, seen.sessions, rate, at=now),
        )
        self._show_fence(seen.sessions)
        self._keep([Sample(now, "writes_per_s", self.world.plan.cluster.identifier, rate)])

    def _show_fence(self, sessions: int) -> None:
        fence, fence_at = self._fence(sessions)
        traffic = replace(self.board.traffic, fence=fence, fence_at=fence_at, error="")
        self.board = replace(self.board, traffic=traffic)

    def _serving(self) -> Role:
        for view in self.board.clusters:
            if view.serves:
                return Role(view.role)
        return Role.BLUE

    def _fence(self, sessions: int) -> tuple[Fence, datetime | None]:
        traffic = self.world.fact("traffic")
        if traffic is None or traffic.get("open"):
            return Fence.OPEN, None
        if self.board.downtime.letting_in:
            # They may be in already: neither a fence nor a breach of one can be told.
            return Fence.UNKNOWN, None
        proof = self.world.fact("fence") or {}
        at = datetime.fromisoformat(proof["at"]) if proof.get("at") else None
        if sessions:
            return Fence.BROKEN, at
        return (Fence.PROVED, at) if proof.get("proved") else (Fence.CLOSING, None)

    async def _drifts(self) -> None:
        if self._subscribed[0] is not True:
            self._drift = None
            return
        now = self.world.now()
        sides = held(self.world)
        differences = await schema_differences(self.world, sides.publisher, sides.subscriber)
        strays = []
        for database in await self.world.databases(sides.subscriber):
            async with self.world.connect(sides.subscriber, database) as connection:
                state = await catalog.read_only_state(connection)
            if state.database_setting != "on" and not state.default_read_only:
                strays.append(f"{database} of {sides.subscriber.value} is writable to clients")
        self._drift = (*differences, *strays)
        self._drift_at = now
        self._compared = True

    def _watch_clocks(self) -> None:
        """Forget every figure when the clocks have parted: their ages mean nothing any more."""
        jump = self._clocks.look()
        if jump is None:
            return
        why = f"not looked at since: {jump}"
        self._lag_clock, self._green_clock = LagClock(), LagClock()
        self._written = None
        self._drift_at = self._subscribed_at = None
        unseen = TrafficView(Fence.UNKNOWN, None, None, None, error=why)
        self.board = replace(
            self.board,
            clusters=tuple(replace(view, error=why, at=None) for view in self.board.clusters),
            lags=tuple(replace(_unknown(lag, why), at=None) for lag in self.board.lags),
            green_lags=tuple(replace(_unknown(lag, why), at=None) for lag in self.board.green_lags),
            traffic=unseen,
        )
        self._wake()
        clocks.keep(self._journal, self.world.run, jump)

    async def _judge(self) -> None:
        self._watch_clocks()
        protection = judge(
            self.world,
            self.board,
            self._latest_subscribed(),
            *self._latest_drift(),
            asked=self._asked(),
        )
        if protection.protected is None and self._still_looking():
            protection = self._looking()
        self.board = replace(
            self.board,
            protection=protection,
            downtime=downtime(self._journal, self.world.run),
            at=self.world.now(),
        )
        self._journal.publish(self.world.run, self.board.as_json())
        self.board = replace(self.board, journal_error="")
        if not protection.looking and said(protection) != self._announced:
            self._announced = said(protection)
            self._announce(protection)

    def _latest_drift(self) -> tuple[tuple[str, ...] | None, datetime | None]:
        """Return the later of this sampler's comparison of schemas and a step's own."""
        kept = self.world.fact("schema")
        if kept is None:
            return self._drift, self._drift_at
        at = datetime.fromisoformat(kept["at"])
        ahead = age(at, self.world.now()) is None
        if self._drift_at is not None and (self._drift_at > at or ahead):
            # A later look of this sampler that failed is not mended by an earlier good one, nor by
            # one that a clock set back has put into the future.
            return self._drift, self._drift_at
        return tuple(kept["differences"]), at

    def _announce(self, protection: Protection) -> None:
        value: Json = {
            "protected": protection.protected,
            "text": protection.text,
            "reasons": list(protection.reasons),
            "lost": protection.lost,
            "at": self.world.now().isoformat(),
        }
        verdict = {True: "protected", False: "not protected", None: "protection unknown"}
        self._journal.evidence(
            self.world.run,
            "monitor",
            f"{verdict[protection.protected]}: {protection.text}",
            key="protection",
            value=value,
        )

    def _still_looking(self) -> bool:
        """Return whether the first look at something is still under way.

        Schemas can only be compared once the subscriptions were seen.
        """
        comparing = self._subscribed[0] is True and not self._compared
        return bool(self._unseen) or comparing


def said(protection: Protection) -> tuple[bool | None, tuple[str, ...]]:
    """Return what is worth a line of the journal when it changes."""
    return protection.protected, protection.reasons


def _lag_view(lag: replication.SlotLag, database: str, memory: LagClock, now: datetime) -> LagView:
    clock = time.monotonic()
    if lag.current_lsn is not None:
        memory.observe(clock, lag.current_lsn)
    return LagView(
        database=database,
        slot=lag.slot,
        bytes=lag.bytes,
        seconds=memory.seconds(clock, lag.confirmed_flush_lsn),
        active=lag.active if lag.bytes is not None else None,
        state=lag.wal_status or ("missing" if lag.bytes is None else "unknown"),
        reason=lag.reason,
        at=now,
    )


def _unknown(lag: LagView, why: str) -> LagView:
    return replace(lag, bytes=None, seconds=None, state="unknown", reason=why)
