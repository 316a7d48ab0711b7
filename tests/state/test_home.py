from pathlib import Path

import pytest

from state.home import home, journal_path


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"BLUEPRIME_HOME": "/srv/bp", "XDG_STATE_HOME": "/state"}, "/srv/bp"),
        ({"BLUEPRIME_HOME": "~/bp"}, "/homes/ann/bp"),
        ({"BLUEPRIME_HOME": "", "XDG_STATE_HOME": "/state"}, "/state/blueprime"),
        ({"XDG_STATE_HOME": "relative"}, "/homes/ann/.local/state/blueprime"),
        ({}, "/homes/ann/.local/state/blueprime"),
    ],
)
def test_where_a_workspace_is(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str
) -> None:
    for name in ("BLUEPRIME_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/homes/ann")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert home() == Path(expected)
    assert journal_path() == Path(expected) / "journal.db"
