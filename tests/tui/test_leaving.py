"""Leaving: nothing is undone, the effect in flight settles, and the terminal comes back."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.tui import scenes
from tests.tui.conftest import DEADLINE_S, enter_run, sees, until

WIDE = (160, 48)


async def test_leaving_says_what_goes_on_and_how_to_come_back() -> None:
    model = scenes.protected()
    app = scenes.app(model, at="k2f9qa")
    async with app.run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.press("q")
        await until(pilot, lambda: app.return_code is not None)
    assert app.return_code == 0
    assert model.closed
    assert "Nothing was undone" in app.goodbye
    assert "blue prime bp-k2f9qa-prime (available)" in app.goodbye
    assert "2 replication slots" in app.goodbye
    assert app.goodbye.endswith("To come back: blueprime resume k2f9qa")


async def test_who_only_watched_is_not_led_to_act() -> None:
    model = scenes.protected()
    model.writable, model.holder = False, scenes.HOLDER
    app = scenes.app(model, at="k2f9qa")
    async with app.run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.press("q")
        await until(pilot, lambda: app.return_code is not None)
    assert app.goodbye.endswith("To come back: blueprime watch k2f9qa")


async def test_leaving_waits_for_the_step_in_flight() -> None:
    model = scenes.protected()
    model.hold = True
    app = scenes.app(model, at="k2f9qa")
    async with app.run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.press("enter")
        await sees(pilot, "bake is running")
        await pilot.press("q")
        await sees(pilot, "bake is running. The change in flight ends first")
        assert app.return_code is None
        await pilot.click("#yes")
        await until(pilot, lambda: app.return_code is not None)
    assert model.closed
    assert model.tried["bake"].status.done, "the step came to its end"
    assert "Under way when you left: bake." in app.goodbye


async def test_leaving_declines_a_gate_that_is_asked() -> None:
    model = scenes.before_switchover()
    app = scenes.app(model, at="k2f9qa")
    async with app.run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.press("enter")
        await sees(pilot, "type orders here")
        app.leave()
        await until(pilot, lambda: app.return_code is not None)
    assert model.answers == [None]
    assert "switchover" not in model.tried


async def test_a_small_terminal_covers_everything_until_it_grows() -> None:
    model = scenes.protected()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.resize_terminal(79, 24)
        await sees(pilot, "This terminal has 79×24 cells.", "blueprime needs 80×24.")
        await pilot.press("enter")
        assert not model.called("advance")
        await pilot.resize_terminal(80, 24)
        await sees(pilot, "enter: run bake")


_CHILD = """
import errno, json, os, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.tui import scenes
from tui import pressing
from tui.cli.open import run_until_left
pressing.BURST_S = pressing.REACTION_S = 0.0
if {fails}:
    read = os.read
    def failing(number, size):
        if got := read(number, size):
            return got
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    os.read = failing
model = scenes.protected()
model.hold = {hold}
code = run_until_left(scenes.app(model, at="k2f9qa"))
bake = model.tried.get("bake")
told = dict(closed=model.closed, bake=bake and bake.status.value)
Path({told!r}).write_text(json.dumps(told))
sys.exit(code)
"""


def script(told: Path, *, hold: bool = False, fails: bool = False) -> list[str]:
    """Return the command of the app in a process; what it leaves in `told`, `child` says."""
    code = _CHILD.format(root=os.getcwd(), hold=hold, fails=fails, told=str(told))
    return [sys.executable, "-c", code]


@contextmanager
def child(
    told: Path, *, hold: bool = False, fails: bool = False
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run the app in a terminal of its own; it is ended with the test.

    It leaves in a file whether the run was closed and how its step ended. With `fails` the end of
    its input is an error, as Linux has it between the closing of the other side and the hang-up.
    """
    leader, follower = pty.openpty()
    os.set_blocking(leader, False)
    process = subprocess.Popen(
        script(told, hold=hold, fails=fails),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
        close_fds=True,
    )
    os.close(follower)
    try:
        yield process, leader
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(leader)


def read_until(leader: int, wanted: bytes, limit_s: float = DEADLINE_S) -> bytes:
    """Return what the terminal got, once it holds some bytes."""
    got = b""
    limit = time.monotonic() + limit_s
    while wanted not in got:
        left = limit - time.monotonic()
        assert left > 0, f"never came: {wanted!r} in {got[-2000:]!r}"
        readable, _, _ = select.select([leader], [], [], min(left, 0.5))
        if readable:
            got += os.read(leader, 65536)
    return got


def drain(leader: int, process: subprocess.Popen[bytes]) -> bytes:
    """Return the rest of what the terminal got, until the process has ended."""
    got = b""
    limit = time.monotonic() + DEADLINE_S
    while time.monotonic() < limit:
        readable, _, _ = select.select([leader], [], [], 0.2)
        try:
            got += os.read(leader, 65536) if readable else b""
        except OSError:
            break
        if not readable and process.poll() is not None:
            break
    return got


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_cleanly_and_gives_the_terminal_back(
    number: signal.Signals, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    with child(told) as (process, leader):
        read_until(leader, b"No effect is unknown")
        process.send_signal(number)
        rest = drain(leader, process)
        assert process.wait(DEADLINE_S) == 0
    assert b"\x1b[?1049l" in rest, "the alternate screen was left"
    assert b"\x1b[?25h" in rest, "the cursor is back"
    assert b"blueprime resume k2f9qa" in rest
    assert json.loads(told.read_text())["closed"]


@pytest.mark.parametrize("fails", [False, True], ids=["ends", "fails"])
def test_a_lost_terminal_ends_the_process_by_itself(fails: bool, tmp_path: Path) -> None:
    told = tmp_path / "told"
    with child(told, fails=fails) as (process, leader):
        read_until(leader, b"No effect is unknown")
        copy = os.dup(leader)
        os.close(leader)
        try:
            os.close(copy)
            assert process.wait(DEADLINE_S) == 0, "ended by itself, not by a signal"
        finally:
            os.dup2(os.open(os.devnull, os.O_RDWR), leader)
    assert json.loads(told.read_text())["closed"]


def test_a_hung_up_terminal_lets_the_step_in_flight_settle(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with child(told, hold=True) as (process, leader):
        read_until(leader, b"No effect is unknown")
        os.write(leader, b"\r")
        read_until(leader, b"only looks")
        os.write(leader, b"\r")
        read_until(leader, b"is running")
        os.close(leader)
        try:
            assert process.wait(DEADLINE_S) == 0
        finally:
            os.dup2(os.open(os.devnull, os.O_RDWR), leader)
    assert json.loads(told.read_text()) == {"closed": True, "bake": "succeeded"}
