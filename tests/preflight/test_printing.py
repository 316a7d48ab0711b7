"""What `blueprime check` prints: why once, the objects bounded, and all of them as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from runbook import preflight
from runbook.preflight import Level, Result, plans
from tests.preflight.conftest import Site
from tui.cli.checking import SHOWN, check_plan

ONE = Result(
    "schema.identity", "schema", Level.BLOCK, "db/public.t0", "no key.", "UPDATE fails.", "add one",
    survives="it stays so",
)  # fmt: skip
MANY = [replace(ONE, subject=f"db/public.t{number}") for number in range(483)]
ASKING = [
    replace(ONE, key="schema.partitions", level=Level.WARN, subject=f"db/p{number}", survives="")
    for number in range(40)
]
GOOD = Result("account.identity", "account", Level.PASS, "4711", "ok")


async def _printed(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    results: list[Result],
    *,
    as_json: bool = False,
) -> str:
    async def run(context: object) -> list[Result]:
        return results

    monkeypatch.setattr(preflight, "run", run)
    monkeypatch.setattr(plans, "load", lambda path: site.plan)
    await check_plan(Path("plan.toml"), as_json=as_json)
    return capsys.readouterr().out


async def test_many_blocks_of_one_check_are_told_once_and_bounded(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = await _printed(site, monkeypatch, capsys, [GOOD, *MANY, *ASKING])
    assert said.count("UPDATE fails.") == 2
    assert said.count("db/public.t") == SHOWN
    assert f"and {483 - SHOWN} more" in said
    assert len(said.splitlines()) < 100
    assert '"schema.partitions",' in said
    assert "483 block" in said
    rows = json.loads(await _printed(site, monkeypatch, capsys, MANY, as_json=True))
    assert [row["subject"] for row in rows] == [result.subject for result in MANY]


async def test_a_single_result_stands_on_its_own_line(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = await _printed(site, monkeypatch, capsys, [ONE, GOOD])
    assert said.splitlines()[:4] == [
        "✗ block   db/public.t0: no key.",
        "          why: UPDATE fails.",
        "          do:  add one",
        "          or:  waive schema.identity in the plan: it stays so",
    ]
