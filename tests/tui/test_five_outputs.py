"""One night, walked step by step: screen, `show`, `watch`, report and exit line say the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from runbook.protection.dashboard import Dashboard, from_json
from tests.tui.conftest import enter_run, sees, settled, shown, until
from tests.tui.fake import now as frozen
from tests.workspace import Workspace
from tui.app import BlueprimeApp, RunSource
from tui.cli import open as opening
from tui.screens.run import RunScreen
from tui.widgets.header import RunHeader, downtime

UPGRADE = ("validate-green", "create-slots", "bake")
ROLLBACK = ("compare", "verify-end")

WORD = {True: "yes", False: "no", None: "?"}


TELL = """
import json, sys
from runbook.run.session import Session
from state.report import report
from tui.cli.listing import show_json, show_text, stands
from tui.cli.workspace import read_journal
run = sys.argv[1]
told = {"show": show_json(run), "words": show_text(run)}
with read_journal() as journal:
    told["watch"] = Session.open(journal, run).dashboard().as_json()
    for form in ("md", "json"):
        told[form] = report(journal, run, form, stands=stands(run))
print(json.dumps(told))
"""
"""What four commands print, in one process of their own: each would take a second to start."""


def told_by_commands(workspace: Workspace, run: str) -> dict[str, Any]:
    """Return what `show`, `show --json`, `watch --json` and `report` say of a run."""
    command = [sys.executable, "-c", TELL, run]
    env = {**workspace.environment, **workspace.lab_environment()}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def same(step: str, figures: Mapping[str, Any]) -> None:
    """Hold what several outputs say of one thing against each other."""
    first = next(iter(figures.values()))
    assert all(each == first for each in figures.values()), f"after {step}: {figures}"


def ended(dashboard: Dashboard) -> tuple[datetime | None, datetime | None]:
    return dashboard.downtime.started_at, dashboard.downtime.ended_at


async def on_screen(workspace: Workspace, run: str) -> tuple[str, Dashboard, str, int]:
    """Return what a second operator sees: text, figures, the way back, and how much was decided."""
    doors = opening.Workspace()
    app = BlueprimeApp(
        RunSource(opening.list_runs, doors.open_run, doors.start_run),
        home=workspace.home,
        at=run,
        watch=True,
    )
    try:
        async with app.run_test(size=(160, 48)) as pilot:
            screen: RunScreen = await enter_run(pilot)
            await settled(pilot)
            assert screen.picture is not None
            await until(pilot, lambda: screen._ways is not None)
            assert screen._ways is not None
            dashboard = screen.picture.dashboard
            header = screen.query_one(RunHeader)
            clock, _ = downtime(dashboard.downtime, header.now or frozen())
            await sees(pilot, clock.split(" 00:")[0])
            here = screen._ways[1][0].here
            decided = len(screen.model.decisions())
            text = shown(app)
            app.leave()
            await until(pilot, lambda: app.return_code is not None, "left")
            return text, dashboard, here, decided
    finally:
        doors.close()


async def agree(workspace: Workspace, step: str, line: dict[str, Any]) -> None:
    run = line["run"]
    said = told_by_commands(workspace, run)
    listed, words, page = said["show"], said["words"], said["md"]
    told, script = json.loads(said["json"]), from_json(said["watch"])
    text, seen, here, decided = await on_screen(workspace, run)
    dashboard = from_json(listed["board"])

    same(
        step,
        {
            "exit line": line["way_back"],
            "show --json": listed["way_back"],
            "report": told["stands"]["way_back"],
            "screen": here,
        },
    )
    assert f": {listed['way_back']}\n" in words, words
    assert listed["way_back"].split(":")[0] in page

    # Nobody watches any more: what was said last is said of then, by everybody.
    verdicts = [each.protection for each in (dashboard, script, seen)]
    same(
        step,
        {
            "exit line": line["protection"]["protected"],
            "show --json": verdicts[0].before,
            "watch": verdicts[1].before,
            "screen": verdicts[2].before,
            "report": told["stands"]["protection"]["before"],
        },
    )
    assert [each.protected for each in verdicts] == [None] * 3
    same(step, {"exit line": line["protection"]["text"], "show": dashboard.protection.text})
    same(step, {"show": dashboard.protection.text, "watch": script.protection.text})
    assert f": {WORD[line['protection']['protected']]} ({dashboard.protection.text})" in words
    assert dashboard.protection.text.split("`")[0] in page.replace("\\", "")
    assert "PROTECTION UNKNOWN" in text
    assert " PROTECTED" not in text.replace("NOT PROTECTED", "")

    _agree_on_outages(step, line, told, dashboard, words, text)
    same(step, {"show": ended(dashboard), "watch": ended(script), "screen": ended(seen)})
    same(step, {"show": dashboard.lags, "watch": script.lags, "screen": seen.lags})
    same(step, {"show": dashboard.traffic, "watch": script.traffic, "screen": seen.traffic})
    same(step, {"report": len(told["decisions"]), "screen": decided})
    assert page.count("| yes |") + page.count("| orders |") >= decided


def _agree_on_outages(
    step: str,
    line: dict[str, Any],
    told: dict[str, Any],
    dashboard: Dashboard,
    words: str,
    text: str,
) -> None:
    down = dashboard.downtime.started_at is not None and dashboard.downtime.ended_at is None
    same(
        step,
        {
            "clock": down,
            "show": "APPLICATIONS DOWN since" in words,
            "screen": "APPLICATIONS DOWN" in text,
        },
    )
    for phase, fact in told["downtime"].items():
        assert line["downtime_s"].get(phase) == (fact and round(fact["seconds"], 3)), (step, phase)
    latest = told["outages"][-1] if told["outages"] else None
    if not down and latest is not None:
        assert dashboard.downtime.ended_at == datetime.fromisoformat(latest["ended_at"])
        assert dashboard.downtime.started_at == datetime.fromisoformat(latest["started_at"])


async def go_on(night: Workspace, what: str, step: str, *options: str) -> dict[str, Any]:
    """Go on until after a step, and hold the outputs against each other there."""
    env = night.lab_environment()
    line = night.last_line("auto", what, *options, "--until", step, "--yes", "--json", env=env)
    await agree(night, step, line)
    return line


async def test_five_outputs_say_the_same_on_the_way_up(night: Workspace) -> None:
    line = await go_on(night, str(night.home / "plan.toml"), UPGRADE[0])
    for step in UPGRADE[1:]:
        line = await go_on(night, line["run"], step)
    assert line["result"] == "protected"


@pytest.mark.chaos
async def test_five_outputs_say_the_same_on_the_way_back(night: Workspace) -> None:
    line = await go_on(night, str(night.home / "plan.toml"), UPGRADE[-1])
    for step in ROLLBACK:
        line = await go_on(night, line["run"], step, "--track", "rollback")
    assert line["result"] == "rolled_back"
    assert night.ledger()["missing"] == 0
