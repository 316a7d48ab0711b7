"""The one registry of keys: bindings, footer, palette and help are all made from it.

Plain letters and F-keys only: Ctrl chords belong to terminal multiplexers. The palette's own
chord is the exception, and everything in it has a plain key too. What runs a step is not in it: the
palette covers the line that says what would run.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True, slots=True)
class Key:
    """One key at one place."""

    place: str
    """The screen that it belongs to."""
    name: str
    keys: str
    """Textual's names of the keys, with commas."""
    shown: str
    """How the footer and the help write them."""
    action: str
    label: str
    """One or two words for the footer."""
    says: str
    """One sentence for the help, the palette and the tooltip."""
    footer: bool = False
    """At most seven a place: more do not fit into 80 columns."""
    palette: bool = True
    guarded: bool = False
    """Whether a press counts only if it was meant for what the screen shows."""

    @property
    def keys_shown(self) -> str:
        """Return all of its keys as the help writes them."""
        names = {
            "question_mark": "?",
            "f1": "F1",
            "escape": "esc",
            "slash": "/",
            "up": "↑",
            "down": "↓",
            "f5": "F5",
            "shift+tab": "⇧tab",
        }
        return " ".join(names.get(key, key) for key in self.keys.split(","))

    @property
    def id(self) -> str:
        """Return the id under which the key can be remapped."""
        return f"{self.place}.{self.name}"


def _key(
    place: str,
    name: str,
    keys: str,
    shown: str,
    label: str,
    says: str,
    *flags: str,
    action: str = "",
) -> Key:
    return Key(
        place,
        name,
        keys,
        shown,
        action or name.replace("-", "_"),
        label,
        says,
        footer="footer" in flags,
        palette="bare" not in flags,
        guarded="guarded" in flags,
    )


KEYS: tuple[Key, ...] = (
    # The list of runs.
    _key("runs", "open", "enter", "enter", "open", "Open the run, to act on it.", "footer"),
    _key("runs", "watch", "w", "w", "watch", "Watch the run without acting on it.", "footer"),
    _key("runs", "start", "n", "n", "new run", "Start a run from a plan file.", "footer"),
    _key("runs", "refresh", "f5", "F5", "refresh", "Read the list of runs again.", "footer"),
    _key("runs", "help", "question_mark,f1", "?", "help", "Show what the keys do.", "footer"),
    _key(
        "runs",
        "leave",
        "q",
        "q",
        "quit",
        "Leave blueprime. Nothing is undone.",
        "footer",
        "guarded",
    ),
    # A run.
    _key(
        "run",
        "advance",
        "enter",
        "enter",
        "run",
        "Run the step that is ready (never the one merely selected).",
        "footer",
        "guarded",
        "bare",
    ),
    _key(
        "run", "retry", "r", "r", "retry", "Try the failed step again.", "footer", "guarded", "bare"
    ),
    _key(
        "run",
        "branch",
        "b",
        "b",
        "branch",
        "Show the ways back and the ways on, and what each one costs.",
        "footer",
    ),
    _key(
        "run",
        "repairs",
        "m",
        "m",
        "repairs",
        "Show the repairs that are offered: what was seen, and what each one runs.",
        "footer",
    ),
    _key("run", "note", "n", "n", "note", "Keep a remark in the journal."),
    _key("run", "log", "l", "l", "log", "Show the whole journal of this run.", "footer"),
    _key("run", "help", "question_mark,f1", "?", "help", "Show keys, signs and words.", "footer"),
    _key(
        "run",
        "leave",
        "q",
        "q",
        "leave",
        "Leave the run. Nothing is undone; what AWS is doing goes on.",
        "footer",
        "guarded",
    ),
    _key(
        "run",
        "stop-waiting",
        "x",
        "x",
        "stop waiting",
        "Stop the wait under way. Waiting only reads; it can be taken up again.",
    ),
    _key(
        "run",
        "copy",
        "c",
        "c",
        "copy",
        "Copy what is shown of the selected step, and save it to a file.",
    ),
    _key(
        "run",
        "select-up",
        "k",
        "k",
        "up",
        "Select the step above, to look at it.",
        "bare",
        action="select(-1)",
    ),
    _key(
        "run",
        "select-down",
        "j",
        "j",
        "down",
        "Select the step below, to look at it.",
        "bare",
        action="select(1)",
    ),
    _key("run", "follow", "escape", "esc", "follow", "Select the step that is ready again."),
    _key(
        "run",
        "next-pane",
        "space,tab",
        "space",
        "next pane",
        "Go to the next pane.",
        "bare",
        action="pane(1)",
    ),
    _key(
        "run",
        "previous-pane",
        "shift+tab",
        "⇧tab",
        "previous pane",
        "Go to the previous pane.",
        "bare",
        action="pane(-1)",
    ),
    _key("run", "pane-1", "1", "1", "checklist", "Show the checklist.", action="show('1')"),
    _key("run", "pane-2", "2", "2", "step", "Show the selected step.", action="show('2')"),
    _key("run", "pane-3", "3", "3", "clusters", "Show the clusters.", action="show('3')"),
    _key("run", "pane-4", "4", "4", "lag", "Show lag and traffic.", action="show('4')"),
    _key("run", "pane-5", "5", "5", "journal", "Show the journal.", action="show('5')"),
    # Coming back to a run.
    _key(
        "resume",
        "proceed",
        "enter",
        "enter",
        "go on",
        "Go on to the run. This alone performs nothing.",
        "footer",
    ),
    _key(
        "resume",
        "adopt",
        "a",
        "a",
        "adopt",
        "Record that the effect happened, and go on from there.",
        "footer",
    ),
    _key(
        "resume",
        "retry",
        "r",
        "r",
        "retry",
        "Record that it did not happen, so that the step can be run again.",
        "footer",
    ),
    _key("resume", "failed", "f", "f", "mark failed", "Record the effect as failed.", "footer"),
    _key("resume", "branch", "b", "b", "branch", "Leave this track for another one.", "footer"),
    _key(
        "resume", "help", "question_mark,f1", "?", "help", "Show keys, signs and words.", "footer"
    ),
    _key("resume", "leave", "q", "q", "leave", "Leave. Nothing is undone.", "footer", "guarded"),
    _key("resume", "probe", "f5", "F5", "look again", "Probe the unknown effects again."),
    # The ways off a track.
    _key("branch", "choose", "enter", "enter", "choose", "Ask once more, then branch.", "footer"),
    _key(
        "branch",
        "up",
        "up,k",
        "↑ k",
        "up",
        "Select the way above.",
        "footer",
        "bare",
        action="select(-1)",
    ),
    _key(
        "branch",
        "down",
        "down,j",
        "↓ j",
        "down",
        "Select the way below.",
        "footer",
        "bare",
        action="select(1)",
    ),
    _key("branch", "back", "escape,q,b", "esc", "back", "Go back; nothing is changed.", "footer"),
    # The repairs that are offered.
    _key(
        "repairs", "choose", "enter", "enter", "perform", "Ask, then perform the repair.", "footer"
    ),
    _key(
        "repairs",
        "up",
        "up,k",
        "↑ k",
        "up",
        "Select the repair above.",
        "footer",
        "bare",
        action="select(-1)",
    ),
    _key(
        "repairs",
        "down",
        "down,j",
        "↓ j",
        "down",
        "Select the repair below.",
        "footer",
        "bare",
        action="select(1)",
    ),
    _key("repairs", "look", "f5", "F5", "look again", "Look at both sides again.", "footer"),
    _key("repairs", "back", "escape,q,m", "esc", "back", "Go back to the run.", "footer"),
    # The journal.
    _key("log", "filter", "slash", "/", "filter", "Show only lines that hold a text.", "footer"),
    _key("log", "refresh", "f5", "F5", "refresh", "Read the journal again.", "footer"),
    _key("log", "copy", "c", "c", "copy", "Copy the lines shown, and save them.", "footer"),
    _key("log", "back", "escape,q,l", "esc", "back", "Go back to the run.", "footer"),
    # The help.
    _key("help", "back", "escape,q,question_mark,f1", "esc", "back", "Close the help.", "footer"),
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
