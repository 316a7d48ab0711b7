"""Schemas for tests, and how pg_upgrade would write one anew."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rehearsal.servers.server import Binaries
from tests.postgres.conftest import Pair

SCHEMAS = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted(Path(__file__).parent.glob("*.sql"))
}
"""Written after schemas that people publish, with what makes each of them hard to compare."""


def dumped(pair: Pair, major: int, database: str) -> str:
    """Return what pg_dump, as pg_upgrade runs it, writes of a database of one server."""
    binary = Binaries().find("18").tool("pg_dump")
    command = [binary, "--schema-only", "--quote-all-identifiers", "--no-owner", "-d"]
    done = subprocess.run(
        [*command, pair.servers[major].conninfo(database)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    # What is for psql alone, and what the older one does not know.
    skipped = ("\\", "SET transaction_timeout", 'CREATE SCHEMA "public"')
    return "\n".join(row for row in done.stdout.splitlines() if not row.startswith(skipped))
