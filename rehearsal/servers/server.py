"""Real PostgreSQL servers as child processes of the lab."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from rehearsal.servers.binaries import Binaries, Installation
from rehearsal.servers.ground import ADMIN, Ground, ServerError
from rehearsal.servers.ports import HOST, free_port, is_free

__all__ = ["ADMIN", "Binaries", "Ground", "Installation", "Server", "ServerError", "free_port"]


START_S = 60.0
STOP_S = 30.0
RELOAD_S = 10.0

OWN_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "ssl": "off",
    "huge_pages": "off",
    "shared_buffers": "32MB",
    "shared_preload_libraries": "",
    # A killed server loses nothing, since the system holds what it wrote; a killed machine does.
    "fsync": "off",
    "max_wal_size": "256MB",
    "log_destination": "stderr",
    "logging_collector": "off",
}
"""What the lab's servers have whatever a parameter group says."""

DEFAULTS = {"max_connections": "200", "wal_level": "replica"}
"""What they have where a parameter group says nothing."""

DOORS_OPEN = f"""\
local all {ADMIN} scram-sha-256
host all,replication {ADMIN} 127.0.0.1/32 scram-sha-256
host {ADMIN} all 0.0.0.0/0 reject
host all,replication all 127.0.0.0/8 scram-sha-256
"""
DOORS_CLOSED = f"""\
local all {ADMIN} scram-sha-256
host all,replication {ADMIN} 127.0.0.1/32 scram-sha-256
host all,replication all 0.0.0.0/0 reject
"""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)*")


def quoted(value: str) -> str:
    """Quote a value for a configuration file."""
    escaped = value.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n")
    return f"'{escaped}'"


class Server:
    """One data folder and, while it runs, the server process on it.

    Settings come in layers, later ones winning: `defaults`, `group`, `own`, `state`, `held`. They
    are kept in the folder's `lab.conf`; a physical copy replaces its own.
    """

    def __init__(self, ground: Ground, installation: Installation, data: Path) -> None:
        """Take a data folder, which may not exist yet."""
        self.ground = ground
        self.installation = installation
        self.data = data
        self.port: int | None = None
        self.layers: dict[str, dict[str, str]] = {
            "defaults": dict(DEFAULTS),
            "group": {},
            "own": OWN_SETTINGS | {"shared_preload_libraries": ",".join(self._preloaded())},
            "state": {},
            "held": {},
        }
        self._process: subprocess.Popen[str] | None = None
        self._log = ground.logs / f"{data.parent.name}-{data.name}.log"

    def _preloaded(self) -> list[str]:
        """Return what Aurora preloads by default, of what comes with this server."""
        return [name for name in ("pg_stat_statements",) if name in self.installation.extensions()]

    @property
    def log_file(self) -> Path:
        """Where the server writes what it has to say."""
        return self._log

    @property
    def major(self) -> int:
        """Return the major version, e.g. 16."""
        return self.installation.major

    @property
    def version(self) -> str:
        """Return the version as Aurora names it, e.g. `16.14`."""
        return self.installation.version

    def initdb(self) -> None:
        """Make an empty cluster: UTF-8, C locale, no data checksums, superuser `rdsadmin`."""
        if not self.data.parent.exists():
            self.ground.make_folder(self.data.parent)
        secret = self.data.with_name(f"{self.data.name}.pw")
        self.ground.write(secret, self.ground.password)
        options = ["--no-data-checksums"] if self.major >= 18 else []
        options += ["--no-instructions"] if self.major >= 14 else []
        self.ground.run(
            [
                self.installation.tool("initdb"),
                "--pgdata",
                self.data,
                f"--username={ADMIN}",
                f"--pwfile={secret}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                *options,
            ]
        )
        secret.unlink()
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("include 'lab.conf'\n")
        self.write_settings()
        self.set_doors(open_=True)

    def configure(self, layer: str, settings: Mapping[str, str]) -> None:
        """Replace a layer of settings; they take effect with the next `reload` or start.

        Raises `ServerError` for what is no name of a setting.
        """
        for name in settings:
            if not _NAME.fullmatch(name):
                raise ServerError(f"{name!r} is no name of a setting.")
        self.layers[layer] = dict(settings)
        if self.data.exists():
            self.write_settings()

    def write_settings(self) -> None:
        """Write `lab.conf` from the layers."""
        merged: dict[str, str] = {}
        for settings in self.layers.values():
            merged |= settings
        lines = [f"{name} = {quoted(value)}\n" for name, value in merged.items()]
        self.ground.write(self.data / "lab.conf", "".join(lines))

    def replace_settings(self, settings: Mapping[str, str]) -> None:
        """Replace the parameter group's layer and reload.

        Values that the server would not take raise `ServerError`, and the former ones stay.
        """
        former = self.layers["group"]
        self.configure("group", settings)
        try:
            # Reads the whole configuration as a start would, without starting.
            self.ground.run([self.installation.tool("postgres"), "-D", self.data, "-C", "port"])
        except ServerError:
            self.configure("group", former)
            raise
        self.reload()

    def set_state(self, changes: Mapping[str, str | None]) -> None:
        """Change single settings of the `state` layer; None takes one out."""
        state = {**self.layers["state"], **changes}
        self.configure("state", {name: value for name, value in state.items() if value is not None})

    def hold(self, name: str) -> None:
        """Keep what a running server shows of a setting until it starts again.

        PostgreSQL takes names that it does not know as dynamic ones, which some are not on Aurora.
        """
        for layer in ("held", "group"):
            if name in self.layers[layer]:
                self.configure("held", self.layers["held"] | {name: self.layers[layer][name]})
                return

    def set_doors(self, *, open_: bool) -> None:
        """Let clients in, or none but `rdsadmin`; takes effect with the next `reload` or start."""
        self.ground.write(self.data / "pg_hba.conf", DOORS_OPEN if open_ else DOORS_CLOSED)

    @property
    def standby(self) -> bool:
        """Whether the server is, or will start as, a hot standby that no session can write to."""
        return (self.data / "standby.signal").exists()

    def set_standby(self) -> None:
        """Let the next start be as a standby, until it is promoted."""
        self.ground.write(self.data / "standby.signal", "")

    def start(self, overrides: Mapping[str, str] | None = None) -> int:
        """Start the server, wait until it takes connections, and return its port.

        `overrides` outrank every setting until it stops. A server that gives up raises
        `ServerError` with its last words.
        """
        if self.alive() and self.port is not None:
            return self.port
        if self._process is not None:
            self.stop()
        self.configure("held", {})
        flags = {**(self._capacities() if self.standby else {}), **(overrides or {})}
        deadline = time.monotonic() + START_S
        while True:
            if self.port is None or not is_free(self.port):
                self.port = free_port()
            try:
                self._launch(flags, deadline)
            except ServerError as error:
                # Somebody took the port meanwhile, or backends of a killed server are still ending.
                passing = ("could not bind", "is still in use", "another server might be running")
                if time.monotonic() > deadline or not any(word in str(error) for word in passing):
                    raise
                self.port = None
                time.sleep(0.02)
            else:
                return self.port

    def _capacities(self) -> dict[str, str]:
        """Return what a standby must have at least: the capacities that its WAL was written with.

        A setting that was lowered and waits for a restart would keep it from starting.
        """
        told = self.ground.run([self.installation.tool("pg_controldata"), self.data])
        found = re.findall(r"^(max_\w+) setting: +(\d+)$", told, re.M)
        return {name.replace("xact", "transaction"): value for name, value in found}

    def _launch(self, flags: Mapping[str, str], deadline: float) -> None:
        words = [f"--{name}={value}" for name, value in flags.items()]
        status = self.data / "postmaster.pid"
        with self._log.open("a") as log:
            begin = log.tell()
            server = self.installation.tool("postgres")
            process = self.ground.spawn(
                [server, "-D", self.data, "-p", str(self.port), *words],
                log,
                # What it subscribes to bears names that lead to this machine.
                {"PGHOSTADDR": HOST, **self.installation.environment},
            )
        self._process = process
        while not _says_ready(status, process.pid):
            if not self.alive() or time.monotonic() > deadline:
                self.stop("immediate")
                with self._log.open(errors="replace") as log:
                    log.seek(begin)
                    last = " ".join(log.read().strip().splitlines()[-4:])
                raise ServerError(f"The server did not start: {last or 'it said nothing'}")
            time.sleep(0.005)

    def limit_files(self, limit: int | None) -> None:
        """Let no file of the server grow beyond so many bytes; None lifts that.

        PostgreSQL ignores SIGXFSZ and says "could not extend file … File too large", where a full
        disk gives "No space left on device". Processes that it starts later inherit the limit.

        Raises `ServerError` where it does not run, or the machine has no `prlimit`.
        """
        if not self.alive() or self._process is None:
            raise ServerError("The server does not run.")
        tool = shutil.which("prlimit")
        if tool is None:
            raise ServerError("There is no prlimit here, which Linux has in util-linux.")
        soft = "unlimited" if limit is None else limit
        postmaster = self._process.pid
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for pid in (str(postmaster), *children):
            try:
                # As the account that the servers run as: root may not, in a container.
                self.ground.run([tool, "--pid", pid, f"--fsize={soft}:unlimited"])
            except ServerError:
                if Path(f"/proc/{pid}").exists():
                    raise

    def alive(self) -> bool:
        """Return whether the server process lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: `smart`, `fast` (sessions end with 57P01) or `immediate` (a crash)."""
        signals = {
            "smart": signal.SIGTERM,
            "fast": signal.SIGINT,
            "immediate": signal.SIGQUIT,
            "kill": signal.SIGKILL,
        }
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signals[mode])
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.ground.ended(process)
        self._process = None

    def restart(self, overrides: Mapping[str, str] | None = None) -> int:
        """Stop the server and start it again."""
        self.stop()
        return self.start(overrides)

    def reload(self) -> None:
        """Let the server read its settings and doors again, and wait until new sessions do.

        Settings that the files hold wrongly raise `ServerError`; the server keeps the old ones.
        """
        if not self.alive():
            return
        assert self._process is not None
        before = self._load_time()
        self._process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + RELOAD_S
        # A session forks from the server with the time of the last reload; so one with a new time
        # was let in by the new doors.
        while self._load_time() == before:
            if time.monotonic() > deadline:
                raise ServerError("The server did not read its settings again.")
            time.sleep(0.002)

    def _load_time(self) -> object:
        return self.value("SELECT pg_catalog.pg_conf_load_time()")

    def conninfo(self, dbname: str = "postgres", **more: str) -> str:
        """Return a libpq connection string of `rdsadmin`; holds its password."""
        return self.address(dbname, password=self.ground.password, **more)

    def address(self, dbname: str, **more: str) -> str:
        """Return a libpq connection string of `rdsadmin` without a password.

        Raises `ServerError` where it does not run.
        """
        if self.port is None:
            raise ServerError("The server does not run.")
        return make_conninfo(
            host=HOST,
            port=self.port,
            user=ADMIN,
            dbname=dbname,
            application_name=ADMIN,
            sslmode="disable",
            gssencmode="disable",
            connect_timeout=10,
            **more,
        )

    def connect(self, dbname: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """Open a session as `rdsadmin`, autocommit and allowed to write; close it yourself.

        A server that cannot be reached raises `ServerError`.
        """
        options = "-c default_transaction_read_only=off -c search_path=pg_catalog"
        try:
            return psycopg.connect(self.conninfo(dbname, options=options), autocommit=True)
        except psycopg.OperationalError as error:
            raise ServerError(f"The server cannot be reached: {error}") from error

    def value(self, query: str, dbname: str = "postgres") -> Any:
        """Return the single value of a query."""
        with self.connect(dbname) as connection:
            row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]

    def databases(self) -> list[str]:
        """Return the databases that accept clients: no template, nothing closed, no `rdsadmin`."""
        query = """
            SELECT datname FROM pg_catalog.pg_database
            WHERE datallowconn AND NOT datistemplate AND datname <> %s ORDER BY datname"""
        with self.connect() as connection:
            return [name for (name,) in connection.execute(query, [ADMIN])]

    def remove(self) -> None:
        """Stop the server at once and remove its folder."""
        self.stop("immediate")
        shutil.rmtree(self.data.parent, ignore_errors=True)


def _says_ready(status: Path, pid: int) -> bool:
    """Read in a server's `postmaster.pid` whether it lets sessions in, as pg_ctl does."""
    try:
        lines = status.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
