"""Killed in the middle of a step: opened again, the truth is shown, and nothing is done twice."""

from __future__ import annotations

import sqlite3
from typing import Any

import boto3
import pytest

from tests.workspace import Workspace, until


def rows(workspace: Workspace, query: str) -> list[tuple[Any, ...]]:
    journal = workspace.home / "journal.db"
    if not journal.exists():
        return []
    connection = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


def deployments_made(workspace: Workspace) -> int:
    """Return how many deployments AWS says that it has completed."""
    environment = workspace.lab_environment()
    connect: Any = boto3.client
    client = connect(
        "rds",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    events = client.describe_events(SourceType="blue-green-deployment")["Events"]
    return sum("deployment tasks completed" in event["Message"] for event in events)


@pytest.mark.chaos
def test_killed_with_an_intent_on_disk_and_gone_on_with(workspace: Workspace) -> None:
    workspace.lab()
    plan = workspace.plan()
    workspace.run("lab", "traffic", "start")
    first = workspace.start(
        *("auto", str(plan), "--yes", "--json", "--track", "commit"),
        env=workspace.lab_environment(),
    )
    until(lambda: rows(workspace, "SELECT 1 FROM effect WHERE key LIKE 'bp-%-bgd'"))
    first.kill()
    first.communicate()

    (run,) = rows(workspace, "SELECT id FROM run")[0]
    shown = workspace.json("show", run, "--json")
    assert shown["open"]
    assert shown["next"] == "create-deployment"
    assert shown["way_back"] == "abort: blue stays as it is, nothing is lost"

    second = workspace.last_line("auto", run, "--yes", "--json", "--track", "commit")
    assert second["result"] == "committed"
    outcomes = [
        outcome
        for (outcome,) in rows(
            workspace, "SELECT outcome FROM effect WHERE key LIKE 'bp-%-bgd' ORDER BY id"
        )
    ]
    # What was unknown is closed by what the probe saw: it was there, or it was not.
    assert outcomes in (
        ["succeeded", "adopted"],
        ["adopted", "adopted"],
        ["failed", "succeeded"],
    )
    assert deployments_made(workspace) == 1
    verdict = workspace.ledger()
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)


@pytest.mark.chaos
def test_killed_inside_the_fence_and_gone_on_with(workspace: Workspace) -> None:
    workspace.lab()
    plan = workspace.plan()
    workspace.run("lab", "traffic", "start")
    first = workspace.start("auto", str(plan), "--yes", "--json", env=workspace.lab_environment())
    until(lambda: rows(workspace, "SELECT 1 FROM effect WHERE key LIKE '%/switchover'"))
    first.kill()
    first.communicate()

    (run,) = rows(workspace, "SELECT id FROM run")[0]
    assert workspace.json("show", run, "--json")["next"] == "switchover"
    assert workspace.last_line("auto", run, "--yes", "--json")["result"] == "protected"
    second = workspace.last_line("auto", run, "--yes", "--json", "--track", "rollback")
    assert second["result"] == "rolled_back"
    verdict = workspace.ledger()
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)
