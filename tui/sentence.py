"""What the key would do, in one sentence, before it is pressed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runbook.board import Protection
from runbook.checklist import Checklist, Line
from runbook.step import Risk
from runbook.tracks import WayUp
from state.records import Handover, Holder
from state.words import Outcome, Status
from tui import glyphs, text
from tui.model import Preview, Way

WAY_BACK = "way back"
"""What the sentence on it begins with."""

WAY_FORWARD = "way forward"
"""What it begins with after a rollback from which one may go forward again."""


@dataclass(frozen=True, slots=True)
class Press:
    """What enter does now: whether it acts, and the words for it."""

    acts: bool
    verb: str
    """`run`, `try again`, `decide`, or empty where it does nothing."""
    target: str
    then: str
    """After the dash: what happens."""


def press(
    checklist: Checklist,
    *,
    busy: str,
    writable: bool,
    holder: Holder | None,
    preview: Preview | None,
    preview_error: str = "",
) -> Press:
    """Return what enter does where the run stands."""
    if not checklist.run.open:
        result = checklist.run.result
        ending = result.value.replace("_", " ") if result else "closed"
        return Press(False, "", "", f"this run is over: {ending}. b shows what is left to do")
    if not writable:
        return Press(False, "", "", f"watching only: {held_by(holder, checklist.run.away)}")
    if busy:
        return Press(False, "", text.clean(busy), "is running; x stops its wait")
    following = checklist.next
    if following is None:
        track = checklist.current.entry.track.value
        return Press(False, "", "", f"every step of {track} is done. b shows where to go from here")
    target = text.clean(following.step)
    if undecided(following):
        return Press(True, "decide", target, "shows what is unknown, and performs nothing")
    verb = "run" if following.status is Status.READY else "try again"
    return Press(True, verb, target, does(following, preview, preview_error))


def undecided(item: Line) -> bool:
    """Return whether a person must first say what became of an effect of the step."""
    effects = item.attempt.effects if item.attempt is not None else ()
    return item.status is Status.UNKNOWN and any(
        effect.outcome in (None, Outcome.UNKNOWN) for effect in effects
    )


def known_there(item: Line) -> frozenset[str]:
    """Return the titles of effects that the latest attempt made, or that were seen or said to be.

    A further attempt looks at each and does none of them twice.
    """
    effects = item.attempt.effects if item.attempt is not None else ()
    there = (Outcome.SUCCEEDED, Outcome.ADOPTED)
    return frozenset(effect.title for effect in effects if effect.outcome in there)


def held_by(holder: Holder | None, away: Handover | None = None) -> str:
    """Return who acts on the run, in words."""
    if away is not None:
        return f"this run was {text.clean(away.words)}; this is what was known here then"
    if holder is None:
        return "nobody holds this run here"
    who, host = text.clean(holder.user), text.clean(holder.host)
    return f"{who} on {host} (pid {holder.pid}) has held this run since {text.at(holder.since)} UTC"


def does(item: Line, preview: Preview | None, error: str = "") -> str:
    """Return what running a step changes, and whether that can be undone."""
    risk = glyphs.RISK[item.risk].word
    if item.risk is Risk.READ_ONLY and (preview is None or not preview.effects):
        return f"{_lower(text.clean(item.title))}; only looks, and changes nothing"
    if error:
        return f"{risk}: {_lower(text.clean(item.title))}; its calls could not be looked up"
    if preview is None or preview.note or not (preview.effects or preview.there):
        return f"{risk}: {_lower(text.clean(item.title))}"
    there = known_there(item)
    titles = [text.clean(title).rstrip(".") for title, _ in preview.effects if title not in there]
    if not titles:
        return f"{risk}: looks whether all of it has happened, and goes on from there"
    if len(titles) > 2:
        return f"{risk}: {titles[0]}, and {len(titles) - 1} more changes"
    return f"{risk}: {', then '.join(titles)}"


def way_back(
    ways: Sequence[Way] | None,
    checklist: Checklist,
    protection: Protection,
    *,
    left_behind: str = "",
    error: str = "",
) -> str:
    """Return the recommended way off the track, and its price.

    Where the protection is not known now, neither is the price: it is said of what was known.
    `left_behind` tells who went on with the run since this journal.
    """
    if not checklist.run.open:
        return f"{WAY_BACK} from here: none, the run is over"
    if checklist.run.away is not None:
        return f"{WAY_BACK} from here: none, another machine acts on this run"
    if left_behind and checklist.run.open:
        adopt = f"blueprime adopt {text.clean(checklist.run.cluster)}"
        return f"{WAY_BACK} from here: not known here; leave, then {adopt} reads the run anew"
    if error:
        return f"{WAY_BACK} from here: unknown, {text.clean(error)}"
    if ways is None:
        return f"{WAY_BACK} from here: looking…"
    best = next((way for way in ways if way.available and way.recommended), None)
    if best is None:
        none = "none but to go on with this track"
        here = next((text.clean(way.here) for way in ways if way.here), none)
        return f"{WAY_BACK} from here: {here}; b shows every way and why"
    title = _lower(text.clean(best.title))
    # What follows the colon is the reason, which the branch screen gives in full.
    cost, time = text.clean(best.cost).split(":")[0], text.clean(best.time)
    known = "from here" if protection.protected is not None else "as last known"
    label = WAY_FORWARD if best.way == WayUp.FORWARD else WAY_BACK
    return f"{label} {known} loses {cost}: {title}; takes {time}"


def _lower(words: str) -> str:
    """Return the product's own words as they stand inside a sentence."""
    keep = words[1:2].isupper()
    return (words if keep else words[:1].lower() + words[1:]).rstrip(".")
