"""The clocks of this machine: they part company when it sleeps and when somebody sets one.

Three are read. The wall's can be set. The one since the boot goes on in sleep
(`CLOCK_BOOTTIME` on Linux, `CLOCK_MONOTONIC` on macOS). The one that is awake stands still in sleep
(`time.monotonic` on both): limits of waits go by it, so that no sleep uses them up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from state.journal import Journal
from state.records import Json

FACT = "clock"
"""The evidence that holds every jump of a run's clock."""

JUMP_S = 2.0
"""Less than this is drift, or a clock that is nudged into time."""

STILL_S = 10.0
"""A process that looks every second and did not for so long was stopped, or starved."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """All three at one moment, in seconds."""

    wall: float
    since_boot: float
    awake: float


@dataclass(frozen=True, slots=True)
class Jump:
    """By how much the clocks parted between two looks, in seconds; 0 where they did not."""

    set_s: float = 0.0
    """By how much the wall's clock was set, forward or back."""
    slept_s: float = 0.0
    still_s: float = 0.0
    """How long this process stood still while the machine was awake."""

    def __str__(self) -> str:
        said = []
        if self.slept_s:
            said.append(f"the clock jumped by {self.slept_s:+.0f} s: this machine slept")
        if self.set_s:
            said.append(f"the clock jumped by {self.set_s:+.0f} s: it was set")
        if self.still_s:
            said.append(f"blueprime stood still for {self.still_s:.0f} s")
        return "; ".join(said)


def read() -> Clocks:
    """Return what the clocks show."""
    since_boot = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return Clocks(time.time(), time.clock_gettime(since_boot), time.monotonic())


class ClockWatch:
    """Tells at each look whether the clocks parted since the last one."""

    def __init__(self, read: Callable[[], Clocks] = read) -> None:
        self._read = read
        self._last = read()

    def look(self) -> Jump | None:
        """Return the jump since the last look, or None. To be called about every second."""
        before, now = self._last, self._read()
        self._last = now
        awake = now.awake - before.awake
        since_boot = now.since_boot - before.since_boot
        slept = since_boot - awake
        changed = (now.wall - before.wall) - since_boot
        jump = Jump(
            set_s=changed if abs(changed) >= JUMP_S else 0.0,
            slept_s=slept if slept >= JUMP_S else 0.0,
            still_s=awake if awake >= STILL_S else 0.0,
        )
        return jump if str(jump) else None


def keep(journal: Journal, run: str, jump: Jump) -> None:
    """Journal a jump, and where between the applications' stops and starts it fell."""
    text = f"{jump}; every figure is looked at anew"
    journal.event(run, "clock", text, {"set_s": jump.set_s, "slept_s": jump.slept_s})
    if not jump.set_s:
        return
    effects = [effect.id for attempt in journal.attempts(run) for effect in attempt.effects]
    traffic = [
        seen.id
        for key in ("traffic", "production.down")
        for seen in journal.evidences(run, key=key)
    ]
    jumps = [
        *(journal.fact(run, FACT) or ()),
        {"set_s": jump.set_s, "effect": max(effects, default=0), "seen": max(traffic, default=0)},
    ]
    journal.evidence(run, "monitor", "", key=FACT, value=jumps)


def set_meanwhile(
    jumps: Json | None, *, since_effect: int, since_seen: int = 0, until_seen: int | None = None
) -> float:
    """Return by how many seconds the wall's clock was set in a stretch: no time that passed.

    `jumps` is the value of `FACT`. The stretch begins with an effect's intent, or with a piece of
    evidence on traffic, and ends with such a piece; None while it goes on.
    """
    found: list[Mapping[str, Json]] = list(jumps or ())
    return sum(
        float(jump["set_s"])
        for jump in found
        if jump["effect"] >= since_effect
        and jump["seen"] >= since_seen
        and (until_seen is None or jump["seen"] < until_seen)
    )


AHEAD_S = 2.0
"""How far in the future a time may lie: clocks are nudged, and those of two hosts differ."""


def age(at: datetime | None, now: datetime | None = None) -> float | None:
    """Return how many seconds ago something was seen, or None where that is not known.

    It is not if it never was, nor if it lies in the future: the clock was set back since.
    """
    if at is None:
        return None
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    return None if seconds < -AHEAD_S else max(0.0, seconds)


def stale(at: datetime | None, now: datetime, limit: float) -> bool:
    """Return whether a figure was seen too long ago to stand, or nobody can tell how long ago."""
    seconds = age(at, now)
    return seconds is None or seconds > limit


def ago(seconds: float) -> str:
    """Return how long ago something was seen, in one unit."""
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def about(seconds: float) -> str:
    """Return a time to come in words, as exact as it can be meant."""
    if seconds < 90:
        return f"about {max(1, round(seconds / 5)) * 5} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    hours = seconds / 3600
    return f"about {hours:.0f} h" if hours < 48 else f"about {hours / 24:.0f} days"
