"""What all tests share: nothing of the machine's own reaches them."""

import os

import pytest


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hide the user's PostgreSQL and AWS settings, and give each test a workspace of its own."""
    for name in os.environ:
        if name.startswith(("PG", "AWS_", "BLUEPRIME_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BLUEPRIME_HOME", str(tmp_path_factory.mktemp("home")))
