"""Servers: versions, settings, and that none outlives its lab, however that ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from rehearsal.servers import keeper
from rehearsal.servers.ground import Ground, ServerError
from rehearsal.servers.server import Binaries, Installation, Server
from tests.rehearsal.conftest import until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ground(folder: Path) -> Iterator[Ground]:
    made = Ground(folder)
    yield made
    made.close()


@pytest.fixture
def server(ground: Ground) -> Iterator[Server]:
    binaries = Binaries()
    binaries.prepare(ground)
    made = Server(ground, binaries.find("16"), ground.base / "volume" / "data")
    made.initdb()
    made.start()
    yield made
    made.stop("immediate")


def test_versions_are_found_by_asking_the_servers() -> None:
    binaries = Binaries()
    assert {16: "16.14", 18: "18.4"}.items() <= binaries.versions().items()
    assert binaries.find("16") is binaries.find("16.14")
    with pytest.raises(ServerError, match=r"PostgreSQL 16\.13 is not on hand .*16\.14, .*18\.4"):
        binaries.find("16.13")
    bindir = binaries.find("18").bindir
    assert Binaries({18: bindir}).find("18").bindir == bindir
    with pytest.raises(ServerError, match=r"holds PostgreSQL 18\.4, not 15"):
        Binaries({15: bindir})
    with pytest.raises(ServerError, match="holds no PostgreSQL server"):
        Binaries({15: Path("/nowhere")})


def test_settings_reach_the_server_whatever_they_hold(server: Server) -> None:
    value = 'it\'s \\ 100% "so"\nand on'
    server.configure("group", {"lab.note": value, "max_connections": "150"})
    server.reload()
    assert server.value("SELECT current_setting('lab.note')") == value
    waiting = "SELECT array_agg(name) FROM pg_catalog.pg_settings WHERE pending_restart"
    assert server.value(waiting) == ["max_connections"]
    server.restart()
    assert server.value(waiting) is None
    assert server.value("SHOW max_connections") == "150"
    with pytest.raises(ServerError, match="no name of a setting"):
        server.configure("group", {"work_mem = 1\nfsync": "on"})


def test_a_server_that_cannot_start_says_why(server: Server) -> None:
    server.stop()
    server.configure("group", {"max_connections": "-1"})
    with pytest.raises(ServerError, match=r"did not start: .*max_connections"):
        server.start()
    assert not server.alive()


def test_a_standby_starts_in_spite_of_lowered_capacities(server: Server) -> None:
    server.configure("group", {"max_connections": "20", "max_worker_processes": "2"})
    server.stop()
    server.set_standby()
    server.start()
    assert server.value("SELECT pg_is_in_recovery()")
    assert server.value("SHOW max_connections") == "200"


def test_the_password_is_nowhere_but_in_its_file(server: Server) -> None:
    secret = server.ground.password.encode()
    holders = [
        path.name
        for path in server.ground.folder.rglob("*")
        if path.is_file() and secret in path.read_bytes()
    ] + [
        path.name
        for path in server.ground.base.rglob("*")
        if path.is_file() and secret in path.read_bytes()
    ]
    assert set(holders) == {"pgpass"}
    assert server.ground.passfile.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is to become another user")
def test_root_runs_servers_as_another_user(server: Server) -> None:
    pid = int((server.data / "postmaster.pid").read_text().split("\n", 1)[0])
    assert Path(f"/proc/{pid}").stat().st_uid != 0
    assert server.data.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide programs from the servers")
def test_programs_below_a_closed_home_are_copied(ground: Ground, tmp_path: Path) -> None:
    home = tmp_path / "home"
    bindir = Binaries().find("16").bindir
    package = bindir.parents[1]
    for needed in (f"{package.name}/{bindir.parent.name}", f"{package.name}.libs"):
        source = package.parent / needed
        shutil.copytree(source, home / needed, ignore=shutil.ignore_patterns("include"))
    home.chmod(0o700)
    binaries = Binaries({16: home / package.name / bindir.parent.name / "bin"})
    binaries.prepare(ground)
    installation = binaries.find("16")
    assert installation.bindir.is_relative_to(ground.base)
    server = Server(ground, installation, ground.base / "volume" / "data")
    server.initdb()
    server.start()
    assert server.value("SHOW server_version").startswith("16.14")
    server.stop()


def test_two_labs_cannot_share_a_folder(ground: Ground) -> None:
    with pytest.raises(ServerError, match="Another lab is running"):
        Ground(ground.folder)


def test_nothing_is_left_after_a_lab_was_closed(folder: Path) -> None:
    ground = Ground(folder)
    server = Server(ground, _prepared(ground), ground.base / "volume" / "data")
    server.initdb()
    server.start()
    ground.close()
    until(lambda: not server.alive(), "the server has ended")
    assert not ground.base.exists()
    assert {path.name for path in folder.iterdir()} == {"logs", "servers.lock"}


def _prepared(ground: Ground) -> Installation:
    binaries = Binaries()
    binaries.prepare(ground)
    return binaries.find("16")


LAB = """
import sys, time
from pathlib import Path
from rehearsal.servers.ground import Ground
from rehearsal.servers.server import Binaries, Server

ground = Ground(Path(sys.argv[1]))
binaries = Binaries()
binaries.prepare(ground)
server = Server(ground, binaries.find("16"), ground.base / "volume" / "data")
server.initdb()
server.start()
print(ground.base, ground._keeper.pid, flush=True)
ground.run(["/bin/sleep", "3600"])
"""


def _lab(folder: Path) -> tuple[subprocess.Popen[str], Path, int]:
    """Start a lab in a process of its own; return it, its servers' base and its keeper."""
    process = subprocess.Popen(
        [sys.executable, "-c", LAB, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    base, pid = process.stdout.readline().split()
    return process, Path(base), int(pid)


def test_servers_and_tools_end_when_their_lab_is_killed(folder: Path) -> None:
    process, base, _ = _lab(folder)
    (pid,) = keeper.postmasters(base)
    process.kill()
    process.wait()
    until(lambda: not base.exists(), "the data is gone")
    until(lambda: not _runs(pid), "the server has ended")
    assert list(keeper.postmasters(base)) == []


def test_the_next_lab_ends_what_a_killed_keeper_left(folder: Path) -> None:
    process, base, keeper_pid = _lab(folder)
    (pid,) = keeper.postmasters(base)
    os.kill(keeper_pid, signal.SIGKILL)
    process.kill()
    process.wait()
    assert _runs(pid)
    ground = Ground(folder)
    try:
        assert not base.exists()
        until(lambda: not _runs(pid), "the server has ended")
    finally:
        ground.close()


def _runs(pid: int) -> bool:
    return keeper._is_postgres(pid)


def test_no_file_grows_on_a_full_disk_until_it_is_freed(server: Server) -> None:
    fill = """
        INSERT INTO public.ballast
        SELECT repeat(md5(n::text), 20) FROM generate_series(1, 40000) AS n"""
    with server.connect() as before:
        before.execute("CREATE TABLE public.ballast (filler text)")
        server.limit_files(16 << 20)
        for session in (before, server.connect()):
            with pytest.raises(psycopg.Error, match="could not extend file"):
                session.execute(fill)
        server.limit_files(None)
        before.execute(fill)
    assert server.value("SELECT count(*) FROM public.ballast") == 40000
