"""The one registry of keys: bindings, footer, palette and help are all made from it.

Plain letters and F-keys only: Ctrl chords belong to terminal multiplexers. The palette's own
chord is the exception, and everything in it has a plain key too. What runs a step is not in it: the
palette covers the line that says what would run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from textual.binding import Binding

_WRITTEN = {
    "question_mark": "?",
    "f1": "F1",
    "escape": "esc",
    "slash": "/",
    "up": "↑",
    "down": "↓",
    "f5": "F5",
    "shift+tab": "⇧tab",
}
"""How the footer and the help write a key, where it is not by Textual's name."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key at one place."""

    name: str
    keys: str
    """Textual's names of the keys, with commas."""
    label: str
    """One or two words for the footer."""
    says: str
    """One sentence for the help, the palette and the tooltip."""
    does: str = ""
    """The action, where it is not the one of its name."""
    shows_all: bool = False
    """Whether the footer shows all of its keys; else the first alone."""
    footer: bool = True
    """At most seven a place: more do not fit into 80 columns."""
    palette: bool = True
    guarded: bool = False
    """Whether a press counts only if it was meant for what the screen shows."""
    place: str = ""
    """The screen that it belongs to."""

    @property
    def action(self) -> str:
        """Return the action that Textual runs."""
        return self.does or self.name.replace("-", "_")

    @property
    def shown(self) -> str:
        """Return how the footer writes it."""
        return self.keys_shown if self.shows_all else self.keys_shown.partition(" ")[0]

    @property
    def keys_shown(self) -> str:
        """Return all of its keys as the help writes them."""
        return " ".join(_WRITTEN.get(key, key) for key in self.keys.split(","))

    @property
    def id(self) -> str:
        """Return the id under which the key can be remapped."""
        return f"{self.place}.{self.name}"


def _at(place: str, *keys: Key) -> tuple[Key, ...]:
    return tuple(replace(key, place=place) for key in keys)


def _move(name: str, keys: str, label: str, says: str, does: str) -> Key:
    """Return a key that only moves a cursor: the help alone names it."""
    return Key(name, keys, label, says, does, footer=False, palette=False)


def _cursor(what: str) -> Iterator[Key]:
    """Yield the keys that select another one of what a screen lists, both named in its footer."""
    for name, key, side, by in (("up", "k", "above", -1), ("down", "j", "below", 1)):
        says = f"Select the {what} {side}."
        yield Key(name, f"{name},{key}", name, says, f"select({by})", shows_all=True, palette=False)


_HELP = Key("help", "question_mark,f1", "help", "Show keys, signs and words.")

KEYS: tuple[Key, ...] = (
    # The list of runs.
    *_at(
        "runs",
        Key("open", "enter", "open", "Open the run, to act on it."),
        Key("watch", "w", "watch", "Watch the run without acting on it."),
        Key("start", "n", "new run", "Start a run from a plan file."),
        Key("refresh", "f5", "refresh", "Read the list of runs again."),
        replace(_HELP, says="Show what the keys do."),
        Key("leave", "q", "quit", "Leave blueprime. Nothing is undone.", guarded=True),
    ),
    # A run.
    *_at(
        "run",
        Key(
            "advance",
            "enter",
            "run",
            "Run the step that is ready (never the one merely selected).",
            palette=False,
            guarded=True,
        ),
        Key("retry", "r", "retry", "Try the failed step again.", palette=False, guarded=True),
        Key(
            "branch", "b", "branch", "Show the ways back and the ways on, and what each one costs."
        ),
        Key(
            "repairs",
            "m",
            "repairs",
            "Show the repairs that are offered: what was seen, and what each one runs.",
        ),
        Key("note", "n", "note", "Keep a remark in the journal.", footer=False),
        Key("log", "l", "log", "Show the whole journal of this run."),
        _HELP,
        Key(
            "leave",
            "q",
            "leave",
            "Leave the run. Nothing is undone; what AWS is doing goes on.",
            guarded=True,
        ),
        Key(
            "stop-waiting",
            "x",
            "stop waiting",
            "Stop the wait under way. Waiting only reads; it can be taken up again.",
            footer=False,
        ),
        Key(
            "copy",
            "c",
            "copy",
            "Copy what is shown of the selected step, and save it to a file.",
            footer=False,
        ),
        _move("select-up", "k", "up", "Select the step above, to look at it.", "select(-1)"),
        _move("select-down", "j", "down", "Select the step below, to look at it.", "select(1)"),
        Key("follow", "escape", "follow", "Select the step that is ready again.", footer=False),
        _move("next-pane", "space,tab", "next pane", "Go to the next pane.", "pane(1)"),
        _move(
            "previous-pane", "shift+tab", "previous pane", "Go to the previous pane.", "pane(-1)"
        ),
        Key("pane-1", "1", "checklist", "Show the checklist.", "show('1')", footer=False),
        Key("pane-2", "2", "step", "Show the selected step.", "show('2')", footer=False),
        Key("pane-3", "3", "clusters", "Show the clusters.", "show('3')", footer=False),
        Key("pane-4", "4", "lag", "Show lag and traffic.", "show('4')", footer=False),
        Key("pane-5", "5", "journal", "Show the journal.", "show('5')", footer=False),
    ),
    # Coming back to a run.
    *_at(
        "resume",
        Key("proceed", "enter", "go on", "Go on to the run. This alone performs nothing."),
        Key("adopt", "a", "adopt", "Record that the effect happened, and go on from there."),
        Key(
            "retry",
            "r",
            "retry",
            "Record that it did not happen, so that the step can be run again.",
        ),
        Key("failed", "f", "mark failed", "Record the effect as failed."),
        Key("branch", "b", "branch", "Leave this track for another one."),
        _HELP,
        Key("leave", "q", "leave", "Leave. Nothing is undone.", guarded=True),
        Key("probe", "f5", "look again", "Probe the unknown effects again.", footer=False),
    ),
    # The ways off a track.
    *_at(
        "branch",
        Key("choose", "enter", "choose", "Ask once more, then branch."),
        *_cursor("way"),
        Key("back", "escape,q,b", "back", "Go back; nothing is changed."),
    ),
    # The repairs that are offered.
    *_at(
        "repairs",
        Key("choose", "enter", "perform", "Ask, then perform the repair."),
        *_cursor("repair"),
        Key("look", "f5", "look again", "Look at both sides again."),
        Key("back", "escape,q,m", "back", "Go back to the run."),
    ),
    # The journal.
    *_at(
        "log",
        Key("filter", "slash", "filter", "Show only lines that hold a text."),
        Key("refresh", "f5", "refresh", "Read the journal again."),
        Key("copy", "c", "copy", "Copy the lines shown, and save them."),
        Key("back", "escape,q,l", "back", "Go back to the run."),
    ),
    # The help.
    *_at("help", Key("back", "escape,q,question_mark,f1", "back", "Close the help.")),
)


def at(place: str) -> tuple[Key, ...]:
    """Return the keys of a screen."""
    return tuple(key for key in KEYS if key.place == place)


def bindings(place: str) -> list[Binding | tuple[str, str] | tuple[str, str, str]]:
    """Return the bindings of a screen."""
    return [
        Binding(
            key.keys,
            key.action,
            key.label,
            show=key.footer,
            key_display=key.shown,
            tooltip=key.says,
            id=key.id,
            # A pane that has more than it can show would take the arrows to scroll.
            priority=key.action.startswith("select("),
        )
        for key in at(place)
    ]


def pressed(place: str, key: str) -> Key | None:
    """Return what a pressed key means at a screen, or None."""
    return next((item for item in at(place) if key in item.keys.split(",")), None)
