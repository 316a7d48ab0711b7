"""What the key would do, in one sentence, before it is pressed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from runbook.amounts import counted
from runbook.base.step import Risk
from runbook.base.variants import UpgradeVariant, name
from runbook.protection.dashboard import Protection
from runbook.run.checklist import Checklist, Line
from state.enums import Outcome, Status
from state.records import Handover, Holder
from tui import glyphs, text
from tui.model import Branch, Preview

WAY_BACK = "way back"
"""What the sentence on it begins with."""

WAY_FORWARD = "way forward"
FROM_HERE = "from here"
"""What it begins with after a rollback from which one may go forward again."""


LOOKING_S = 10.0
"""After so long without an answer of what a step would do, one may run it unseen, and is asked."""


@dataclass(frozen=True, slots=True)
class Press:
    """What enter does now: whether it acts, and the words for it."""

    acts: bool
    verb: str
    """`run`, `try again`, `decide`, or empty where it does nothing."""
    target: str
    then: str
    """After the dash: what happens."""
    calls: bool = False
    """Whether the run waits for a person, who is to be told before all else."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the screen knows beside the checklist when it says what enter does."""

    busy: str = ""
    """The step that runs, or empty."""
    asking: str = ""
    """The step that waits for an answer in a dialog, or empty."""
    to_do: str = ""
    """What a person must do now, the applications waiting for it, or empty."""
    heard: bool = False
    """Whether somebody has said that they know."""
    preview: Preview | None = None
    error: str = ""
    """Why there is no preview."""
    looking_s: float = 0.0
    """For how long the preview has been looked for."""


def press(
    checklist: Checklist, standing: Standing, *, writable: bool = True, holder: Holder | None = None
) -> Press:
    """Return what enter does where the run stands."""
    if not checklist.run.open:
        result = checklist.run.result
        ending = result.value.replace("_", " ") if result else "closed"
        return Press(False, "", "", f"this run is over: {ending}. b shows what is left to do")
    if not writable:
        return Press(False, "", "", f"watching only: {held_by(holder, checklist.run.away)}")
    if standing.asking:
        words = "waits for your answer in the dialog; esc declines, and changes nothing"
        return Press(False, "", text.clean(standing.asking), words, calls=True)
    if standing.busy and standing.to_do:
        bell = "" if standing.heard else " · enter stops the bell"
        return Press(False, "", "", f"{text.clean(standing.to_do)}{bell}", calls=True)
    if standing.busy:
        return Press(False, "", text.clean(standing.busy), "is running; x stops its wait")
    following = checklist.next
    if following is None:
        track = name(checklist.current.entry.track, checklist.current.entry.variant)
        return Press(False, "", "", f"every step of {track} is done. b shows where to go from here")
    target = text.clean(following.step)
    if undecided(following):
        return Press(True, "decide", target, "shows what is unknown, and performs nothing")
    verb = "run" if following.status is Status.READY else "try again"
    if standing.preview is None and not standing.error:
        if standing.looking_s < LOOKING_S:
            return Press(False, "", target, f"is looked up: {looking_at(standing)}")
        words = f"asks first, since what it would change is not seen: {looking_at(standing)}"
        return Press(True, verb, target, words)
    return Press(True, verb, target, will_do(checklist, standing.preview, standing.error))


def looking_at(standing: Standing) -> str:
    """Return what is looked for and since when, in words."""
    return f"AWS and the servers asked, {standing.looking_s:.0f} s so far"


def will_do(checklist: Checklist, preview: Preview | None, error: str = "") -> str:
    """Return what one enter runs: the step that is ready, and those that follow by themselves."""
    first, *others = checklist.flow
    words = does(first, preview, error)
    # What follows stands first: where there is no room for all, it is not what is cut.
    return f"then, by themselves: {chain(others)}. It begins with: {words}" if others else words


def chain(lines: Sequence[Line]) -> str:
    """Return steps one after another; of those that cannot be undone, that they cannot."""
    return " → ".join(
        f"{text.clean(line.step)} ({glyphs.RISK[line.risk].word})"
        if line.risk in (Risk.PIVOT, Risk.DESTRUCTIVE)
        else text.clean(line.step)
        for line in lines
    )


def must_be_confirmed(checklist: Checklist, standing: Standing) -> bool:
    """Return whether enter asks first by itself, the step that is ready asking nothing.

    So it is where several steps would run, where one cannot be undone, and where nobody has seen
    what the step would do: not known yet, or not to be known.
    """
    flow, preview = checklist.flow, standing.preview
    if preview is None or preview.unknown:
        return True
    grave = any(line.risk in (Risk.PIVOT, Risk.DESTRUCTIVE) for line in flow)
    return (len(flow) > 1 or grave) and not preview.gates


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
        return "nobody holds this run, so nobody watches it; blueprime resume goes on with it"
    who, host = text.clean(holder.user), text.clean(holder.host)
    return f"{who} on {host} (pid {holder.pid}) has held this run since {text.at(holder.since)} UTC"


def does(item: Line, preview: Preview | None, error: str = "") -> str:
    """Return what running a step changes, and whether that can be undone."""
    risk = glyphs.RISK[item.risk].word
    if item.risk is Risk.READ_ONLY and (preview is None or not preview.effects):
        return f"{_lower(text.clean(item.title))}; only looks, and changes nothing"
    if error or (preview is not None and preview.unknown):
        return f"{risk}: {_lower(text.clean(item.title))}; its calls could not be looked up"
    if preview is None or preview.note or not (preview.effects or preview.there):
        return f"{risk}: {_lower(text.clean(item.title))}"
    there = known_there(item)
    titles = [text.clean(title).rstrip(".") for title, _ in preview.effects if title not in there]
    if not titles:
        return f"{risk}: looks whether all of it has happened, and goes on from there"
    if len(titles) > 2:
        return f"{risk}: {titles[0]}, and {counted(len(titles) - 1, 'more change')}"
    return f"{risk}: {', then '.join(titles)}"


class WayOff(NamedTuple):
    """The recommended way off the track, and its price."""

    words: str
    """What it loses, where it leads and how long it takes; or why none is known."""
    label: str = WAY_BACK
    known: str = FROM_HERE
    """Of when the price is."""
    between: str = ": "

    def __str__(self) -> str:
        return f"{self.label} {self.known}{self.between}{self.words}"


def way_back(
    ways: Sequence[Branch] | None,
    checklist: Checklist,
    protection: Protection,
    *,
    left_behind: str = "",
    error: str = "",
) -> WayOff:
    """Return the recommended way off the track, and its price.

    Where the protection is not known now, neither is the price: it is said of what was known.
    `left_behind` tells who went on with the run since this journal.
    """
    if not checklist.run.open:
        return WayOff("none, the run is over")
    if checklist.run.away is not None:
        return WayOff("none, another machine acts on this run")
    if left_behind and checklist.run.open:
        adopt = f"blueprime adopt {text.clean(checklist.run.cluster)}"
        return WayOff(f"not known here; leave, then {adopt} reads the run anew")
    if error:
        return WayOff(f"unknown, {text.clean(error)}")
    if ways is None:
        return WayOff("looking…")
    best = next((branch for branch in ways if branch.available and branch.recommended), None)
    if best is None:
        none = "none but to go on with this track"
        here = next((text.clean(branch.here) for branch in ways if branch.here), none)
        return WayOff(f"{here}; b shows every way and why")
    title = _lower(text.clean(best.title))
    # What follows the colon is the reason, which the branch screen gives in full.
    cost, time = text.clean(best.cost).split(":")[0], text.clean(best.time)
    known = FROM_HERE if protection.protected is not None else "as last known"
    label = WAY_FORWARD if best.variant == UpgradeVariant.FORWARD else WAY_BACK
    return WayOff(f"loses {cost}: {title}; takes {time}", label, known, between=" ")


def _lower(words: str) -> str:
    """Return the product's own words as they stand inside a sentence."""
    keep = words[1:2].isupper()
    return (words if keep else words[:1].lower() + words[1:]).rstrip(".")
