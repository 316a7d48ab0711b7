"""A real night with drift and a stray row, repaired from the command line, killed meanwhile."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.chaos.nights import KILLED, Prison
from tests.chaos.victim import POINTS
from tests.workspace import Workspace


def table(env: dict[str, str], name: str) -> None:
    """Make a table on new blue, with a row, as a deployment of the application would."""
    with psycopg.connect(
        host=env["PGHOST"],
        port=env["PGPORT"],
        user=env["PGUSER"],
        passfile=env["PGPASSFILE"],
        dbname="orders",
        autocommit=True,
    ) as connection:
        made = SQL("CREATE TABLE {0} (id int PRIMARY KEY); INSERT INTO {0} VALUES (1)")
        connection.execute(made.format(Identifier(name)))


def key_of(workspace: Workspace, run: str, what: str) -> str:
    offers: list[dict[str, Any]] = workspace.json("repair", run, "--json")
    (key,) = [o["key"] for o in offers if o["key"].startswith(f"repair/{what}/")]
    return str(key)


@pytest.mark.chaos
def test_what_drifted_is_repaired_and_the_rollback_loses_nothing(workspace: Workspace) -> None:
    workspace.lab()
    plan = workspace.plan()
    env = workspace.lab_environment()
    workspace.run("lab", "traffic", "start")
    begun = workspace.last_line("auto", str(plan), "--until", "bake", "--yes", "--json", env=env)
    run = begun["run"]
    assert workspace.json("repair", run, "--json") == []
    with Prison(workspace) as prison:
        for number, point in enumerate(POINTS):
            table(env, f"fresh_{number}")
            key = key_of(workspace, run, "new-tables")
            prison.killed.unlink(missing_ok=True)
            while (
                status := prison.run("repair", run, key, "--yes", "--json", point=point)
            ) == KILLED:
                pass
            assert status == 0, prison.out.read_text()
            assert len(prison.struck()) >= 2, "making the table, and taking it in"
    assert workspace.json("repair", run, "--json") == []
    workspace.run("lab", "fault", "stray-write", f"orders-prime-{run}", "orders")
    back = ("auto", run, "--track", "rollback", "--yes", "--json")
    assert workspace.last_line(*back, expect=1)["result"] == "failed"
    declined = workspace.json("repair", run, key_of(workspace, run, "give-up"), "--json", expect=3)
    assert declined["status"] == "ready"
    key = key_of(workspace, run, "recopy")
    done = workspace.json("repair", run, key, "--yes", "--json")
    assert done["status"] == "succeeded", json.dumps(done)
    assert workspace.last_line(*back)["result"] == "rolled_back"
    verdict = workspace.ledger()
    assert verdict["missing"] == verdict["mismatched"] == 0
    assert verdict["acknowledged"] > 0
