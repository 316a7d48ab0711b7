"""A terminal that takes nothing, as under Ctrl-S: the app goes on, and can be left."""

from __future__ import annotations

import os
import pty
import threading
from collections.abc import Iterator
from queue import Queue
from types import SimpleNamespace
from typing import IO, Any, cast

import pytest

from tests.workspace import until
from tui.terminal import LossyFile, SurvivingDriver


@pytest.fixture
def terminal() -> Iterator[tuple[int, IO[str]]]:
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as file:
        yield leader, file
    os.close(leader)


def test_a_write_that_nobody_takes_ends_when_the_terminal_is_given_up(
    terminal: tuple[int, IO[str]],
) -> None:
    lossy = LossyFile(terminal[1])
    writer = threading.Thread(target=lossy.write, args=("x" * 1_000_000,), daemon=True)
    writer.start()
    until(lambda: os.read(terminal[0], 10) == b"x" * 10)
    assert writer.is_alive()
    lossy.lost = True
    writer.join(60)
    assert not writer.is_alive()


def test_what_a_terminal_takes_arrives_whole(terminal: tuple[int, IO[str]]) -> None:
    lossy = LossyFile(terminal[1])
    writer = threading.Thread(target=lossy.write, args=("ü" * 50_000,), daemon=True)
    writer.start()
    got = b""
    while len(got) < 100_000:
        got += os.read(terminal[0], 65536)
    assert got.decode() == "ü" * 50_000
    writer.join(60)


def test_the_app_waits_for_no_room_and_draws_all_anew_once_there_is_some() -> None:
    asked: list[dict[str, Any]] = []
    queue: Queue[str | None] = Queue(2)
    driver = SurvivingDriver.__new__(SurvivingDriver)
    driver._behind = False
    driver._writer_thread = cast(Any, SimpleNamespace(_queue=queue, write=queue.put))
    app = SimpleNamespace(refresh=None, call_later=lambda what, **how: asked.append(how))
    driver._app = cast(Any, app)
    for words in ("a", "b", "lost", "lost too"):
        driver.write(words)
    assert not asked
    assert [queue.get(), queue.get()] == ["a", "b"]
    driver.write("c")
    assert queue.get() == "c"
    assert asked == [{"layout": True}]


def test_the_end_waits_for_no_terminal_that_takes_nothing(
    terminal: tuple[int, IO[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from textual.drivers._writer_thread import WriterThread

    monkeypatch.setattr("tui.terminal.LAST_WORDS_S", 0.3)
    driver = SurvivingDriver.__new__(SurvivingDriver)
    driver._behind = False
    driver._file = LossyFile(terminal[1])
    thread = driver._writer_thread = WriterThread(driver._file)
    thread.start()
    driver.write("x" * 1_000_000)
    driver.close()
    thread.join(60)
    assert not thread.is_alive()
    assert driver._file.lost
