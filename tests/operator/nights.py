"""What the nights of the operator's side share: the journal looked at from outside, and limits."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import tomllib
from collections import Counter
from typing import Any

from runbook.plan import model as plans
from state.enums import Environment
from state.journal import Journal
from state.records import Run
from tests.test_plan import GOOD
from tests.workspace import Workspace, until


def a_run(journal: Journal) -> Run:
    """Open a run of the good plan in a journal: nothing is done, and every look can read it."""
    return journal.start_run(
        "run1",
        cluster="orders",
        cluster_resource_id="cluster-A",
        account="471100000815",
        region="us-east-1",
        environment=Environment.AWS,
        plan=plans.from_json(tomllib.loads(GOOD)).as_json(),
        plan_path="/plans/orders.toml",
    )


def rows(workspace: Workspace, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on the journal, none where there is no such table yet."""
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


def reaches(workspace: Workspace, query: str, process: subprocess.Popen[str]) -> None:
    """Wait until a query on the journal has rows; the process must live until then."""

    def there() -> bool:
        found = bool(rows(workspace, query))
        if not found and process.poll() is not None:
            out, err = process.communicate()
            raise AssertionError(f"it ended before: {query}\n{out[-3000:]}\n{err[-3000:]}")
        return found

    until(there)


def fill_the_disk(process: subprocess.Popen[str]) -> None:
    """Let no write of the process to a file succeed from now on, as on a full disk."""
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, hard))


def ended(process: subprocess.Popen[str], code: int, *words: str) -> str:
    """Wait for a process; it ended with a code, these words on standard error, no traceback."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, f"{process.returncode}\n{out[-3000:]}\n{err[-3000:]}"
    assert "Traceback" not in out + err, err
    assert "Logging error" not in err, err
    for each in words:
        assert each in err, err
    return err


def no_call_twice(workspace: Workspace) -> None:
    """Assert that AWS was asked for each change of each object once."""
    assert [call for call, times in Counter(workspace.changes()).items() if times > 1] == []


def nothing_lost(workspace: Workspace) -> None:
    """Assert that every acknowledged write is on the cluster that serves."""
    verdict = workspace.ledger()
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)
    assert verdict["acknowledged"] > 0


def left_unknown(workspace: Workspace) -> list[str]:
    """Return the effects whose latest record has no outcome, or an unknown one."""
    found = rows(
        workspace,
        "SELECT key FROM effect WHERE id IN (SELECT max(id) FROM effect GROUP BY key) "
        "AND (outcome IS NULL OR outcome = 'unknown')",
    )
    return [key for (key,) in found]
