"""Whole nights with recognisable secrets and hostile names: none of the first is found anywhere.

What is looked at: the journal with its WAL and backups, the log, every other file of the workspace
(`night.EXCEPTIONS` names what is left out), all that commands print, all that screens show, the
arguments of every process, the environment of the plan's commands, what servers show of sessions,
and the servers' logs while they log every statement.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from rehearsal.servers import names
from tests.secrets.night import VARIABLE, Night
from tests.secrets.screens import LARGE, SMALL, screens
from tests.secrets.treasure import random_word
from tests.secrets.watcher import Watcher
from tests.workspace import Workspace, until


@pytest.fixture
def night(workspace: Workspace) -> Iterator[Night]:
    before = os.umask(0)  # what is written is the owner's alone all the same
    try:
        workspace.home.rmdir()
        yield Night(workspace, databases=2)
    finally:
        os.umask(before)


async def test_a_night_with_every_misfortune(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in night.environment.items():
        monkeypatch.setenv(name, value)  # for the screens, which are of this process
    with Watcher(lambda: [night.server(port) for port in night.clusters().values()]) as watcher:
        plan = night.plan()
        wrong = {VARIABLE: night.treasure.add("wrong password", random_word())}
        night.run("check", str(plan), expect=4, env=wrong)
        # The hook's first call fails, and tells all it knows.
        failed = night.last("auto", str(plan), "--yes", "--json", expect=1)
        run = failed["run"]
        assert "refused: token *** is not valid" in night.run("show", run).stdout
        night.last("auto", run, "--until", "clone-instances", "--yes", "--json")
        night.be_loud()
        _kill_between_password_and_subscription(night, run)
        former = night.treasure.add("former verifier", night.verifier("orders", run))
        night.said += await screens(night.workspace.home, run, SMALL)
        assert night.last("auto", run, "--yes", "--json")["result"] == "protected"
        night.treasure.add("replication password", night.subscribed(run)["password"])
        assert night.treasure.add("verifier", night.verifier("orders", run)) != former
        back = ("auto", run, "--yes", "--json", "--track", "rollback")
        assert night.last(*back)["result"] == "rolled_back"
        night.treasure.add("replication password forward", night.subscribed(run)["password"])
        # A run that is over, so that who watches it comes to an end.
        assert night.last(*back[:-1], "finalize")["result"] == "rolled_back"
    night.said += await screens(night.workspace.home, run, LARGE)
    for command in (
        *(("show", run, "--json"), ("runs",), ("report", run), ("report", run, "--format", "json")),
        ("watch", run, "--json"),
    ):
        night.run(*command)
    assert watcher.processes > 100
    assert watcher.sessions > 100
    logs = "".join(night.logs())
    assert "ALTER ROLE" in logs
    assert "CREATE SUBSCRIPTION" in logs
    assert night.leaks() == {}
    assert [str(path) for path in night.files() if not owners_alone(path)] == []
    assert night.treasure.found_in("\n".join(watcher.seen)) == set()
    _see_what_commands_were_given(night)
    assert [said for said in night.said if unprintable(said)] == []
    verdict = night.workspace.ledger()
    assert verdict["acknowledged"] > 0
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)
    _compare_names(night)


@pytest.mark.chaos
def test_an_aborted_night_with_lost_connections(night: Night) -> None:
    (night.calls / "failed").touch()
    going = night.workspace.start(
        *("auto", str(night.plan()), "--until", "stop-traffic", "--yes", "--json"),
        env=night.environment,
    )
    lost = 0
    while going.poll() is None:
        try:
            night.said += going.communicate(timeout=0.5)
        except subprocess.TimeoutExpired:
            lost += sum(_cut_off(night.server(port)) for port in night.clusters().values())
    assert lost > 0
    run = night.workspace.json("runs", "--json")[0]["run"]
    for _ in range(5):
        steps = night.workspace.json("show", run, "--json")["tracks"][-1]["steps"]
        if any(each["step"] == "stop-traffic" and each["status"] == "succeeded" for each in steps):
            break
        night.run(
            *("auto", run, "--until", "stop-traffic", "--on-unknown", "retry", "--yes", "--json"),
            expect=None,
        )
    aborted = night.last("auto", run, "--track", "abort", "--yes", "--json")
    assert aborted["result"] == "aborted"
    for command in (("show", run), ("report", run), ("report", run, "--format", "json")):
        night.run(*command)
    assert night.leaks() == {}
    assert [said for said in night.said if unprintable(said)] == []
    verdict = night.workspace.ledger()
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)
    _compare_names(night)


def _cut_off(server: str) -> int:
    """End every session of blueprime on a server, and return how many there were."""
    try:
        with psycopg.connect(server, connect_timeout=2) as connection:
            return connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'blueprime'"
            ).rowcount
    except psycopg.OperationalError:
        return 0  # a server that comes or goes


def _kill_between_password_and_subscription(night: Night, run: str) -> None:
    """Hold up CREATE SUBSCRIPTION by a lock, so that the process dies at that very moment."""
    with psycopg.connect(night.server(night.prime())) as holder:
        holder.execute("LOCK pg_subscription IN SHARE MODE")
        going = night.workspace.start("auto", run, "--yes", "--json", env=night.environment)
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        with psycopg.connect(night.server(night.prime()), autocommit=True) as looker:
            until(lambda: looker.execute(waiting).fetchone())
        going.kill()
        night.said += going.communicate()
    assert going.returncode == -signal.SIGKILL


def _see_what_commands_were_given(night: Night) -> None:
    calls = [json.loads(path.read_text()) for path in night.calls.glob("*.json")]
    assert {call["arguments"][1] for call in calls} == {"stop", "start"}
    for call in calls:
        given = dict(call["environment"])
        assert VARIABLE not in given
        # The operator's own credentials, and the command's own token, are the command's to use.
        for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HOOK_TOKEN"):
            del given[name]
        assert night.treasure.found_in(json.dumps([given, call["arguments"]])) == set()


def owners_alone(path: Path) -> bool:
    wanted = 0o700 if path.is_dir() else 0o600
    return stat.S_IMODE(path.stat().st_mode) == wanted


def unprintable(text: str) -> set[str]:
    return {character for character in text if not character.isprintable()} - {"\n"}


def _compare_names(night: Night) -> None:
    """See that every object of every name is there, each sequence exactly where it was left."""
    port = night.clusters()["orders"]
    expected = {
        name: (1000 + 7 * number, number % 2 == 0) for number, name in enumerate(names.NAMES, 1)
    }
    for database in names.DATABASES[:2]:
        with psycopg.connect(night.server(port, database)) as connection:
            for name, left in expected.items():
                sequence = SQL("SELECT last_value, is_called FROM public.{}").format(
                    Identifier(name)
                )
                assert connection.execute(sequence).fetchone() == left, name
                table = SQL("SELECT count(*), count({0}) FROM {0}.{0}").format(Identifier(name))
                rows = 3 + (left[0] - 1000) // 7
                assert connection.execute(table).fetchone() == (rows, rows), name
