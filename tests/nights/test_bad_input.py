"""Whatever is wrong is one clear message with what to do: nothing changed, no traceback."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.workspace import Workspace
from tui.cli import main


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    home = tmp_path_factory.mktemp("shared") / "home"
    home.mkdir()
    return Workspace(home)


@pytest.fixture(scope="module")
def lab(shared: Workspace) -> object:
    shared.lab()
    yield shared.lab_environment()
    shared.run("lab", "stop")


def said(result: subprocess.CompletedProcess[str], *words: str) -> None:
    text = result.stdout + result.stderr
    assert "Traceback" not in text
    for word in words:
        assert word in text, text


PLAN = ("plan", "orders", "--target-version")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("plan", "nosuch", "--target-version", "18.4"), 3, ("nosuch", "There are: orders")),
        ((*PLAN, "17.99"), 3, ("cannot be upgraded to 17.99", "Valid targets:")),
        ((*PLAN, "18.4", "--region", "eu-west-1"), 3, ("eu-west-1 has no Aurora",)),
        ((*PLAN, "18.4", "--password", "env:NOPE"), 1, ("NOPE", "is not set")),
        ((*PLAN, "18.4", "--password", "hunter2"), 2, ("takes a reference",)),
        (("auto", "nosuch.toml", "--yes"), 2, ("nosuch.toml: cannot be read",)),
    ],
)
def test_what_is_asked_for_is_not_there(
    shared: Workspace,
    lab: dict[str, str],
    arguments: tuple[str, ...],
    code: int,
    words: tuple[str, ...],
) -> None:
    result = shared.run(*arguments, expect=code, env=lab)
    said(result, *words)
    assert "hunter2" not in result.stdout + result.stderr


def test_no_credentials(shared: Workspace, lab: dict[str, str]) -> None:
    keyless = {k: v for k, v in lab.items() if not k.startswith("AWS_") or "REGION" in k}
    said(
        shared.run("plan", "orders", "--target-version", "18.4", expect=1, env=keyless),
        "no AWS credentials",
        "AWS_PROFILE",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("lab", "start", "--pace", "nan"),
        ("lab", "start", "--load", "inf"),
        ("rehearse", "--auto", "--pace", "inf"),
        ("compare", "run1", "--wait", "nan"),
    ],
)
def test_numbers_without_an_end_are_refused(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "is no number with an end" in result.output


def test_a_plan_with_mistakes_names_file_line_and_key(workspace: Workspace) -> None:
    plan = workspace.home / "bad.toml"
    plan.write_text('version = 1\n[cluster]\nidentifer = "orders"\n', encoding="utf-8")
    result = workspace.run("check", str(plan), expect=2)
    said(result, f"{plan}:3: cluster.identifer: is no key of a plan")
    said(result, f"{plan}:2: cluster.identifier: is missing")


def test_a_block_is_repaired_in_the_plan_and_the_run_goes_on(
    shared: Workspace, lab: dict[str, str], tmp_path: Path
) -> None:
    plan = tmp_path / "plan.toml"
    shared.run("plan", "orders", "--target-version", "18.4", "--output", str(plan), env=lab)
    said(shared.run("check", str(plan), expect=3, env=lab), "block", "materialized_views")
    run = shared.last_line("auto", str(plan), "--yes", "--json", expect=3, env=lab)
    assert run["result"] == "failed"
    held = plan.read_text(encoding="utf-8")
    accepted = re.sub(
        r"^acknowledge = .*?\]$",
        'acknowledge = ["sequences", "materialized_views"]',
        held,
        flags=re.MULTILINE | re.DOTALL,
    )
    assert accepted != held
    plan.write_text(accepted, encoding="utf-8")
    checked = shared.run("check", str(plan), env=lab)
    said(checked, "4 warnings are not acknowledged", '"schema.partitions:orders/partitions",')
    partitions = accepted.replace(
        '["sequences",',
        '["schema.partitions", "cluster.target:18.4", "cluster.not-copied", "sequences",',
    )
    plan.write_text(partitions, encoding="utf-8")
    assert "not acknowledged" not in shared.run("check", str(plan), env=lab).stdout
    plan.write_text(accepted, encoding="utf-8")
    went_on = shared.last_line("auto", run["run"], "--until", "preflight", "--yes", "--json")
    assert {s["step"]: s["status"] for s in went_on["steps"]}["preflight"] == "succeeded"
    told = shared.run("auto", run["run"], "--track", "abort", "--yes", "--json").stdout.splitlines()
    assert "opened by" in told[0], "what was done before is not told again"
    assert json.loads(told[-1])["result"] == "aborted"


def test_a_journal_that_another_process_holds_and_then_a_lab_that_is_gone(
    workspace: Workspace,
) -> None:
    workspace.lab()
    plan = workspace.plan()
    env = workspace.lab_environment()
    first = workspace.start("auto", str(plan), "--until", "await-green", "--yes", env=env)
    assert first.stdout is not None
    while "create-deployment" not in first.stdout.readline():
        assert first.poll() is None
    first.send_signal(signal.SIGSTOP)  # it stands still, and lives
    said(workspace.run("auto", str(plan), "--yes", expect=1, env=env), "held", str(first.pid))
    first.kill()
    first.communicate()

    workspace.run("lab", "stop")
    run = workspace.json("runs", "--json")[0]["run"]
    said(workspace.run("auto", run, "--yes", expect=1), "There is no lab", "lab start")
    said(workspace.run("check", str(plan), expect=4, env=env), "Nobody answers at")


def test_what_the_lab_s_environment_is_printed_as_sets_it(
    shared: Workspace, lab: dict[str, str]
) -> None:
    printed = shared.run("lab", "env").stdout
    shell = subprocess.run(
        ["sh", "-c", f"{printed}\nexec env -0"], capture_output=True, text=True, check=True, env={}
    )
    found = dict(line.split("=", 1) for line in shell.stdout.split("\0") if line)
    assert {name: found.get(name) for name in lab} == lab


def test_the_shell_s_aws_and_psql_mean_the_lab(
    shared: Workspace, lab: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 1 of the AWS CLI takes no variable for RDS, and not every machine has a psql."""
    (tmp_path / "aws").write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    (tmp_path / "aws").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    printed = shared.run("lab", "env").stdout
    shell = subprocess.run(
        ["/bin/sh", "-c", f"{printed}\naws rds help\npsql -AtX -c 'SELECT 1 + 1'"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": str(tmp_path)},
    )
    assert shell.stdout.splitlines() == [f"--endpoint-url={lab['AWS_ENDPOINT_URL']} rds help", "2"]


def test_a_workspace_that_is_no_folder(tmp_path: Path) -> None:
    home = tmp_path / "a-file"
    home.write_text("", encoding="utf-8")
    said(Workspace(home).run("runs", expect=None), "a-file")
    said(Workspace(home).run("rehearse", "--auto", expect=1), "a-file")


def test_no_such_run(workspace: Workspace) -> None:
    said(workspace.run("show", "nosuch", expect=1), "No run was started in this workspace")
    lost = workspace.run("auto", "nosuch", "--yes", expect=1)
    said(lost, "its journal is lost", "blueprime adopt CLUSTER")
    assert not (workspace.home / "journal.db").exists(), "an empty one would hide the loss"
