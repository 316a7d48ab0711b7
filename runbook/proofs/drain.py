"""How long a subscriber needs for what it has not applied yet: by what it was seen to apply.

Bytes alone tell nothing: with REPLICA IDENTITY FULL each changed row is looked for in the whole
table, and a transaction that took half a second on the publisher takes minutes on the subscriber
(postgresql.org/docs, "Publication", Replica Identity).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from runbook.amounts import lasting
from runbook.base.context import RunContext
from runbook.base.pair import captured_databases, slot_name
from runbook.base.roles import Role
from runbook.base.step import Gate, Watch
from runbook.failures import Refused
from runbook.postgres import replication
from runbook.postgres.replication import SlotLag

SLOW = "drain.slow"
"""The fact that says why draining may take long; empty once it does not."""

ACCEPT = "accept-slow-drain"

MEASURED_S = 10.0
"""For so long, at most, it is looked at how a subscriber applies."""

LATELY_S = 30.0
"""A pace is that of the last so many seconds: a long transaction follows short ones."""

NEGLIGIBLE = 64 * 1024
"""So many bytes are applied at once, whatever is in them."""


@dataclass
class Pace:
    """What one subscriber has confirmed over a time, and what is left up to a position.

    A transaction is confirmed at its end alone, however long it is. That something is applied
    meanwhile shows in what the subscriber writes itself; how much is left of it, nothing tells.
    """

    target: int
    _seen: list[tuple[float, int]] = field(default_factory=list)
    _written: list[int] = field(default_factory=list)

    def saw(self, at: float, confirmed: int | None, written: int | None = None) -> None:
        """Remember up to where it had confirmed at a time (seconds), and written WAL of its own.

        Both in bytes; None: that could not be told.
        """
        if confirmed is not None:
            self._seen.append((at, confirmed))
        if written is not None:
            self._written.append(written)

    @property
    def left(self) -> int | None:
        """How many bytes of WAL are not confirmed, or None where that was never seen."""
        return max(0, self.target - self._seen[-1][1]) if self._seen else None

    @property
    def rate(self) -> float | None:
        """How many bytes it has come on each second lately; None where two looks have not told."""
        lately = [each for each in self._seen if each[0] >= self._seen[-1][0] - LATELY_S]
        if len(lately) < 2:
            lately = self._seen[-2:]
        if len(lately) < 2 or lately[-1][0] <= lately[0][0]:
            return None
        (since, first), (until, last) = lately[0], lately[-1]
        return max(0.0, (last - first) / (until - since))

    @property
    def _still_s(self) -> float:
        """For how long nothing more was confirmed."""
        at, confirmed = self._seen[-1]
        return at - next(since for since, seen in self._seen if seen == confirmed)

    @property
    def rest_s(self) -> float | None:
        """How long it needs for the rest at this pace; None: that cannot be told."""
        if self.left is None:
            return None
        if self.left <= NEGLIGIBLE:
            return 0.0
        return self.left / self.rate if self.rate else None

    @property
    def words(self) -> str:
        """Return what is left, and how long that takes."""
        if self.left is None:
            return "it is not known how much is left"
        left = f"{self.left / 1e6:.1f} MB left"
        if self.rate is None:
            return left
        if self.rate:
            return f"{left} at {self.rate / 1e6:.2f} MB/s, about {lasting(self.left / self.rate)}"
        still = f"{left}, nothing confirmed for {self._still_s:.0f} s"
        if len(self._written) < 2:
            return still
        grown = self._written[-1] - self._written[0]
        if grown <= 0:
            return f"{still}, and nothing applied"
        return f"{still}: a long transaction is being applied ({grown / 1e6:.1f} MB written for it)"


def gates(context: RunContext) -> Sequence[Gate]:
    """Return the decision to go on although draining may keep the applications down for long."""
    words = context.fact(SLOW)
    if not words:
        return ()
    return (
        Gate(
            key=ACCEPT,
            question=f"Go on, with the applications down while it drains: {words}",
            reversible="Until the endpoint is switched, they can be let in again where they were.",
            must_type=context.plan.cluster.identifier,
            valid_s=600.0,
        ),
    )


async def refuse_if_slow(
    context: RunContext, watch: Watch, publisher: Role, subscriber: Role, *, now: str
) -> None:
    """Refuse to stop the applications where the subscriber needs long for what is under way.

    What was written by now must be applied within the plan's limit of lag, as measured over some
    seconds. Raises `Refused` with size, pace and rest, until a person has accepted it.
    """
    limit_s = context.plan.protection.lag_limit_s
    lags = await _lags(context, publisher)
    # Where even the publisher's position is not known, nothing is ever seen to be applied.
    paces = {name: Pace(lag.current_lsn or 1 << 63) for name, lag in lags.items()}
    async for waited in watch.until(
        MEASURED_S + 1, every_s=context.plan.limits.fast_poll_s, what="the subscriber to apply"
    ):
        await _look(context, publisher, subscriber, paces)
        if waited >= MEASURED_S or all(pace.rest_s == 0.0 for pace in paces.values()):
            break
        watch.progress(f"what {subscriber.value} has not applied: {_words(paces)}")
    slow = {
        name: pace for name, pace in paces.items() if pace.rest_s is None or pace.rest_s > limit_s
    }
    if not slow:
        watch.evidence(f"{subscriber.value} is at most some seconds behind: {_words(paces)}")
        if context.fact(SLOW):
            watch.evidence("it drains soon", key=SLOW, value="")
        return
    words = _words(slow)
    if context.accepted(ACCEPT):
        watch.evidence(f"accepted by a person: {words}")
        return
    watch.evidence(f"draining may take long: {words}", key=SLOW, value=words)
    raise Refused(
        f"{subscriber.value.capitalize()} needs more than {limit_s:.0f} s to apply what is written "
        f"by now. The applications would be down that long: {words}.",
        now=now,
        todo="Wait until it has caught up, then run the step again. Or run it again and accept by "
        "name that the applications are down that long.",
    )


async def _lags(context: RunContext, publisher: Role) -> dict[str, SlotLag]:
    """Return the slots of the way that is held, by database."""
    captured = await captured_databases(context, publisher)
    slots = {slot_name(context, captured, name): name for name in captured}
    async with context.connect(publisher) as connection:
        lags = await replication.slot_lags(connection, list(slots))
    return {slots[lag.slot]: lag for lag in lags}


async def _look(
    context: RunContext, publisher: Role, subscriber: Role, paces: Mapping[str, Pace]
) -> None:
    """Look once at what is confirmed of each database, and at what the subscriber writes."""
    async with context.connect(subscriber) as connection:
        written = await replication.written(connection)
    for database, lag in (await _lags(context, publisher)).items():
        paces[database].saw(monotonic(), lag.confirmed_flush_lsn, written)


def _words(paces: Mapping[str, Pace]) -> str:
    return "; ".join(f"{name}: {pace.words}" for name, pace in paces.items())
