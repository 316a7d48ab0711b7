"""The watch: looks at everything over and over, judges what was seen, and says so.

It only reads, on connections of its own; a look that fails degrades its own panel and says why. The
next look is armed after the last one ended, and the verdict is made anew as soon as a look has
found something else than before.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from runbook.aws import budget
from runbook.base import clocks
from runbook.base.alert import Ages, ProbeResult
from runbook.base.clocks import ClockWatch
from runbook.base.downtime import downtime
from runbook.base.pair import current_pair, detached, held_databases
from runbook.failures import StepFailed
from runbook.ownership import holder
from runbook.postgres.connect import UNREACHABLE, CannotConnect
from runbook.proofs import unreplicated
from runbook.protection import dashboard as boards
from runbook.protection import given_up, unanswered
from runbook.protection.assess import (
    BESIDE,
    KEYS,
    REQUIRED_PROBES,
    Observed,
)
from runbook.protection.dashboard import Dashboard, Production
from runbook.protection.record import VerdictRecord
from runbook.watch import alarms
from runbook.watch.listing import WatchContext
from runbook.watch.position import switchover_asked
from runbook.watch.probes import clusters, foreign_writes, origins, production, sequences
from runbook.watch.probes.clusters import ClustersProbe
from runbook.watch.probes.foreign_writes import ForeignWritesProbe
from runbook.watch.probes.keys import KeysProbe
from runbook.watch.probes.objects import ObjectsProbe
from runbook.watch.probes.patience import AGAIN_S, DatabasesProbe
from runbook.watch.probes.samples import Samples
from runbook.watch.probes.schemas import SchemasProbe, latest
from runbook.watch.probes.slots import SlotsProbe
from runbook.watch.probes.traffic import TrafficProbe
from runbook.watch.probes.workers import WorkersProbe
from state.errors import JournalError
from state.journal import Journal
from state.records import Json, Sample

_log = logging.getLogger("blueprime.monitor")

RHYTHMS = 3.0
"""After so many times what a look and the pause after it take, the next one is late."""

LOOKS = (*REQUIRED_PROBES, BESIDE, KEYS)
"""The looks that end in what the judge is told."""

BOUNDS_EVERY_S = 30.0
"""The pause between two looks at how far sequences have come."""


class Monitor:
    """Keeps a run's board up to date.

    `context` must be its own: its connections are not shared with the runner's.
    """

    def __init__(self, context: WatchContext, journal: Journal) -> None:
        self.context = context
        self._journal = journal
        self._acting = False
        self.dashboard = Dashboard()
        self._unseen = {"clusters", "lags", "traffic", *(rest.name for rest in LOOKS)}
        """The looks that the verdict rests on and that have not come to an end since the start."""
        self._judging = VerdictRecord(context, journal)
        self._clusters = ClustersProbe(context)
        self._slots = SlotsProbe(context)
        self._green = SlotsProbe(context)
        self._workers = WorkersProbe(context)
        self._traffic = TrafficProbe(context)
        self._strays = ForeignWritesProbe(context)
        self._schemas = SchemasProbe(context, journal)
        self._keys = KeysProbe(context)
        self._objects = ObjectsProbe(context, journal)
        self._seen: dict[str, ProbeResult] = {}
        """What each look saw last, by its name."""
        self._pauses: dict[str, float] = {}
        self._rhythm_s: dict[str, float] = {}
        """How long each look and the pause after it took at the last time, together."""
        self._ages = Ages()
        self._names: frozenset[tuple[str, str]] = frozenset()
        self._alarms: dict[str, asyncio.Event] = {}
        self._stopping = False
        self._clocks = ClockWatch()
        self._samples = Samples(journal, context.run)

    def nudge(self) -> None:
        """Look at everything again at once: a step has changed what is there."""
        self._samples.stir()
        self._wake()

    def _wake(self, *names: str) -> None:
        for name in names or self._alarms:
            if name in self._alarms:
                self._alarms[name].set()

    def acts(self, acting: bool) -> None:
        """Ask AWS more often while a step is performed that does not last."""
        self._acting = acting
        if acting:
            self._wake("clusters")

    def waiting(self, text: str, fraction: float | None, *, to_do: bool = False) -> None:
        """Show what the running step waits for."""
        self.dashboard = self.dashboard.waits_for(text, fraction, to_do=to_do)

    def stop(self) -> None:
        """Let each look under way come to its end, and begin no other."""
        self._stopping = True
        self._wake()

    def start(self) -> asyncio.Task[None]:
        """Sample from now on until stopped; it may be started again after that."""
        self._stopping = False
        # At once: what a former watch said must not pass for this one's.
        self._begin_with(self._journal.live(self.context.run))
        return asyncio.create_task(self._run())

    async def _run(self) -> None:
        every = self.context.plan.protection.sample_every_s
        looks: Mapping[str, tuple[Callable[[], Awaitable[None]], float]] = {
            "clusters": (self._look_at_clusters, every),
            "lags": (self._look_at_lags, every),
            "workers": (self._look_at_workers, every),
            "traffic": (self._look_at_traffic, every),
            "schemas": (self._looks_in("schemas", self._schemas, self._databases), every),
            "strays": (self._look_for_strays, every),
            "origins": (self._look_at_origins, every),
            "objects": (self._looks_in("objects", self._objects, self._databases), every),
            "bounds": (self._look_at_bounds, BOUNDS_EVERY_S),
            "keys": (
                self._looks_in("keys", self._keys, partial(held_databases, self.context)),
                every,
            ),
            "given up": (self._look_for_given_up, every),
            "judge": (self._judge, min(every, 1.0)),
        }
        watching = (self._forever(name, look, pause) for name, (look, pause) in looks.items())
        try:
            with budget.spending(shown=True):
                await asyncio.gather(*watching)
        finally:
            await self._strays.close()
            self.dashboard = replace(self.dashboard, strays_since=None)

    def _begin_with(self, published: Json | None) -> None:
        """Begin with the figures of whoever held the run before: each bears its age."""
        if published is None:
            return
        known = boards.from_json(published)
        self._judging.begin_with(known)
        self._ages.begin_with(known.alarms)
        self.dashboard = known.taken_over(self._judging.looking())

    async def _forever(
        self, name: str, look: Callable[[], Awaitable[None]], every_s: float
    ) -> None:
        alarm = self._alarms.setdefault(name, asyncio.Event())
        while not self._stopping:
            alarm.clear()
            self._pauses[name] = every_s
            before, began = self._found(), time.monotonic()
            try:
                await look()
                self._unseen.discard(name)
            except JournalError as error:
                # The figures stay live; that nothing can be kept is on every screen.
                self.dashboard = replace(self.dashboard, journal_error=str(error))
            except (StepFailed, *UNREACHABLE) as error:
                await self._failed(name, error)
            except Exception as error:
                # A sampler of ours that stumbles degrades its panel, and the others go on.
                _log.exception("unforeseen failure in the look at %s", name)
                await self._failed(name, error)
            self._rhythm_s[name] = time.monotonic() - began + self._pauses[name]
            if name != "judge" and self._found() != before:
                self._wake("judge")
            with suppress(TimeoutError):
                await asyncio.wait_for(alarm.wait(), self._pauses[name])

    def _found(self) -> object:
        """Return what the verdict rests on, figures and times aside."""
        return (
            [(lag.slot, lag.state, lag.active, lag.moment) for lag in self.dashboard.lags],
            [alarm.key for alarm in alarms.of_lags(self.context, self.dashboard.lags)],
            {
                name: ([alarm.key for alarm in seen.alarms], seen.unknown)
                for name, seen in self._seen.items()
            },
        )

    async def _failed(self, look: str, error: Exception) -> None:
        words = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        self._unseen.discard(look)
        self.dashboard = self.dashboard.without(look, words)
        # Nothing follows from another failure: a session ends, a query fails, AWS does not answer.
        if look == "traffic" and isinstance(error, CannotConnect):
            self._production(self._serving().does_not(str(error)))
        for rest in LOOKS:
            if rest.name == look:
                self._seen[look] = ProbeResult(self.context.now(), (), f"{rest.failed}: {words}")
        if isinstance(error, CannotConnect):
            self._wake("clusters")  # it may have another name by now, or be gone
        await self.context.forget_connections()

    async def _look_at_clusters(self) -> None:
        try:
            seen = await self._clusters.look(acting=self._acting)
        finally:
            self._pauses["clusters"] = self._clusters.rest_s
        if seen is None:
            return
        listing, status = seen
        mark = holder.keep_left_behind(self.context, self._journal, listing.clusters)
        views = clusters.views(self.context, listing)
        self.dashboard = replace(
            self.dashboard,
            clusters=views,
            left_behind="" if mark is None else mark.words,
            deployment=status,
            at=self.context.now(),
        )
        names = frozenset((view.role, view.name) for view in views)
        if names != self._names:
            self._names = names
            await self.context.forget_connections()

    async def _look_at_lags(self) -> None:
        before = self.context.fact("deployment") is not None and not self._asked()
        green = await self._green.aws_own() if before else ()
        self.dashboard = replace(self.dashboard, green_lags=green)
        views, warnings = await self._slots.held()
        known = views if views and all(lag.bytes is not None for lag in views) else None
        self.dashboard = replace(
            self.dashboard, lags=views, last_lags=known or self.dashboard.last_lags
        )
        self._seen["slots"] = ProbeResult(self.context.now(), warnings, "")
        self._again_soon("lags", self._slots.waits)
        self._samples.keep_lags(views, self.context.now())

    def _again_soon(self, look: str, waits: bool) -> None:
        if waits:
            self._pauses[look] = min(self._pauses[look], AGAIN_S)

    def _asked(self) -> bool:
        """Return whether the switchover was asked for, and not seen to be called off."""
        done = self.context.fact("switchover") is not None
        return done or switchover_asked(self.context, self._journal)

    async def _look_at_workers(self) -> None:
        before = self._workers.subscribed
        self._seen["workers"] = await self._workers.look(self.dashboard)
        self._again_soon("workers", self._workers.waits)
        if self._workers.subscribed and not before:
            # Only now there is something that can be compared and watched: at once.
            self._wake("schemas", "strays", "origins", "objects")

    def _databases(self) -> list[str]:
        """Return the databases of the capture, where all of them are subscribed to."""
        ended = detached(self.context, current_pair(self.context).subscriber)
        return [] if ended or not self._workers.subscribed else held_databases(self.context)

    async def _look_for_strays(self) -> None:
        if not (databases := self._databases()):
            await self._strays.close()
            self._seen.pop("strays", None)
            return
        try:
            self._seen["strays"], found = await self._strays.look(databases)
            foreign_writes.keep(self.context, self._journal, found, self._strays.since)
            if found:
                self._wake("judge")
        finally:
            self.dashboard = replace(self.dashboard, strays_since=self._strays.since)

    async def _look_at_origins(self) -> None:
        if not self._databases():
            self._seen.pop("origins", None)
            return
        self._seen["origins"], came = await origins.look(self.context)
        keep = partial(self._journal.evidence, self.context.run, "monitor")
        unreplicated.keep(self.context, keep, came)

    def _looks_in(
        self, name: str, probe: DatabasesProbe, databases: Callable[[], Sequence[str]]
    ) -> Callable[[], Awaitable[None]]:
        """Return a look whose pause grows with what it reads."""

        async def look() -> None:
            if not (chosen := databases()):
                self._seen.pop(name, None)
                return
            self._seen[name] = await probe.look(chosen)
            self._pauses[name] = max(self._pauses[name], probe.rest_s)

        return look

    async def _look_for_given_up(self) -> None:
        before = self._seen.get("given up")
        self._seen["given up"] = await given_up.watched(self.context, self._journal, before)

    async def _look_at_bounds(self) -> None:
        if databases := held_databases(self.context):
            self._seen["bounds"] = await sequences.look(self.context, databases)
        else:
            self._seen.pop("bounds", None)

    async def _look_at_traffic(self) -> None:
        view, rated = await self._traffic.look(self.dashboard)
        self.dashboard = replace(self.dashboard, traffic=view)
        self._production(self._serving().answers())
        if rated and view.at is not None:
            cluster = self.context.plan.cluster.identifier
            self._samples.keep([Sample(view.at, "writes_per_s", cluster, view.writes_per_s)])

    def _serving(self) -> production.Asked:
        return production.Asked(
            self._traffic.serving(self.dashboard),
            self.dashboard,
            self._workers.witness,
            self.context.now(),
            self.context.plan.protection.fresh_s,
        )

    def _production(self, found: Production) -> None:
        """Put up whether the cluster that serves answers, and journal that it changed."""
        if not self.dashboard.clusters or (found.unreached and "workers" in self._unseen):
            # Before AWS has told which clusters there are, nobody knows which of them serves; and
            # before the one that follows was asked, whether it is only not seen from here.
            return
        words = production.news(self.dashboard.production, found)
        self.dashboard = replace(self.dashboard, production=found)
        if words:
            unanswered.keep(self._journal, self.context.run, found, words)
            self._wake("judge")

    def _watch_clocks(self) -> None:
        """Forget every figure when the clocks have parted: their ages mean nothing."""
        jump = self._clocks.look()
        if jump is None:
            return
        self._slots.forget()
        self._green.forget()
        self._traffic.forget()
        self._seen.clear()
        self.dashboard = self.dashboard.forgotten(f"not looked at since: {jump}")
        self._wake()
        clocks.keep(self._journal, self.context.run, jump)

    async def _judge(self) -> None:
        self._watch_clocks()
        first = self._still_looking()
        protection = self._judging.verdict(self._looked(), asked=self._asked(), first=first)
        now = self.context.now()
        found = alarms.of_all(self.context, self.dashboard.lags, self._seen)
        self.dashboard = replace(
            self.dashboard,
            protection=protection,
            alarms=self._ages.dated(found, now),
            downtime=downtime(self._journal, self.context.run),
            silent=self._workers.silent,
            at=now,
        )
        self._journal.publish(self.context.run, self.dashboard.as_json())
        self.dashboard = replace(self.dashboard, journal_error="")
        self._judging.keep(protection)

    def _looked(self) -> Observed:
        schemas = latest(self.context, self._seen.get("schemas", ProbeResult()))
        patience = {name: RHYTHMS * each for name, each in self._rhythm_s.items()}
        return Observed(self.dashboard.lags, {**self._seen, "schemas": schemas}, patience)

    def _still_looking(self) -> bool:
        """Return whether the first look at something is still under way.

        Schemas can only be compared, and stray writes watched, once the subscriptions were seen;
        and a lag has seconds once what was there at the first look is confirmed.
        """
        begun = self._workers.subscribed and not {rest.name for rest in LOOKS} <= self._seen.keys()
        limit_s = self.context.plan.protection.lag_limit_s
        return (
            bool(self._unseen) or begun or any(lag.unclear(limit_s) for lag in self.dashboard.lags)
        )
