"""Keys, signs and words, made from the registry and the tables that the screens draw from."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from tui import glyphs, keys, text
from tui.screens.base import KeyedModal
from tui.widgets.keybar import KeyBar
from tui.widgets.pane import Pane, hanging, joined, line

PLACES = {
    "run": "A run",
    "runs": "The list of runs",
    "resume": "Coming back to a run",
    "branch": "The ways off a track",
    "repairs": "The repairs that are offered",
    "log": "The journal",
}

WORDS = (
    ("blue", "the production cluster before the switchover"),
    ("green", "AWS's staging copy on the new version"),
    ("new blue", "green after the switchover: it bears the production name"),
    ("old blue", "the former blue after the switchover, frozen"),
    ("blue prime", "the clone of old blue, kept in step with new blue: the rollback cluster"),
    ("fence", "the state in which no application can write; proved, never assumed"),
    ("capture", "publication and slot made inside the fence; from there nothing is lost"),
    ("protected", "the way held, back or forward again, would lose nothing now"),
    ("pivot", "the switchover: from there on, undo means rollback"),
    ("run", "one upgrade of one cluster, from its plan to its end; it has a short id"),
    ("track", "upgrade, abort, rollback, commit or cleanup: a list of steps"),
    ("step", "one line of the checklist; an attempt is one try of it"),
    ("gate", "a decision that is asked for before a step changes anything"),
    ("branch", "leave the track for another one, with what that loses"),
    ("forward", "to new blue again, after a rollback that was protected in its turn"),
    ("finalize", "the end of that way: the old version serves for good"),
    ("effect", "one change: one API call, one SQL change"),
    ("repair", "a change beside the track, offered by what was seen and performed as any step"),
    ("probe", "a read-only look: has a change happened?"),
    ("bake", "production runs on the new side, and the way back is watched"),
    ("evidence", "what was seen, with the time, kept in the journal"),
)


class HelpPane(Pane):
    """Draws keys, signs and words."""

    def draw(self, cells: int) -> Content:
        return joined(_lines(cells))


class HelpScreen(KeyedModal[None]):
    """Shows what the keys do, what the signs say, and what the words mean."""

    PLACE = "help"
    CSS_PATH = "help.tcss"
    BINDINGS = keys.bindings("help")

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield HelpPane("Help", id="words")
            yield KeyBar("help")

    def on_mount(self) -> None:
        self.query_one(HelpPane).focus()
        self.refresh_keys()

    def action_back(self) -> None:
        """Close the help."""
        self.dismiss(None)


def _lines(cells: int) -> Iterable[Content]:
    for place, heading in PLACES.items():
        yield line((heading, "bold $text-primary"))
        for key in keys.at(place):
            yield from _row(key.keys_shown, "bold $text-accent", key.says, 10, cells)
        yield line()
    yield line(("Everywhere", "bold $text-primary"))
    yield from _row("ctrl+p", "bold $text-accent", "Find any of these in the palette.", 10, cells)
    yield from _row(
        "shift",
        "bold $text-accent",
        "Held while dragging: the terminal's own "
        "selection. Without it, text is selected here and ctrl+c copies it.",
        10,
        cells,
    )
    yield line()
    yield line(("Signs", "bold $text-primary"))
    for heading, marks in _SIGNS:
        yield line((f"  {heading}", "$foreground-muted"))
        for mark in marks:
            yield from _row(f"{mark.glyph} {mark.word}", mark.style, mark.meaning, 15, cells)
    yield from _row(
        f"{glyphs.GAP} gap", "$foreground-muted", "in a row of bars: not known then", 15, cells
    )
    yield from _row(
        "? figure", "bold $text-warning", "not known; never to be read as zero", 15, cells
    )
    yield line()
    yield line(("Words", "bold $text-primary"))
    for word, meaning in WORDS:
        yield from _row(word, "bold", meaning, 15, cells)


_SIGNS = (
    ("steps and effects", tuple(glyphs.STATUS.values())),
    ("what a step can do", tuple(glyphs.RISK.values())),
    ("clusters", glyphs.CLUSTER),
    ("the fence", tuple(glyphs.FENCE.values())),
)


def _row(head: str, style: str, words: str, column: int, cells: int) -> Iterable[Content]:
    head_of_row = line("  ", (text.fit(head, column), style), " ")
    return hanging(head_of_row, words, cells)
