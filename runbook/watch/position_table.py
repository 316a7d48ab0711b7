"""Where a run can stand: of each position the rollback path in one sentence, and the branches.

One table, read by the position line of every screen, by the branches that are offered, and by the
command line. What depends on more than the position (the plan, what follows, who answers) is added
where the branches are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from runbook.base.roles import Role
from runbook.base.variants import RollbackTarget, UpgradeVariant
from state.enums import Track


class RunPosition(StrEnum):
    """Where a run stands, as far as the way back is concerned, or the way forward after one."""

    BEFORE_SWITCHOVER = "before the switchover"
    SWITCHOVER_ASKED = "the switchover was requested, its result is not known yet"
    BEFORE_TRAFFIC = "switched over, traffic not resumed"
    SLIPPED_IN = "switched over, and rows slipped in before the capture"
    NOT_PROTECTED = "traffic resumed, not yet protected"
    PROTECTED = "protected"
    WAY_LOST = "a slot is gone: blue prime misses writes"
    ROWS_DIFFER = "rows differed at the last comparison"
    ROLLING_BACK = "rolling back"
    ROLLBACK_BLOCKED = "rolling back, and rows differ"
    SWITCHING_ENDPOINT = "the endpoint is on its way to the old version"
    ROLLED_BACK = "rolled back"
    BACK_NOT_PROTECTED = "rolled back, new blue not yet fed"
    BACK_PROTECTED = "rolled back, and protected"
    BACK_WAY_LOST = "rolled back; a slot is gone: new blue misses writes"
    BACK_ROWS_DIFFER = "rolled back; rows differed at the last comparison"
    GOING_FORWARD = "going forward again"
    FORWARD_BLOCKED = "going forward again, and rows differ"
    SWITCHING_FORWARD = "the endpoint is on its way to the new version"
    FORWARD_NOT_PROTECTED = "gone forward again, blue prime not yet fed"
    FORCED_FORWARD = "gone forward by force"
    COMMITTED = "committed"
    ABORTED = "aborted"
    LEFT_BEHIND = "left behind: another journal went on with the run"


Key = tuple[Track, str]
"""A branch: the track that it leads to, and which way that track takes."""

ABORT: Key = (Track.ABORT, "")
TO_OLD_BLUE: Key = (Track.ROLLBACK, RollbackTarget.OLD_BLUE)
TO_BLUE_PRIME: Key = (Track.ROLLBACK, RollbackTarget.BLUE_PRIME)
FOR_GOOD: Key = (Track.ROLLBACK, RollbackTarget.FOR_GOOD)
PROTECT_FIRST: Key = (Track.ROLLBACK, RollbackTarget.PROTECT_THEN_BLUE_PRIME)
COMMIT: Key = (Track.COMMIT, "")
STAY_NEW: Key = (Track.UPGRADE, UpgradeVariant.STAY)
FORWARD: Key = (Track.UPGRADE, UpgradeVariant.FORWARD)
STAY_OLD: Key = (Track.ROLLBACK, RollbackTarget.STAY)
FINALIZE: Key = (Track.ROLLBACK, RollbackTarget.FINALIZE)
CLEANUP: Key = (Track.CLEANUP, "")


@dataclass(frozen=True, slots=True)
class BranchKind:
    """What a branch is, wherever it is taken."""

    title: str
    cost: str
    """What it loses."""
    time: str
    """How long it takes."""
    why_not: str
    """Why it is not open in a position that says nothing else."""


BRANCHES: Mapping[Key, BranchKind] = {
    ABORT: BranchKind(
        "Abort: delete green, blue stays as it is",
        "nothing",
        "minutes; the applications are let in first",
        "after the switchover there is nothing to abort",
    ),
    TO_OLD_BLUE: BranchKind(
        "Roll back to old blue",
        "nothing: no application has written to new blue",
        "minutes, the applications being down",
        "the applications have written since, and old blue lacks it",
    ),
    TO_BLUE_PRIME: BranchKind(
        "Roll back to blue prime",
        "nothing{behind}: blue prime has every write",
        "a minute or so, the applications being down",
        "blue prime does not have every write",
    ),
    FOR_GOOD: BranchKind(
        "Roll back to blue prime for good: no way forward is held",
        "the way forward: what is written then is on the old version alone",
        "a minute or so, the applications being down",
        "blue prime does not have every write",
    ),
    PROTECT_FIRST: BranchKind(
        "Finish protecting, then roll back to blue prime",
        "nothing: the slots keep every write",
        "the time of a clone and its instances; the applications run meanwhile",
        "only while new blue serves and blue prime lacks writes that its slots keep",
    ),
    COMMIT: BranchKind(
        "Commit: end the way back, stay on the new version",
        "the way back itself",
        "minutes; nothing stops",
        "only from the protected position",
    ),
    STAY_NEW: BranchKind(
        "Stay on the new version: let the applications in on new blue again",
        "nothing",
        "seconds",
        "only while a rollback has not switched the endpoint",
    ),
    FORWARD: BranchKind(
        "Go forward again to new blue",
        "nothing: new blue has every write",
        "a minute or so, the applications being down",
        "only after a rollback that was protected",
    ),
    STAY_OLD: BranchKind(
        "Stay on the old version: let the applications in on blue prime again",
        "nothing",
        "seconds",
        "only while going forward has not switched the endpoint",
    ),
    FINALIZE: BranchKind(
        "Finalize: end the way forward, stay on the old version",
        "the way forward itself",
        "seconds; nothing stops",
        "only after a rollback that was protected",
    ),
    CLEANUP: BranchKind(
        "Clean up: delete what the run created and does not serve",
        "the clusters that it names",
        "minutes",
        "only once the run has ended one way or the other",
    ),
}
"""The branches but for the forced ones, in the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One position."""

    path: str
    """The way from here and what it loses, as every screen says it."""
    opens: Mapping[Key, str] = field(default_factory=dict)
    """The branches that are open, each with what it loses here; empty: as everywhere."""
    recommended: Key | None = None
    why_not: Mapping[Key, str] = field(default_factory=dict)
    """Why another is not open, where the branch itself does not say it well."""
    last_word: Role | None = None
    """The cluster that has the last word while the other one may have most of it."""
    way_forward: bool = False
    """Whether slots on blue prime hold the way forward."""


_SERVES_ALREADY = {
    TO_BLUE_PRIME: "it serves already",
    FOR_GOOD: "blue prime serves already",
    PROTECT_FIRST: "it has taken over",
}
_DIFFERENT = "nothing{behind}, if the comparison passes: rows differed at the last one"
_ON_IT = {TO_BLUE_PRIME: "the run is on it: its next step goes on"}
_AND_NEW_BLUE = "the clusters that it names, and with new blue the way forward"

POSITIONS: Mapping[RunPosition, Standing] = {
    RunPosition.BEFORE_SWITCHOVER: Standing(
        "abort: blue stays as it is, nothing is lost",
        opens={ABORT: ""},
        recommended=ABORT,
        why_not={TO_OLD_BLUE: "before the switchover: abort"},
    ),
    RunPosition.SWITCHOVER_ASKED: Standing(
        "known when the switchover's end is seen; nothing is lost",
        opens={TO_OLD_BLUE: ""},
        recommended=TO_OLD_BLUE,
        why_not={ABORT: "the switchover was requested, and its result is not known yet"},
    ),
    RunPosition.BEFORE_TRAFFIC: Standing(
        "return to old blue, nothing is lost",
        opens={TO_OLD_BLUE: ""},
        recommended=TO_OLD_BLUE,
    ),
    RunPosition.SLIPPED_IN: Standing(
        "return to old blue, which loses only what slipped in, as named",
        opens={
            TO_OLD_BLUE: "what slipped in before the capture, as named, and nothing else",
        },
        recommended=TO_OLD_BLUE,
    ),
    RunPosition.NOT_PROTECTED: Standing(
        "finish protecting, then roll back: nothing is lost, it takes time",
        opens={PROTECT_FIRST: ""},
        recommended=PROTECT_FIRST,
        last_word=Role.NEW_BLUE,
    ),
    RunPosition.PROTECTED: Standing(
        "roll back to blue prime, nothing is lost",
        opens={TO_BLUE_PRIME: "", FOR_GOOD: "", COMMIT: ""},
        recommended=TO_BLUE_PRIME,
        why_not={PROTECT_FIRST: "already protected"},
        last_word=Role.NEW_BLUE,
    ),
    RunPosition.WAY_LOST: Standing(
        "none that loses nothing: a slot is gone, blue prime misses writes",
        opens={COMMIT: ""},
        why_not={
            TO_BLUE_PRIME: "a slot is gone: blue prime misses writes, for good",
            PROTECT_FIRST: "a slot is gone: what it did not keep cannot be applied",
        },
        last_word=Role.NEW_BLUE,
    ),
    RunPosition.ROWS_DIFFER: Standing(
        "re-copy the tables that differ, then roll back; compare proves it",
        opens={TO_BLUE_PRIME: _DIFFERENT, COMMIT: ""},
        why_not={PROTECT_FIRST: "it is finished; the rows differ"},
        last_word=Role.NEW_BLUE,
    ),
    RunPosition.ROLLING_BACK: Standing(
        "stay on the new version, or go on rolling back: nothing is lost",
        opens={FOR_GOOD: "", STAY_NEW: ""},
        recommended=STAY_NEW,
        why_not=_ON_IT,
        last_word=Role.NEW_BLUE,
    ),
    RunPosition.ROLLBACK_BLOCKED: Standing(
        "stay on the new version: it has every write; rows differ",
        opens={STAY_NEW: ""},
        recommended=STAY_NEW,
        why_not={PROTECT_FIRST: "it is finished; the rows differ"},
        last_word=Role.NEW_BLUE,
    ),
    RunPosition.SWITCHING_ENDPOINT: Standing("go on rolling back, nothing is lost", why_not=_ON_IT),
    RunPosition.ROLLED_BACK: Standing(
        "none is held: the old version serves",
        opens={CLEANUP: ""},
        why_not={
            **_SERVES_ALREADY,
            FORWARD: "no slot has kept what was written since: it is a new upgrade",
            FINALIZE: "no way forward is held",
        },
    ),
    RunPosition.BACK_NOT_PROTECTED: Standing(
        "finish feeding new blue, then forward again: nothing is lost",
        opens={FINALIZE: ""},
        why_not={
            **_SERVES_ALREADY,
            FORWARD: "new blue does not have every write yet: first the next steps of this track",
        },
        last_word=Role.BLUE_PRIME,
        way_forward=True,
    ),
    RunPosition.BACK_PROTECTED: Standing(
        "forward again to new blue, nothing is lost",
        opens={FORWARD: "", FINALIZE: "", CLEANUP: _AND_NEW_BLUE},
        recommended=FORWARD,
        why_not=_SERVES_ALREADY,
        last_word=Role.BLUE_PRIME,
        way_forward=True,
    ),
    RunPosition.BACK_WAY_LOST: Standing(
        "none that loses nothing: a slot is gone, new blue misses writes",
        opens={FINALIZE: "", CLEANUP: _AND_NEW_BLUE},
        why_not={
            **_SERVES_ALREADY,
            FORWARD: "a slot is gone: new blue misses writes, for good",
        },
        last_word=Role.BLUE_PRIME,
        way_forward=True,
    ),
    RunPosition.BACK_ROWS_DIFFER: Standing(
        "re-copy the tables that differ, then forward; compare proves it",
        opens={
            FORWARD: "nothing, if the comparison passes: rows differed at the last one",
            FINALIZE: "",
        },
        why_not=_SERVES_ALREADY,
        last_word=Role.BLUE_PRIME,
        way_forward=True,
    ),
    RunPosition.GOING_FORWARD: Standing(
        "stay on the old version, or go on going forward: nothing is lost",
        opens={STAY_OLD: ""},
        recommended=STAY_OLD,
        last_word=Role.BLUE_PRIME,
    ),
    RunPosition.FORWARD_BLOCKED: Standing(
        "stay on the old version: it has every write; rows differ",
        opens={STAY_OLD: ""},
        recommended=STAY_OLD,
        last_word=Role.BLUE_PRIME,
    ),
    RunPosition.SWITCHING_FORWARD: Standing("go on going forward, nothing is lost"),
    RunPosition.FORWARD_NOT_PROTECTED: Standing(
        "finish feeding blue prime, then roll back: nothing is lost",
        why_not={
            TO_BLUE_PRIME: "first the next steps here: they feed blue prime",
            PROTECT_FIRST: "it is there: the next steps here feed it",
        },
        last_word=Role.NEW_BLUE,
    ),
    RunPosition.FORCED_FORWARD: Standing(
        "none is held: the new version serves",
        opens={CLEANUP: ""},
        why_not={FORWARD: "the new version serves already"},
    ),
    RunPosition.COMMITTED: Standing("none: the way back has ended", opens={CLEANUP: ""}),
    RunPosition.ABORTED: Standing("none is needed: blue serves as before", opens={CLEANUP: ""}),
    RunPosition.LEFT_BEHIND: Standing(
        "not known here: another journal went on with the run",
        why_not=dict.fromkeys(BRANCHES, "this journal was left behind"),
    ),
}
"""Every position there is."""
