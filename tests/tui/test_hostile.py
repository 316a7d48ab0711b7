"""Text from elsewhere stays text: no markup, no control codes, no lines of its own."""

from __future__ import annotations

import pytest

from tests.tui import scenes
from tests.tui.conftest import enter_run, sees, shown, until
from tui import text


async def test_hostile_names_are_shown_as_they_are_and_break_nothing() -> None:
    app = scenes.app(scenes.hostile(), at="k2f9qa")
    async with app.run_test(size=(160, 48), notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("5")
        seen = shown(pilot.app)
        assert "[red]x[/]" in seen
        assert "[blink]no[/blink]" in seen
        assert "\x1b" not in seen
        assert "\x07" not in seen
        assert "‮" not in seen
        await pilot.press("b")
        await pilot.press("escape", "l")
        await sees(pilot, "[blink]no[/blink]", "2 events")
        await pilot.press("escape", "question_mark", "escape", "c", "3", "4", "2", "1")
        await until(pilot, lambda: app.is_running)


@pytest.mark.parametrize(
    ("raw", "shown_as"),
    [
        ("a\nb\tc", r"a b\tc"),
        ("\x1b[31mred", r"\u001b[31mred"),
        ("‮abc", r"\u202eabc"),
        ("zero​width", r"zero\u200bwidth"),
        ("Größe 🦊 שלום", "Größe 🦊 שלום"),
        ("[b]bold[/b]", "[b]bold[/b]"),
        ("\udcff", r"\udcff"),
        ("\U000e0041", r"\udb40\udc41"),
    ],
)
def test_clean(raw: str, shown_as: str) -> None:
    assert text.clean(raw) == shown_as


def test_clean_keeps_lines_only_where_asked() -> None:
    assert text.clean("a\nb\r\nc", lines=True) == "a\nb\nc"
