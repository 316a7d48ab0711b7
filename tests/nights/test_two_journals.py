"""Two machines with a journal of one run: the one that was left behind changes nothing."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from runbook.ownership.holder import HOLDER_TAG
from tests.nights.test_ways_back import lead_by_command
from tests.workspace import Workspace

BLOCKED = 3


@dataclass
class Pair:
    """Home A, which runs the lab, and home B on another machine."""

    a: Workspace
    b: Workspace
    plan: Path
    env: Mapping[str, str]
    run: str = ""

    @classmethod
    def with_a_lab(cls, workspace: Workspace, tmp_path: Path, *, command: bool) -> Pair:
        workspace.lab()
        plan = workspace.plan()
        if command:
            lead_by_command(workspace, plan)
        workspace.run("lab", "traffic", "start")
        other = tmp_path / "b"
        other.mkdir(mode=0o700)
        env = workspace.lab_environment()
        # Each machine has a workspace of its own.
        del env["BLUEPRIME_HOME"]
        return cls(workspace, Workspace(other), plan, env)

    def auto(self, home: Workspace, *options: str, expect: int = 0) -> dict[str, Any]:
        what = self.run or str(self.plan)
        found = home.last_line(
            "auto", what, *options, "--yes", "--json", env=self.env, expect=expect
        )
        self.run = self.run or found["run"]
        return found

    def copied(self, source: Workspace, target: Workspace) -> None:
        """Copy a journal as somebody would who does not know better."""
        for old in target.home.glob("journal.db*"):
            old.unlink()
        for path in source.home.glob("journal.db*"):
            if path.is_file() and not path.name.endswith(".lock"):
                shutil.copy(path, target.home / path.name)

    def kept(self, name: str) -> Workspace:
        """Return a workspace with A's journal as it is now."""
        folder = self.a.home.parent / name
        folder.mkdir(mode=0o700)
        found = Workspace(folder)
        self.copied(self.a, found)
        return found

    def refused(self, home: Workspace, *options: str) -> str:
        """Return the words with which a machine that was left behind is stopped."""
        before = self.changes()
        ended = home.run("auto", self.run, *options, "--yes", env=self.env, expect=BLOCKED)
        assert self.changes() == before, "nothing was changed"
        return ended.stdout + ended.stderr

    def changes(self) -> list[Any]:
        return list(self.a.json("lab", "calls", "--json"))

    def nothing_lost(self) -> None:
        verdict = self.a.ledger()
        assert verdict["acknowledged"] > 0
        assert (verdict["missing"], verdict["mismatched"]) == (0, 0)


def take_the_marks_away(env: Mapping[str, str]) -> None:
    """Do what a tool that owns the tags does: the mark in AWS is gone."""
    rds = boto3.client(
        "rds",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    for cluster in rds.describe_db_clusters()["DBClusters"]:
        arn = cluster["DBClusterArn"]
        rds.remove_tags_from_resource(ResourceName=arn, TagKeys=[HOLDER_TAG])


LONG = pytest.mark.chaos
"""Left to `make chaos`: `tests/operator/test_full_disk.py` puts a backup back each time, and
`tests/recovery/test_left_behind.py` ends with a journal from before the way forward."""


@pytest.mark.parametrize(
    "marked",
    [pytest.param(True, id="marked", marks=LONG), pytest.param(False, id="marks taken away")],
)
def test_a_commit_by_the_journal_that_was_left_behind_deletes_nothing_that_serves(
    workspace: Workspace, tmp_path: Path, marked: bool
) -> None:
    """Endpoint by a command: no name tells who serves. B adopts and rolls back; then A commits."""
    pair = Pair.with_a_lab(workspace, tmp_path, command=True)
    assert pair.auto(pair.a)["result"] == "protected"
    adopt = ("adopt", "orders", "--plan", str(pair.plan), "--yes")
    pair.b.run(*adopt, env=pair.env)
    assert pair.auto(pair.b, "--track", "rollback")["result"] == "rolled_back"
    if not marked:
        take_the_marks_away(pair.env)
    words = pair.refused(pair.a, "--track", "commit")
    assert "blueprime adopt orders" in words
    if marked:
        assert re.search(
            rf"is out of date: run {pair.run} is held by \S+ on \S+, number \d+", words
        )
    else:
        assert "(new blue): by the journal it serves the applications" in words
        assert "(blue prime): by the journal it is closed to the applications" in words
    pair.nothing_lost()


@LONG
@pytest.mark.parametrize("marked", [True, False], ids=["marked", "marks taken away"])
def test_a_backup_from_before_the_rollback_that_is_put_back_changes_nothing(
    workspace: Workspace, tmp_path: Path, marked: bool
) -> None:
    pair = Pair.with_a_lab(workspace, tmp_path, command=False)
    pair.auto(pair.a)
    before = pair.kept("before")
    pair.auto(pair.a, "--track", "rollback")
    pair.copied(before, pair.a)
    if not marked:
        take_the_marks_away(pair.env)
    assert "blueprime adopt orders" in pair.refused(pair.a, "--track", "commit")
    (offer,) = json.loads(pair.a.run("repair", pair.run, "--json", env=pair.env).stdout)
    assert (offer["key"], offer["by_hand"]) == ("", "blueprime adopt orders")
    pair.nothing_lost()


@LONG
def test_a_copy_from_before_the_way_forward_drops_none_of_its_slots(
    workspace: Workspace, tmp_path: Path
) -> None:
    pair = Pair.with_a_lab(workspace, tmp_path, command=False)
    pair.auto(pair.a, "--track", "rollback")
    pair.copied(pair.a, pair.b)
    pair.auto(pair.a, "--track", "forward")
    for marked in (True, False):
        if not marked:
            take_the_marks_away(pair.env)
        pair.refused(pair.b, "--track", "finalize")
    shown = pair.a.json("show", pair.run, "--json")
    assert shown["way_back"] == "roll back to blue prime, nothing is lost"
    pair.nothing_lost()
