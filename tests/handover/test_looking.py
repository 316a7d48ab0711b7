"""The side that gave a run away opens it, looks at it, watches it, and can do nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook.base.step import Gate
from runbook.run.branches import Branch
from runbook.run.session import Session
from state.enums import Track
from state.errors import HandedOver
from state.journal import Journal
from tests.handover.test_files import begun
from tests.workspace import Workspace
from tui.next_action import Standing, press


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Journal]:
    machine = Workspace(tmp_path / "here")
    begun(machine)
    with Journal.open(machine.home / "journal.db") as journal:
        journal.publish("k2f9qa", {"at": None})
        journal.give("k2f9qa", to="b\x1ben")
        yield journal


async def yes(gate: Gate) -> str:
    return gate.must_type or "yes"


async def test_it_opens_read_only_and_refuses_every_act(away: Journal) -> None:
    before = away.events("k2f9qa", limit=-1)
    session = Session.open(away, "k2f9qa")
    assert not session.writable
    await session.start_watching()
    (unknown,) = session.checklist().line("preflight").attempt.effects  # type: ignore[union-attr]
    branch = Branch(Track.ABORT, "", "abort", "", "", True, "", ())
    with pytest.raises(HandedOver):
        await session.advance("preflight", yes)
    with pytest.raises(HandedOver):
        await session.resolve(unknown.id, "adopt", "it is there")
    with pytest.raises(HandedOver):
        await session.branch(branch, "tired")
    with pytest.raises(HandedOver):
        session.note("a word")
    session.cancel_wait()
    await session.close()
    assert away.events("k2f9qa", limit=-1) == before


def test_the_app_says_to_whom_it_went(away: Journal) -> None:
    session = Session.open(away, "k2f9qa")
    said = press(session.checklist(), Standing(), writable=False, holder=None)
    assert not said.acts
    assert "watching only: this run was handed over to b" in said.then
    assert "what was known here then" in said.then
    assert "\x1b" not in said.then


@pytest.mark.parametrize("history", [False, True])
def test_a_watcher_sees_what_was_known_and_says_so(
    away: Journal,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    history: bool,
) -> None:
    import asyncio

    from tui.cli import watching

    class Enough(Exception):
        pass

    async def no_more(seconds: float) -> None:
        raise Enough

    monkeypatch.setenv("BLUEPRIME_HOME", str(away.path.parent))
    monkeypatch.setattr(watching.asyncio, "sleep", no_more)
    with pytest.raises(Enough):
        asyncio.run(watching.watch_json("k2f9qa", history=history))
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in capsys.readouterr().out.splitlines()
    ]
    stands, *rest = lines
    assert stands["kind"] == "stands"
    assert stands["handed_over"]["at"]
    events = [line for line in rest if line["kind"] not in ("handed_over", "board", "holder")]
    assert [line["kind"] for line in events][-1:] == (["handover"] if history else [])
    assert [line["board"]["at"] for line in lines if line["kind"] == "board"] == [None]
