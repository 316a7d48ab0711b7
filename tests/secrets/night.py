"""A lab with hostile names and recognisable secrets, and what a night in it leaves behind."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import psycopg
from psycopg.conninfo import make_conninfo

from rehearsal import hook
from rehearsal.servers.server import ADMIN
from tests.secrets.treasure import Treasure, punctuated, random_word
from tests.workspace import NONE, Workspace

CARELESS = Path(__file__).with_name("hook.py")

VARIABLE = "ORDERS_DB_PASSWORD"

LOUD = {
    "log_statement": "all",
    "log_min_duration_statement": "0",
    "log_min_error_statement": "debug5",
    "log_error_verbosity": "verbose",
}
"""What makes a server write down whatever it is told."""

EXCEPTIONS = ("lab/pgpass", "lab/servers")
"""Of the workspace: the lab's own password files, and the servers' data, where secrets live."""


class Night:
    """A workspace with such a lab, and everything that commands have said in it."""

    def __init__(self, workspace: Workspace, databases: int) -> None:
        self.workspace = workspace
        self.treasure = Treasure()
        self.said: list[str] = []
        self.calls = workspace.home.parent / "calls"
        self.calls.mkdir()
        master = self.treasure.add("master password", punctuated())
        workspace.run(
            *("lab", "start", "--pace", "0", "--lives-with", str(os.getpid())),
            *("--databases", str(databases), "--hostile-names"),
            *("--password", "env:MASTER", "--load", "8"),
            env={"MASTER": master},
        )
        self.lab = workspace.json("lab", "status", "--json")
        self.environment = {
            **workspace.lab_environment(),
            VARIABLE: master,
            "AWS_SECRET_ACCESS_KEY": self.treasure.add("AWS secret key", random_word()),
            "AWS_SESSION_TOKEN": self.treasure.add("AWS session token", random_word(80)),
            "HOOK_TOKEN": self.treasure.add("hook's token", f"tok-{random_word()}"),
        }
        for line in (workspace.home / "lab" / "pgpass").read_text().splitlines():
            *_, user, password = line.replace("\\:", "\0").split(":")
            if user != self.lab["env"]["PGUSER"]:
                self.treasure.add(f"password of {user}", password)
        self.be_loud()
        self._tag()

    def run(self, *arguments: str, expect: int | None = 0, env: Mapping[str, str] = NONE) -> Any:
        """Run a command in the operator's shell; what it says is kept."""
        done = self.workspace.run(*arguments, expect=expect, env={**self.environment, **env})
        self.said += [done.stdout, done.stderr]
        return done

    def last(self, *arguments: str, expect: int | None = 0) -> dict[str, Any]:
        """Run a command and return the JSON object of its last line."""
        found: dict[str, Any] = json.loads(
            self.run(*arguments, expect=expect).stdout.splitlines()[-1]
        )
        return found

    def plan(self, *options: str) -> Path:
        """Write a plan whose hooks are careless with their token."""
        path = self.workspace.home / "plan.toml"
        script = self.lab["hooks"]["stop"][3]
        lab = str(self.workspace.home / "lab")
        stop, start = (
            [sys.executable, "-I", "-S", str(CARELESS), action, str(self.calls), script, lab]
            for action in ("stop", "start")
        )
        self.run(
            *("plan", self.lab["cluster"], "--target-version", self.lab["target_version"]),
            *("--password", f"env:{VARIABLE}", "--acknowledge", "--fast"),
            *("--stop-command", shlex.join(stop), "--start-command", shlex.join(start)),
            *("--output", str(path), *options),
        )
        return path

    def server(self, port: int, dbname: str = "postgres") -> str:
        """Return a connection string of the lab's own superuser for a cluster's port."""
        return make_conninfo(
            host="127.0.0.1",
            port=port,
            user=ADMIN,
            dbname=dbname,
            passfile=str(self.workspace.home / "lab" / "servers" / "pgpass"),
            application_name="tests",
            sslmode="require",
        )

    def clusters(self) -> dict[str, int]:
        """Return the ports of the clusters there are, by name."""
        found: Any = hook.ask(str(self.workspace.home / "lab"), "status")["clusters"]
        return {each["identifier"]: each["port"] for each in found}

    def prime(self) -> int:
        """Return blue prime's port."""
        return next(port for name, port in self.clusters().items() if "-prime" in name)

    def verifier(self, cluster: str, run: str) -> str:
        """Return what a cluster keeps of the replication role's password."""
        query = "SELECT rolpassword FROM pg_authid WHERE rolname = %s"
        with psycopg.connect(self.server(self.clusters()[cluster])) as connection:
            row = connection.execute(query, (f"blueprime_{run}",)).fetchone()
        assert row is not None
        return str(row[0])

    def subscribed(self, run: str) -> dict[str, Any]:
        """Return the connection parameters of a subscription, whichever cluster follows."""
        for port in self.clusters().values():
            with psycopg.connect(self.server(port)) as connection:
                row = connection.execute("SELECT subconninfo FROM pg_subscription").fetchone()
            if row is not None:
                return psycopg.conninfo.conninfo_to_dict(row[0])
        raise AssertionError("no cluster follows another")

    def leaks(self) -> dict[str, set[str]]:
        """Return what was found where, over all that was said, written and logged."""
        written = {
            str(path.relative_to(self.workspace.home)): path.read_bytes()
            for path in self.files()
            if path.is_file()
        }
        assert "journal.db" in written
        assert any(name.startswith("lab/logs/") for name in written)
        sources = {**written, "said": "\n".join(self.said).encode()}
        found = {name: self.treasure.found_in(content) for name, content in sources.items()}
        return {name: leaks for name, leaks in found.items() if leaks}

    def logs(self) -> list[str]:
        """Return what the servers have logged."""
        folder = self.workspace.home / "lab" / "logs"
        return [path.read_text(errors="replace") for path in folder.iterdir()]

    def files(self) -> list[Path]:
        """Return everything in the workspace but `EXCEPTIONS`."""
        home = self.workspace.home
        left_out = {home / each for each in EXCEPTIONS}
        return [
            path
            for path in (home, *sorted(home.rglob("*")))
            if left_out.isdisjoint((path, *path.parents))
        ]

    def be_loud(self) -> None:
        """Let production log every statement; an upgrade forgets this, a clone keeps it."""
        with psycopg.connect(self.server(self.clusters()["orders"]), autocommit=True) as connection:
            for name, value in LOUD.items():
                connection.execute(f"ALTER ROLE ALL SET {name} = '{value}'".encode())

    def _tag(self) -> None:
        """Put the most hostile words that AWS allows where it allows them."""
        connect: Any = boto3.client
        rds = connect(
            "rds",
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name=self.environment["AWS_REGION"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        [cluster] = rds.describe_db_clusters(DBClusterIdentifier="orders")["DBClusters"]
        rds.add_tags_to_resource(
            ResourceName=cluster["DBClusterArn"],
            Tags=[{"Key": "-- =/@:+ 東京", "Value": "password=x --all @file:///etc"}],
        )
