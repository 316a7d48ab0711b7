"""What nobody foresaw is told without what it held in its hands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.secrets.treasure import Treasure, random_word
from tests.tui import scenes

_FAILING = """
import os, sys
from tui.cli import main

@main.command()
def fail():
    raise RuntimeError("could not log in with " + os.environ["ORDERS_PASSWORD"] + "\\x1b[31m")

main()
"""


def _fail(password: str) -> None:
    raise ValueError(f"no such thing{password[:0]}")


async def _crash(secret: str) -> None:
    app = scenes.app(scenes.protected())
    async with app.run_test():
        try:
            _fail(secret)
        except ValueError as error:
            app._handle_exception(error)


async def test_the_app_shows_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    treasure = Treasure({"it": random_word()})
    with pytest.raises(ValueError, match="no such thing"):
        await _crash(treasure.secrets["it"])
    said = "".join(capsys.readouterr())
    assert "ValueError: no such thing" in said
    assert treasure.found_in(said) == set()


def test_the_command_line_masks_the_last_traceback(tmp_path: Path) -> None:
    treasure = Treasure({"it": random_word()})
    done = subprocess.run(
        [sys.executable, "-c", _FAILING, "fail"],
        env={
            **os.environ,
            "BLUEPRIME_HOME": str(tmp_path),
            "ORDERS_PASSWORD": treasure.secrets["it"],
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert r"RuntimeError: could not log in with ***\u001b[31m" in done.stderr
    assert treasure.found_in(done.stdout + done.stderr) == set()
