"""What changes on the screen gets the room that it needs, whatever else is laid out meanwhile."""

from __future__ import annotations

import ast
from pathlib import Path

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll

from tui.widgets.words import Words

TUI = Path(__file__).parents[2] / "tui"


class OneText(App[None]):
    """Words in a frame that scrolls."""

    CSS = "Words { height: auto; } VerticalScroll { height: 4; scrollbar-gutter: stable; }"

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Words("a")


async def test_words_that_change_again_after_a_layout_get_their_room() -> None:
    app = OneText()
    async with app.run_test(size=(20, 10)) as pilot:
        words = app.query_one(Words)
        words.update("a\nb")
        words._check_refresh()  # as the loop does when it is idle: a layout is asked for
        words.update("a\nb\nc\nd\ne")
        app.screen._refresh_layout()  # and comes, before the second change is heard
        words.update("a\nb\nc\nd\ne\nf\ng")
        await pilot.pause()
        assert words.size.height == 7
        assert app.query_one(VerticalScroll).max_scroll_y == 3


def names_from_textual(path: Path) -> set[str]:
    """Return what a module imports of Textual's widgets, however its imports are laid out."""
    return {
        each.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("textual.widgets")
        for each in node.names
    }


def test_all_words_on_the_screen_are_of_this_kind() -> None:
    using = [
        path.relative_to(TUI).as_posix()
        for path in TUI.rglob("*.py")
        if {"Static", "Label"} & names_from_textual(path)
    ]
    assert using == ["widgets/words.py"]
