"""What all tests share: nothing of the machine's own reaches them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.workspace import NO_AWS_FILES, Workspace

# Each of the many commands would compile all of blueprime anew where nothing may be written beside
# the source; what is kept elsewhere does no harm.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    cache = Path(__file__).parent.parent / ".pytest_cache" / "bytecode"
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(cache))

# The names of a lab's endpoints need not resolve, and everything that is tested is on this machine.
os.environ["PGHOSTADDR"] = "127.0.0.1"

# How long an example takes tells how loaded the machine is, and nothing of the project.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hide the user's PostgreSQL and AWS settings, and give each test a workspace of its own."""
    for name in os.environ:
        if name.startswith(("PG", "AWS_", "BLUEPRIME_")) and name != "PGHOSTADDR":
            monkeypatch.delenv(name)
    for name, value in NO_AWS_FILES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BLUEPRIME_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Lend a workspace; its lab, if it started one, goes with it.

    Every answer that it gave is as botocore's model of AWS has it.
    """
    made = Workspace(tmp_path / "home")
    made.home.mkdir()
    yield made
    made.stop_lab()
    assert made.answers_held()[1] == []
