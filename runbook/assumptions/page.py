"""Prints the table of docs/aurora.md: `python -m runbook.assumptions.page`.

A test holds the page against it.
"""

from __future__ import annotations

import sys

from runbook.assumptions.table import ASSUMPTIONS


def table() -> str:
    """Return the assumptions as a Markdown table."""
    lines = ["| id | assumption | what blueprime does about it | rests on |", "|---|---|---|---|"]
    lines += [
        f"| `{each.id}` | {each.says} | {each.answer} | {each.rests} |" for each in ASSUMPTIONS
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
