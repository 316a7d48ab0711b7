"""A journal that is lost, and the run adopted from what is there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.workspace import Workspace

NOTHING: Mapping[str, str] = {}


def lose_journal(workspace: Workspace) -> None:
    """Delete the journal with all that lies beside it."""
    left = list(workspace.home.glob("journal.db*"))
    assert left
    for path in left:
        path.unlink()


def adopt(
    workspace: Workspace, *options: str, env: Mapping[str, str], expect: int | None = 0
) -> dict[str, Any]:
    """Adopt what is on `orders` and return what was inferred."""
    found: dict[str, Any] = json.loads(
        workspace.run("adopt", "orders", "--yes", "--json", *options, expect=expect, env=env).stdout
    )
    return found


def lost_and_adopted(workspace: Workspace, plan: Path, env: Mapping[str, str]) -> dict[str, Any]:
    """Lose the journal and adopt the run by its plan."""
    lose_journal(workspace)
    return adopt(workspace, "--plan", str(plan), env=env)


def nothing_done_twice(workspace: Workspace, *, rollbacks: int = 1) -> None:
    """Each call that changes AWS was made once for its object; names move with each rollback."""
    counted = Counter(workspace.changes())
    allowed = {"ModifyDBCluster": rollbacks}
    twice = {call: times for call, times in counted.items() if times > allowed.get(call[0], 1)}
    assert twice == {}, twice
    assert counted


def nothing_lost(workspace: Workspace) -> None:
    """Every acknowledged write is on the cluster that serves."""
    verdict = workspace.ledger()
    assert verdict["acknowledged"] > 0
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)
