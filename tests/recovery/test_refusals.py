"""Where nothing can be adopted, or nothing surely: words, and nothing written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from runbook import recovery
from runbook.aws import Aws
from runbook.aws.errors import AwsError
from runbook.failures import Refused, StepFailed
from runbook.plan.model import Plan
from runbook.preflight import plans
from tests.recovery.lost import adopt, lose_journal
from tests.workspace import Workspace


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Lend a workspace whose lab has a run with a parameter group, and no journal any more."""
    home = tmp_path_factory.mktemp("stood") / "home"
    home.mkdir()
    workspace = Workspace(home)
    workspace.lab()
    plan = workspace.plan()
    env = workspace.lab_environment()
    workspace.run("auto", str(plan), "--until", "prepare-parameters", "--yes", env=env)
    lose_journal(workspace)
    yield workspace
    workspace.run("lab", "stop")


@pytest.fixture(scope="module")
def lab_env(stood: Workspace) -> dict[str, str]:
    return stood.lab_environment()


@pytest.fixture
def env(lab_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, value in lab_env.items():
        monkeypatch.setenv(name, value)
    return lab_env


def plan_of(workspace: Workspace, folder: Path, **changed: str) -> Plan:
    """Return the run's plan, with some of its lines changed."""
    lines = (workspace.home / "plan.toml").read_text(encoding="utf-8").splitlines()
    for key, value in changed.items():
        assert any(line.startswith(f"{key} =") for line in lines)
        lines = [f'{key} = "{value}"' if line.startswith(f"{key} =") else line for line in lines]
    path = folder / "changed.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return plans.load(path)


async def look(production: str, plan: Plan, run: str = "") -> object:
    return await recovery.look(Aws(os.environ["AWS_REGION"]), production, plan=plan, run=run)


async def test_a_run_that_left_no_trace(
    stood: Workspace, env: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="No trace of run nosuch is found on orders"):
        await look("orders", plan_of(stood, tmp_path), run="nosuch")


async def test_a_cluster_without_traces(
    stood: Workspace, env: dict[str, str], tmp_path: Path
) -> None:
    plan = plan_of(stood, tmp_path, identifier="billing")
    with pytest.raises(Refused, match=r"No trace of any run is found on billing.* orders\."):
        await look("billing", plan)


async def test_a_plan_of_another_cluster(
    stood: Workspace, env: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="The plan is for orders, not for billing"):
        await look("billing", plan_of(stood, tmp_path))


async def test_a_plan_of_another_account(
    stood: Workspace, env: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="the plan to 999999999999"):
        await look("orders", plan_of(stood, tmp_path, account="999999999999"))


async def test_a_plan_of_another_resource_id(
    stood: Workspace, env: dict[str, str], tmp_path: Path
) -> None:
    plan = plan_of(stood, tmp_path, resource_id="cluster-OTHER")
    with pytest.raises(Refused, match="name different clusters as the upgraded one"):
        await look("orders", plan)


async def test_no_credentials_of_aws(
    stood: Workspace, env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AwsError, match="no AWS credentials"):
        await look("orders", plan_of(stood, tmp_path))


async def test_no_access_to_the_databases(
    stood: Workspace, env: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(StepFailed, match="Cannot connect") as failed:
        await look("orders", plan_of(stood, tmp_path, user="nobody_at_all"))
    assert "no run was adopted" in failed.value.now


def test_a_run_of_this_machine_that_has_changed_nothing_is_closed_for_it(
    stood: Workspace, env: dict[str, str]
) -> None:
    plan = str(stood.home / "plan.toml")
    stood.run("auto", plan, "--until", "identify", "--yes", env=env)
    (own,) = stood.json("runs", "--json")
    told = adopt(stood, "--plan", plan, env=env)
    assert (told["closed"], told["rebased"]) == (own["run"], False)
    listed = {row["run"]: row["open"] for row in stood.json("runs", "--json")}
    assert listed == {own["run"]: False, told["run"]: True}
    report = stood.run("report", own["run"]).stdout
    assert f"it has changed nothing; run {told['run']} of the same cluster is adopted" in report
    lose_journal(stood)


def test_two_runs_a_no_and_a_run_that_is_here_already(
    stood: Workspace, env: dict[str, str]
) -> None:
    by_plan = ("orders", "--plan", str(stood.home / "plan.toml"))
    asked = stood.run("adopt", *by_plan, env=env, expect=None)
    assert "Goes on at: prepare-parameters" in asked.stdout
    assert asked.returncode != 0
    blue = plans.load(stood.home / "plan.toml").cluster.resource_id
    rds(env).create_db_cluster_parameter_group(
        DBClusterParameterGroupName="bp-z9y8x7-pg",
        DBParameterGroupFamily="aurora-postgresql18",
        Description="of another run",
        Tags=[
            {"Key": "blueprime:run", "Value": "z9y8x7"},
            {"Key": "blueprime:cluster", "Value": blue},
        ],
    )
    several = stood.run("adopt", *by_plan, "--yes", env=env, expect=2)
    assert "2 runs have left traces" in several.stderr
    assert "z9y8x7" in several.stderr
    chosen = (*by_plan, "--run", "z9y8x7", "--yes", "--json")
    assert json.loads(stood.run("adopt", *chosen, env=env).stdout)["run"] == "z9y8x7"
    again = stood.run("adopt", *chosen, expect=1, env=env)
    assert "Run z9y8x7 is in this journal (open)" in again.stderr
    assert [row["run"] for row in stood.json("runs", "--json")] == ["z9y8x7"]


def rds(env: dict[str, str]) -> Any:
    connect: Any = boto3.client
    return connect(
        "rds",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
