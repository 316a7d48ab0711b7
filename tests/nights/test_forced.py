"""New blue dies while protected: production is named as down, and blue prime is taken by force."""

from __future__ import annotations

import pytest

from tests.workspace import Workspace, until


@pytest.mark.chaos
def test_blue_prime_takes_over_from_a_dead_new_blue_by_a_typed_name_alone(
    workspace: Workspace,
) -> None:
    workspace.lab()
    plan = workspace.plan()
    workspace.run("lab", "traffic", "start")
    env = workspace.lab_environment()
    run = workspace.last_line("auto", str(plan), "--yes", "--json", env=env)["run"]
    workspace.run("lab", "fault", "kill-server", "orders")
    by_yes = workspace.last_line("auto", run, "--track", "forced", "--yes", "--json", expect=3)
    assert by_yes["result"] == "failed"
    shown = workspace.json("show", run, "--json")
    assert shown["board"]["production"]["state"] == "down"
    assert shown["way_back"].startswith("none that loses nothing while new blue does not answer")
    refused = workspace.last_line(
        "auto", run, "--track", "rollback", "--yes", "--json", expect=None
    )
    assert refused["result"] == "failed"
    forced = ("auto", run, "--track", "forced", "--yes", "--json", "--typed")
    assert workspace.last_line(*forced, "another", expect=3)["result"] == "failed"
    assert workspace.last_line(*forced, "orders")["result"] == "rolled_back"
    ledger = workspace.json("lab", "ledger", "--json")
    assert ledger["mismatched"] == 0
    before = ledger["acknowledged"]
    until(lambda: workspace.json("lab", "ledger", "--json")["acknowledged"] > before)
