"""What the app does to the terminal around it: its window's title, its clipboard, a saved copy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from textual import work
from textual.app import App

from state.home import open_private
from tui import text


class Surroundings(App[None]):
    """The part of the app that reaches beyond its own screen."""

    home: Path
    now: Callable[[], datetime]
    _title = ""

    def retitle(self, words: str) -> None:
        """Show the step and its state in the terminal's window title."""
        title = f"{words} · blueprime" if words else "blueprime"
        if title != self._title:
            self._title = title
            self._write_title(title)

    def _write_title(self, title: str | None) -> None:
        """Set the window title; with None, give the terminal its old one back."""
        if self._driver is None or self.is_headless or self.is_web:
            return
        if title is None:
            self._driver.write("\x1b[23;0t")
        else:
            self._driver.write(f"\x1b]2;{text.clean(title)}\x07")

    def copy(self, words: str, name: str) -> None:
        """Copy words to the clipboard of the terminal, and save them, as not every terminal can."""
        self.copy_to_clipboard(words)
        self._save(words, name)

    @work
    async def _save(self, words: str, name: str) -> None:
        path = self.home / "copies" / f"{name}-{self.now():%Y%m%dT%H%M%SZ}.txt"
        try:
            await asyncio.to_thread(_write_private, path, words)
        except OSError as error:
            self.notify(f"Copied; not saved: {error}", severity="warning", markup=False)
        else:
            self.notify(f"Copied, and saved as {path}", markup=False)


def _write_private(path: Path, words: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open_private(path) as file:
        file.write(words)
