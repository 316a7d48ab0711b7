"""PostgreSQL servers of other majors than the lab brings, where this machine has them."""

from __future__ import annotations

import os
from pathlib import Path

GIVEN = "BLUEPRIME_TEST_POSTGRES"
"""Names more of them: `13=/opt/pg13/bin 14=/opt/pg14/bin`."""


def at_hand() -> dict[int, Path]:
    """Return the folders of programs by major: Debian's, and those that the environment names."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    found = {int(server.parts[-3]): server.parent for server in debian}
    for word in os.environ.get(GIVEN, "").split():
        major, _, bindir = word.partition("=")
        found[int(major)] = Path(bindir)
    return found
