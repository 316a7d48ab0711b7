"""A wheel of the checkout has all that runs, and runs: modules, SQL, styles, data, types."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.test_architecture import ROOT, listed

PACKAGES = ("tui", "runbook", "state", "rehearsal")

OPENED = """
import asyncio
from pathlib import Path
import tui
from tui.app import BlueprimeApp, RunSource

async def never(*_):
    raise AssertionError("no run is opened")

async def main():
    app = BlueprimeApp(RunSource(list, never, never), home=Path("."))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("q")
    return app.return_code

print(Path(tui.__file__).parent.parent, asyncio.run(main()))
"""
"""Opens the app on an empty list of runs, and leaves it."""

READ = """
from importlib import resources
from runbook.postgres.queries import load
from runbook.preflight.hazards_page import groups
from rehearsal.aws.parameters import CATALOGUE

folder = resources.files("runbook.postgres").joinpath("sql")
names = [each.name.removesuffix(".sql") for each in folder.iterdir() if each.name.endswith(".sql")]
assert all(load(name, 180000) for name in names)
print(len(names), len(groups()), len(CATALOGUE))
"""


def ran(*command: str | Path, site: Path | None = None, cwd: Path) -> str:
    """Run a command, with the installed wheel alone before all else; return what it says."""
    path = {} if site is None else {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [*map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **path},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel of a clean copy of what is under version control."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in listed(ROOT, "--cached"):
        if (ROOT / name).is_file():
            copy = folder / "checkout" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes((ROOT / name).read_bytes())
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet")
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder)
    ran(*pip, *options, folder / "checkout", cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path) -> Path:
    """Install the wheel into a folder of its own."""
    folder = wheel.parent / "site"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    ran(*pip, "--no-deps", "--no-index", "--target", folder, wheel, cwd=wheel.parent)
    return folder


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git tells which files are the project's")
def test_a_wheel_has_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    ours = {name for name in listed(ROOT, "--cached") if name.split("/")[0] in PACKAGES}
    assert found == {name for name in ours if (ROOT / name).is_file()}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git tells which files are the project's")
def test_what_a_wheel_installs_runs(site: Path, tmp_path: Path) -> None:
    command = (sys.executable, site / "bin" / "blueprime")
    assert ran(*command, "--version", site=site, cwd=tmp_path).startswith("blueprime")
    assert "No run" in ran(*command, "runs", site=site, cwd=tmp_path)
    assert ran(sys.executable, "-P", "-c", OPENED, site=site, cwd=tmp_path) == f"{site} 0"
    counted = ran(sys.executable, "-P", "-c", READ, site=site, cwd=tmp_path)
    assert all(int(number) > 5 for number in counted.split())
