"""To which stay on a track what was seen belongs: a step of one name stands on several."""

from __future__ import annotations

from collections.abc import Sequence

from state.records import Attempt, Evidence, TrackEntry


def stays(
    seen: Sequence[Evidence], attempts: Sequence[Attempt], entries: Sequence[TrackEntry]
) -> list[int]:
    """Return the id of the stay of each piece of evidence; 0 where the run has none.

    It is that of the attempt that saw it. What was kept beside any attempt belongs to the stay of
    its time, and never to one before that of what was kept earlier: a clock may have been set back.
    """
    of = {attempt.id: attempt.entry for attempt in attempts}
    found: list[int] = []
    latest = entries[0].id if entries else 0
    for each in seen:
        if each.attempt is not None and each.attempt in of:
            latest = of[each.attempt]
        else:
            begun = [entry.id for entry in entries if entry.at <= each.at]
            latest = max([latest, *begun])
        found.append(latest)
    return found


def on_stay(
    entry: int,
    seen: Sequence[Evidence],
    attempts: Sequence[Attempt],
    entries: Sequence[TrackEntry],
) -> list[Evidence]:
    """Return what was seen on one stay alone, in order."""
    belongs = zip(seen, stays(seen, attempts, entries), strict=True)
    return [each for each, stay in belongs if stay == entry]
