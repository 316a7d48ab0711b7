"""`blueprime compare`: the rows of both sides while the workload runs, and again in the fence."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.workspace import Workspace

PLANTED = "INSERT INTO public.customer (id, name) OVERRIDING SYSTEM VALUE VALUES (-7, 'stray')"


def execute(workspace: Workspace, cluster: str, statement: str) -> None:
    """Run SQL on a cluster as its master user, whom read-only defaults do not stop."""
    env = workspace.lab_environment()
    status = workspace.json("lab", "status", "--json")
    port = next(c["port"] for c in status["clusters"] if cluster in c["identifier"])
    with psycopg.connect(
        host=env["PGHOST"],
        port=port,
        user=env["PGUSER"],
        passfile=env["PGPASSFILE"],
        dbname="orders",
        autocommit=True,
        options="-c default_transaction_read_only=off",
    ) as connection:
        connection.execute(statement.encode())


def compared(workspace: Workspace, run: str, *options: str, expect: int) -> dict[str, Any]:
    lines = workspace.run("compare", run, "--json", *options, expect=expect).stdout.splitlines()
    told = [json.loads(line) for line in lines]
    assert all(0 <= line["fraction"] <= 1 for line in told if line["kind"] == "progress")
    assert told[-1]["kind"] == "comparison"
    assert isinstance(told[-1], dict)
    return told[-1]


def facts(workspace: Workspace, run: str, key: str) -> Any:
    report = workspace.json("report", run, "--format", "json")
    found = [each for each in report["evidence"] if each["key"] == key]
    return found[-1]["value"] if found else None


@pytest.mark.chaos
def test_a_stray_change_is_found_while_baking_and_again_in_the_fence(workspace: Workspace) -> None:
    workspace.lab("--databases", "2")
    plan = workspace.plan()
    workspace.run("lab", "traffic", "start")
    early = workspace.last_line(
        *("auto", str(plan), "--until", "resume-traffic", "--yes", "--json"),
        env=workspace.lab_environment(),
    )
    run = early["run"]
    refused = workspace.run("compare", run, expect=4)
    assert "blue prime" in refused.stderr
    workspace.last_line("auto", run, "--until", "verify-protection", "--yes", "--json")

    found = compared(workspace, run, expect=0)
    assert (found["equal"], found["recorded"]) == (True, False)
    rows = {each["database"]: each["rows"] for each in found["databases"]}
    assert len(rows) == 3
    assert rows["orders"] > 0

    execute(workspace, "-prime-", PLANTED)
    found = compared(workspace, run, "--database", "orders", expect=1)
    ((table,),) = [each["different"] for each in found["databases"]]
    assert (table["schema"], table["table"], table["key"]) == ("public", "customer", ["id"])
    assert table["rows"] == [{"key": ["-7"], "kind": "extra"}]
    assert facts(workspace, run, "tables.differ") is None
    shown = workspace.run("compare", run, "--record", expect=1)
    assert '"public"."customer": 1 row differs, by ("id"): (\'-7\') extra' in shown.stdout
    (known,) = facts(workspace, run, "tables.differ")
    assert (known["database"], known["table"], known["found_by"]) == (
        "orders",
        "customer",
        "comparison",
    )

    back = workspace.run("auto", run, "--track", "rollback", "--yes", "--json", expect=1)
    assert "public.customer" in back.stdout
    (known,) = facts(workspace, run, "tables.differ")
    assert known["there"] == known["here"] + 1
    assert facts(workspace, run, "compare.different") == ["orders: public.customer"]

    execute(workspace, "-prime-", "DELETE FROM public.customer WHERE id = -7")
    ended = workspace.last_line("auto", run, "--track", "rollback", "--yes", "--json")
    assert ended["result"] == "rolled_back"
    assert facts(workspace, run, "tables.differ") == []
    assert facts(workspace, run, "compare.different") == []
    proved = facts(workspace, run, "compare.orders")
    assert (proved["sampled"], proved["counted"], proved["different"]) == ([], [], [])
    assert proved["hashed"] == proved["tables"]
    assert workspace.ledger()["missing"] == 0
    workspace.run("lab", "traffic", "stop")
