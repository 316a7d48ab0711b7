"""Writes docs/hazards.md from the table of hazards and the checks of the preflight.

`python -m runbook.hazards > docs/hazards.md`; a test compares the page with what this would print.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from runbook.preflight.check import Check
from runbook.preflight.hazard import PLANTED, Hazard
from runbook.preflight.hazard_table import GROUPS
from runbook.preflight.suite import CHECKS


def page() -> str:
    """Return docs/hazards.md."""
    checks = {each.key: each for each in CHECKS}
    lines = [
        "# What goes wrong in silence, and how it is caught",
        "",
        "Written by `python -m runbook.hazards`; a test compares it. *Before*: a check of the",
        "preflight (`blueprime check PLAN`, and once more right before the switchover), which says",
        "what to do for each object. *Later*: a gate, the fence, the watch, or a proof of a run.",
        f"Each check is proved both ways by `{PLANTED}`: what it looks for is",
        "planted and seen with the right subject, and without it nothing is seen. The tests run",
        "on real PostgreSQL and the lab's imitation of AWS; nothing was tried on Aurora itself.",
        "",
    ]
    for group, hazards in GROUPS:
        lines += [f"## {group}", ""]
        for hazard in hazards:
            lines += _section(hazard, checks)
    return "\n".join([*lines, *_checks(checks.values())])


def _section(hazard: Hazard, checks: dict[str, Check]) -> list[str]:
    lines = [f"### {hazard.title}", "", hazard.what, ""]
    if hazard.checks:
        lines.append(f"- before: {_code(hazard.checks)}")
    if hazard.then:
        lines.append(f"- later: {hazard.then}")
    proof = [PLANTED] if any(not checks[key].unproved for key in hazard.checks) else []
    lines.append(f"- proved: {_code([*proof, *hazard.proof]) or 'unproved'}")
    missing = [f"`{key}`: {checks[key].unproved}" for key in hazard.checks if checks[key].unproved]
    if missing or hazard.unproved:
        lines.append(f"- unproved: {'; '.join(filter(None, [*missing, hazard.unproved]))}")
    lines.append(f"- to do: {hazard.todo or 'as the check says, for each object by name'}")
    return [*lines, ""]


def _checks(checks: Iterable[Check]) -> list[str]:
    lines = [
        "## The checks",
        "",
        'A warning is acknowledged in the plan (`acknowledge = ["check", "check:subject"]`), or',
        "by a person when a run asks. A block can be waived (`[[waive]]`) only where it can be",
        "survived: for `schema.identity`, a table that has seen no UPDATE and no DELETE.",
        "",
        "| check | what it finds | why it matters | may be waived |",
        "|---|---|---|---|",
    ]
    for each in checks:
        found = " ".join((each.question.__doc__ or "").split())
        waived = "yes" if each.waivable else ""
        lines.append(f"| `{each.key}` | {found} | {each.why} | {waived} |")
    return [*lines, ""]


def _code(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))


if __name__ == "__main__":
    sys.stdout.write(page())
