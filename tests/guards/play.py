"""Plays a sequence: from a checkpoint where one was kept, else from the start."""

from __future__ import annotations

import pprint
import shutil
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from tests.guards.acts import Go, Sequence, drawn, shrunk
from tests.guards.guard import TALLY
from tests.guards.night import Night, Settings
from tests.guards.things import Violation

TMPFS = Path("/dev/shm")


def _folder() -> Path:
    # On a disk each of the journal's commits waits for it.
    fast = TMPFS if TMPFS.is_dir() else None
    return Path(tempfile.mkdtemp(prefix="guards-", dir=fast))


@cache
def checkpoint(settings: Settings, smooth: int) -> bytes:
    """Return a night of which so many steps went well; each is played once."""
    folder = _folder()
    try:
        if smooth == 0:
            night = Night(folder, settings)
            night.start()
        else:
            night = Night.resume(folder, checkpoint(settings, smooth - 1))
            night.advance()
        return night.keep()
    finally:
        shutil.rmtree(folder)


def play(sequence: Sequence) -> None:
    """Play a sequence; raises `Violation` where something happened that must never happen."""
    folder = _folder()
    night = Night.resume(folder, checkpoint(sequence.settings, sequence.smooth))
    try:
        TALLY["sequences"] += 1
        for act, steps in sequence.acts:
            act.do(night)
            Go(steps).do(night)
            TALLY["acts"] += 1
        Go(20).do(night)
        night.expect_every_write()
    finally:
        night.end()
        shutil.rmtree(folder)


def broken(sequence: Sequence) -> str:
    """Play a sequence, and return what was violated, or an empty string."""
    try:
        play(sequence)
    except Violation as violation:
        return str(violation)
    return ""


def hold(seeds: Iterable[int], draw: Callable[[int], Sequence] = drawn) -> None:
    """Play the sequences of seeds; fail with the shortest form of the first that breaks a rule."""
    for seed in seeds:
        sequence = draw(seed)
        if broken(sequence):
            shortest = shrunk(sequence, lambda each: bool(broken(each)))
            words = f"seed {seed}: {broken(shortest)}\n{pprint.pformat(shortest, width=100)}"
            raise Violation(words)
