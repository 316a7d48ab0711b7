"""What a journal on disk says, read by somebody who is not blueprime."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

HOLDER = "holder"
"""The fact under which a journal writes down that it is about to take the run."""


class Ledger:
    """The journal of one run, as it is on disk at this moment."""

    def __init__(self, journal: Path, run: str) -> None:
        self._disk = sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro", uri=True)
        self._run = run

    def close(self) -> None:
        self._disk.close()

    def _rows(self, query: str, *values: str) -> list[Any]:
        return self._disk.execute(query, values).fetchall()

    def intents(self) -> list[tuple[str, str]]:
        """Return key and preview of each change that is written down and has no outcome."""
        return self._rows("SELECT key, preview FROM effect WHERE outcome IS NULL")

    def claims(self) -> list[str]:
        """Return the calls by which this journal has said that it takes the run."""
        rows = self._rows("SELECT text FROM evidence WHERE run = ? AND key = ?", self._run, HOLDER)
        return [text for (text,) in rows]

    def entry(self) -> tuple[str, str]:
        """Return the track that the run is on, and its variant."""
        rows = self._rows(
            "SELECT track, variant FROM track_entry WHERE run = ? ORDER BY id DESC LIMIT 1",
            self._run,
        )
        return rows[0][0], rows[0][1]

    def step(self) -> str:
        """Return the step that is running."""
        rows = self._rows(
            "SELECT step FROM attempt WHERE run = ? AND status = 'running'", self._run
        )
        return rows[-1][0] if rows else ""

    def role(self, slug: str, blue: str) -> str:
        """Return the resource id that the journal has for a role; `blue` is the upgraded one."""
        name = {"new-blue": "green"}.get(slug, slug)
        if name in ("blue", "old-blue"):
            return blue
        rows = self._rows(
            "SELECT value FROM evidence WHERE run = ? AND key = ? ORDER BY id DESC LIMIT 1",
            self._run,
            f"role.{name}",
        )
        return str(json.loads(rows[0][0])["resource_id"]) if rows else ""

    def protects_a_rollback(self) -> bool:
        """Return whether the plan that the run began with protects a rollback in its turn."""
        rows = self._rows("SELECT plan FROM run WHERE id = ?", self._run)
        return bool(json.loads(rows[0][0])["rollback"]["protect"])
