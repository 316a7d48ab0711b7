"""What must always hold, broken on purpose in a real night: the run says so and goes no further."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.workspace import Workspace, until


def started(workspace: Workspace, last: str) -> dict[str, Any]:
    workspace.lab()
    plan = workspace.plan()
    return workspace.last_line(
        *("auto", str(plan), "--until", last, "--yes", "--json"), env=workspace.lab_environment()
    )


def message(workspace: Workspace, run: str, step: str) -> str:
    shown = workspace.json("show", run, "--json")
    found = [s for t in shown["tracks"] for s in t["steps"] if s["step"] == step]
    text: str = found[-1]["message"]
    return text


@pytest.mark.chaos
def test_a_write_between_the_freeze_and_the_capture_is_named(workspace: Workspace) -> None:
    run = started(workspace, "switchover")["run"]
    workspace.run("lab", "fault", "stray-write", "orders")
    ended = workspace.last_line("auto", run, "--until", "create-slots", "--yes", "--json", expect=1)
    assert ended["result"] == "failed"
    text = message(workspace, run, "create-slots")
    assert "not proved that nothing was written" in text
    assert "public.customer" in text
    shown = workspace.json("show", run, "--json")
    assert shown["way_back"] == "return to old blue, which loses only what slipped in, as named"

    on = workspace.last_line(
        "auto", run, "--until", "verify-protection", "--yes", "--json", expect=1
    )
    assert on["result"] == "failed"
    text = message(workspace, run, "verify-protection")
    assert "The rows of 1 table differ: public.customer in orders (" in text
    listed = workspace.json("runs", "--json")[0]
    assert listed["protected"] is not True
    assert listed["result"] != "protected"


@pytest.mark.chaos
def test_a_write_on_old_blue_before_the_clone_stops_the_clone(workspace: Workspace) -> None:
    run = started(workspace, "delete-deployment")["run"]
    workspace.run("lab", "fault", "stray-write", "orders-old1")
    workspace.last_line("auto", run, "--until", "clone", "--yes", "--json", expect=1)
    text = message(workspace, run, "freeze-old-blue")
    assert "Old blue has changed since the freeze" in text
    assert "customer" in text
    there = [each["identifier"] for each in workspace.ask_lab("status")["clusters"]]
    assert all("-prime-" not in name for name in there)


@pytest.mark.chaos
def test_a_dropped_slot_ends_the_protection_and_is_named(workspace: Workspace) -> None:
    workspace.lab()
    plan = workspace.plan()
    text = plan.read_text(encoding="utf-8")
    plan.write_text(text.replace("[protection]", "[protection]\nbake_s = 300", 1), encoding="utf-8")
    env = workspace.lab_environment()
    baking = workspace.start("auto", str(plan), "--yes", env=env)
    run = until(lambda: workspace.json("runs", "--json"))[0]["run"]
    until(lambda: protection(workspace, run).get("protected") is True)
    drop_slot(env, f"blueprime_{run}_1")
    until(lambda: protection(workspace, run).get("protected") is False)
    a_dropped_slot_is_named(workspace, run)
    told = "none that loses nothing: a slot is gone, blue prime misses writes"
    until(lambda: workspace.json("show", run, "--json")["way_back"] == told)
    baking.terminate()
    baking.communicate()
    no_rollback_without_its_slot(workspace, run)


def a_dropped_slot_is_named(workspace: Workspace, run: str) -> None:
    gone = f"slot blueprime_{run}_1 of orders is missing"
    until(lambda: gone in protection(workspace, run).get("reasons", ()))
    assert protection(workspace, run)["protected"] is not True


def no_rollback_without_its_slot(workspace: Workspace, run: str) -> None:
    """Ask for it all the same: it is refused before anything is stopped."""
    refused = workspace.last_line(
        "auto", run, "--track", "rollback", "--yes", "--json", expect=None
    )
    assert refused["result"] != "rolled_back"
    assert "stop-traffic" not in {s["step"] for s in refused["steps"] if s["track"] == "rollback"}


@pytest.mark.chaos
def test_rows_that_differ_are_remembered_until_a_comparison_passes(workspace: Workspace) -> None:
    run = started(workspace, "bake")["run"]
    workspace.run("lab", "fault", "stray-write", f"orders-prime-{run}", "orders")
    back = ("auto", run, "--track", "rollback", "--yes", "--json")
    assert workspace.last_line(*back, expect=1)["result"] == "failed"
    blocked = workspace.json("show", run, "--json")["way_back"]
    assert blocked == "stay on the new version: it has every write; rows differ"
    workspace.last_line("auto", run, "--track", "upgrade", "--yes", "--json", expect=None)
    told = workspace.json("show", run, "--json")["way_back"]
    assert told == "re-copy the tables that differ, then roll back; compare proves it"
    assert workspace.json("runs", "--json")[0]["protected"] is not True


def protection(workspace: Workspace, run: str) -> dict[str, Any]:
    dashboard = workspace.json("show", run, "--json")["board"]
    return dashboard["protection"] if dashboard else {}


def drop_slot(env: dict[str, str], slot: str) -> None:
    with psycopg.connect(
        host=env["PGHOST"],
        port=env["PGPORT"],
        user=env["PGUSER"],
        passfile=env["PGPASSFILE"],
        dbname="orders",
        autocommit=True,
    ) as connection:

        def dropped() -> bool:
            connection.execute(
                "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots "
                "WHERE slot_name = %s AND active",
                (slot,),
            )
            try:
                connection.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
            except psycopg.errors.ObjectInUse:
                return False
            return True

        until(dropped)
