"""Where a workspace keeps its things."""

import os
from pathlib import Path


def home() -> Path:
    """Return the workspace's folder: `$BLUEPRIME_HOME`, or the XDG state folder's `blueprime`."""
    if named := os.environ.get("BLUEPRIME_HOME"):
        return Path(named).expanduser().absolute()
    # The XDG specification has relative paths ignored.
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not base.is_absolute():
        base = Path.home() / ".local" / "state"
    return base / "blueprime"


def journal_path() -> Path:
    """Return the journal's file in the workspace's folder."""
    return home() / "journal.db"
