"""Whether taking the way that is held would lose nothing: the one verdict that everybody asks for.

Pure: from what the journal says, what the looks saw and when, to a verdict with its reasons. What
is not known, or was seen too long ago, never makes it better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from runbook.base.alert import Alert, Cause, ProbeResult
from runbook.base.clocks import stale
from runbook.base.pair import ReplicationPair
from runbook.base.roles import Role
from runbook.plan.model import ProtectionSection
from runbook.postgres.refusals import told_once
from runbook.proofs.diverged import Differing
from runbook.protection.dashboard import LagView, Protection, Stage

NAMED = 3
"""So many reasons of one look are given; the board holds all of them."""

STEADY_S = 10.0
"""How long all must be well, after something was not, before it is called so again: an apply worker
that fails at one change is well for a moment every `wal_retrieve_retry_interval` (5 s)."""


@dataclass(frozen=True, slots=True)
class RequiredProbe:
    """One look that the verdict rests on."""

    name: str
    missing: str
    """What is said where it was not made lately, or not yet: it ends in that word."""
    failed: str
    """What is said where it could not be made, before the reason."""
    own_rhythm: bool = False
    """Whether it may be as old as its own rhythm makes it: the rarer a look is, the larger what it
    looks at. Otherwise the plan's `fresh_s` holds."""


REQUIRED_PROBES = (
    RequiredProbe(
        "workers",
        "the subscriptions were not looked at",
        "the subscriptions cannot be looked at",
    ),
    RequiredProbe(
        "strays",
        "stray writes were not looked for",
        "stray writes cannot be looked for",
    ),
    RequiredProbe(
        "schemas",
        "the schemas were not compared",
        "the schemas cannot be compared",
        own_rhythm=True,
    ),
    RequiredProbe(
        "origins",
        "the publisher's other sources were not looked at",
        "the publisher's other sources cannot be looked at",
    ),
)
"""Every look that protection rests on besides that at the slots. Whoever adds one adds a line."""

BESIDE = RequiredProbe(
    "objects",
    "roles, grants and code were not compared",
    "roles, grants and code cannot be compared",
    own_rhythm=True,
)
"""What applications need beside their rows: a difference loses no row, and the banner says it."""


KEYS = RequiredProbe(
    "keys",
    "tables without a key were not looked for",
    "tables without a key cannot be looked for",
    own_rhythm=True,
)
"""Tables on which UPDATE and DELETE fail: they cost no row of the way back, the banner says it."""


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """What the journal says."""

    left_behind: str = ""
    """Who went on with the run since this journal, or empty."""
    asked: bool = False
    """Whether the switchover was called, whether or not it was seen to be done."""
    switched: bool = False
    sides: ReplicationPair = field(default_factory=lambda: ReplicationPair.of(Role.NEW_BLUE))
    slots: Mapping[str, str] | None = None
    """Database -> slot of the capture; None: there is none yet."""
    detached: bool = False
    dropped: bool = False
    """Whether the capture's slots were dropped."""
    verified: bool = False
    """Whether a position was confirmed past since the capture was made."""
    different: Sequence[str] = ()
    """What the last comparison inside a fence found; empty once one has passed."""
    differing: Sequence[Differing] = ()
    """The tables that are known to differ, and were neither re-copied nor given up."""
    uncarried: Sequence[str] = ()
    """What has brought rows to the publisher that do not travel, until a comparison has passed."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What the looks saw last."""

    lags: Sequence[LagView] = ()
    seen: Mapping[str, ProbeResult] = field(default_factory=dict)
    """By the name of the look."""
    rhythm_s: Mapping[str, float] = field(default_factory=dict)
    """How old each may be by its own rhythm, in seconds."""


def assess(
    kept: JournalFacts, looked: Observed, limits: ProtectionSection, now: datetime
) -> Protection:
    """Return whether taking the way now would lose nothing; anything not known is not good.

    Protected means: a known position was confirmed past, every slot is there and not lost, every
    subscription enabled with its worker alive, lag under the plan's limits and fresh, no schema
    drift, no write on the subscriber but the apply workers', no row on the publisher that does not
    travel, no table known to differ.
    """
    if decided := by_journal(kept, now):
        return decided
    assert kept.slots is not None
    ours = [lag for lag in looked.lags if lag.slot in kept.slots.values()]
    gone = [
        _alarm(Cause.SLOT, lag, f"slot {lag.slot} of {lag.database} is {lag.state}", now)
        for lag in ours
        if lag.state in ("missing", "lost")
    ]
    if gone:
        return _broken(gone, now, lost=True)
    if kept.different:
        # No lag and no drift can take that back: only a comparison that passes does.
        words = f"rows differed at the last comparison: {', '.join(kept.different[:NAMED])}"
        return Protection(False, words, tuple(kept.different), now)
    lags, unknowns = lag_alarms(looked.lags, kept.slots, limits, now)
    reasons: list[Alert] = []
    for rest in REQUIRED_PROBES:
        seen = _fresh(rest, looked, limits, now)
        reasons += seen.breaking[:NAMED]
        if seen.unknown:
            unknowns.append(seen.unknown)
    reasons += [*row_alarms(kept, now)[:NAMED], *lags]
    if reasons:
        return replace(_broken(reasons, now), stage=_stage(kept))
    if unknowns:
        told = told_once(unknowns)
        return Protection(None, told[0], told, now, stage=_stage(kept))
    if not kept.verified:
        words = "capture held, not proved yet that what is written arrives"
        return Protection(False, words, ("not verified",), now, stage=Stage.MAKING)
    beside = _fresh(BESIDE, looked, limits, now)
    keyless = _fresh(KEYS, looked, limits, now)
    alarms = (*keyless.alarms, *(beside.alarms if not beside.unknown else ()))
    # What is not known beside the rows is said, and said anew once it is.
    unknown = told_once(filter(None, (beside.unknown, keyless.unknown)))
    failing = [each.words for each in keyless.alarms[:NAMED]]
    if beside.unknown:
        beside = replace(beside, unknown=unknown[0])
        failing += unknown[1:]
    else:
        failing += unknown
    return Protection(
        True,
        "; but ".join([_banner(kept.sides, beside), *failing]),
        (*(alarm.words for alarm in alarms), *unknown),
        now,
        causes=(*(alarm.key for alarm in alarms), *unknown),
    )


def _fresh(
    rest: RequiredProbe, looked: Observed, limits: ProtectionSection, now: datetime
) -> ProbeResult:
    """Return what a look saw; where it was not made lately, nothing but that."""
    seen = looked.seen.get(rest.name, ProbeResult())
    own_s = looked.rhythm_s.get(rest.name, 0.0) if rest.own_rhythm else 0.0
    if stale(seen.at, now, max(limits.fresh_s, own_s)):
        return ProbeResult(unknown=f"{rest.missing} {'yet' if seen.at is None else 'lately'}")
    return seen


def _banner(sides: ReplicationPair, beside: ProbeResult) -> str:
    """Return what taking the way would cost now, all rows having arrived."""
    if beside.unknown:
        return f"{sides.journey} now would lose no row; {beside.unknown}"
    if not beside.counted:
        return f"{sides.journey} now would lose nothing"
    return (
        f"{sides.journey} now would lose no row, but on {sides.subscriber.value} differ: "
        f"{beside.counted}"
    )


def by_journal(kept: JournalFacts, now: datetime) -> Protection | None:
    """Return the verdict where the journal alone decides it; None where looks are needed."""
    if kept.left_behind:
        words = f"this journal was left behind: {kept.left_behind} holds the run"
        return Protection(None, words, (), now)
    if not kept.switched:
        words = "blue serves; abort loses nothing"
        if kept.asked:
            words = "the switchover was requested, its result is not known yet"
        return Protection(False, words, (), now, stage=Stage.BEFORE)
    if kept.slots is None:
        words = "no capture yet; return to old blue"
        return Protection(False, words, ("no capture",), now, stage=Stage.MAKING)
    if kept.detached:
        words = f"{kept.sides.subscriber.value} follows nobody any more"
        return Protection(False, words, ("detached",), now)
    if kept.dropped:
        return Protection(False, "no way back is held", ("the capture was dropped",), now)
    return None


def lag_alarms(
    lags: Sequence[LagView], slots: Mapping[str, str], limits: ProtectionSection, now: datetime
) -> tuple[list[Alert], list[str]]:
    """Return what is wrong with the slots of a capture, and what about them is not known."""
    alarms: list[Alert] = []
    unknowns: list[str] = []
    by_slot = {lag.slot: lag for lag in lags}
    for database, slot in slots.items():
        lag = by_slot.get(slot)
        if lag is None:
            unknowns.append(f"lag of {database} was not measured")
        elif lag.bytes is None or lag.active is None or stale(lag.at, now, limits.fresh_s):
            unknowns.append(f"lag of {database} is unknown: {lag.reason or 'stale'}")
        elif not lag.active and not lag.moment:
            words = f"slot {slot} of {database} feeds nobody"
            alarms.append(_alarm(Cause.SLOT, lag, words, now))
        elif lag.bytes > limits.lag_limit_bytes:
            words = f"lag of {database} is {lag.bytes} bytes"
            alarms.append(_alarm(Cause.LAG, lag, words, now))
        elif lag.seconds is not None and lag.seconds > limits.lag_limit_s:
            words = f"lag of {database} is {lag.seconds:.0f} s"
            alarms.append(_alarm(Cause.LAG, lag, words, now))
        elif lag.seconds is None and lag.at_least_s > limits.lag_limit_s:
            words = f"lag of {database} is at least {lag.at_least_s:.0f} s"
            alarms.append(_alarm(Cause.LAG, lag, words, now))
        elif lag.seconds is None:
            unknowns.append(f"lag of {database} in seconds is not known yet")
    return alarms, unknowns


def row_alarms(kept: JournalFacts, now: datetime) -> list[Alert]:
    """Return what is known of rows that the subscriber does not have as the publisher has them."""
    tables = [
        Alert(Cause.ROWS, t.database, f"table {t.schema}.{t.table}", t.words, True, now)
        for t in kept.differing
    ]
    return tables + [
        Alert(Cause.ORIGIN, "", f"rows {words}", words, True, now) for words in kept.uncarried
    ]


class Steady:
    """Lets a verdict get worse at once, and better only once it was seen to stay so."""

    def __init__(self) -> None:
        self._of: object = None
        self._was_well = False
        self._worse: Protection | None = None
        """What was last said of a way that had been made and was not well; None: nothing since."""
        self._well_since: float | None = None

    def take(self, found: Protection, clock: float, of: object = None) -> Protection:
        """Return what may be said, of what was found now.

        `clock` is monotonic, in seconds. `of` tells one capture from another: what was not well of
        the one says nothing of the next.
        """
        if of != self._of:
            self._of, self._was_well, self._worse = of, False, None
        if found.protected is not True:
            self._well_since = None
            # A way that is being made, or that nobody has looked at yet, was not unwell.
            known = found.protected is False or self._was_well
            if known and found.stage is Stage.HELD and not found.looking:
                self._worse = found
            return found
        self._was_well = True
        if self._worse is None:
            return found
        if self._well_since is None:
            self._well_since = clock
        if clock - self._well_since >= STEADY_S:
            self._worse = None
            return found
        words = f"recovered less than {STEADY_S:.0f} s ago: {self._worse.text}"
        reason = f"not stable yet after: {self._worse.text}"
        # Of what was not known it is no news that it is not known for long.
        causes = self._worse.causes or self._worse.reasons
        return Protection(None, words, (reason,), found.at, causes=causes)


def _stage(kept: JournalFacts) -> Stage:
    return Stage.HELD if kept.verified else Stage.MAKING


def _alarm(cause: Cause, lag: LagView, words: str, now: datetime) -> Alert:
    return Alert(cause, lag.database, f"slot {lag.slot}", words, True, lag.at or now)


def _broken(alarms: list[Alert], now: datetime, *, lost: bool = False) -> Protection:
    first = alarms[0]
    return Protection(
        False,
        f"capture held, {first.words}" if first.cause is Cause.WORKER else first.words,
        tuple(alarm.words for alarm in alarms),
        now,
        causes=tuple(alarm.key for alarm in alarms),
        lost=lost,
    )
