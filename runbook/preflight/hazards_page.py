"""Writes docs/hazards.md from `hazards.toml` and the checks of the preflight.

`python -m runbook.preflight.hazards_page > docs/hazards.md`; a test compares the page with what
this would print.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from pydantic import TypeAdapter

from runbook.preflight.suite import CHECKS

PLANTED = "tests/preflight/test_hazards.py"
"""Plants what each check looks for, in a real database or in the lab's AWS."""


@dataclass(frozen=True, slots=True)
class Hazard:
    """One way in which it goes wrong in silence."""

    title: str
    what: str
    """What happens, if nobody looks."""
    checks: tuple[str, ...] = ()
    """Keys of the preflight's checks that see it beforehand."""
    then: str = ""
    """How it is caught later: by a gate, the fence, the watch while baking, or a proof."""
    proof: tuple[str, ...] = ()
    """Tests of what catches it later; the checks' own are known."""
    unproved: str = ""
    """What no test has shown, and why."""
    todo: str = ""
    """What to do where a check does not say it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Hazards of one kind."""

    title: str
    hazard: tuple[Hazard, ...]


def groups() -> tuple[Group, ...]:
    """Return the hazards of `hazards.toml`, in its order."""
    text = resources.files("runbook.preflight").joinpath("hazards.toml").read_text("utf-8")
    return TypeAdapter(tuple[Group, ...]).validate_python(tomllib.loads(text)["group"])


def page() -> str:
    """Return docs/hazards.md."""
    lines = [
        "# What goes wrong in silence, and how it is caught",
        "",
        "Written by `python -m runbook.preflight.hazards_page`; a test compares it.",
        "*Before*: a check of the preflight (`blueprime check PLAN`, and once more right before",
        "the switchover), which says what to do for each object. *Later*: a gate, the fence, the",
        "watch, or a proof of a run.",
        f"Each check is proved both ways by `{PLANTED}`: what it looks for is",
        "planted and seen with the right subject, and without it nothing is seen. The tests run",
        "on real PostgreSQL and the lab's imitation of AWS; nothing was tried on Aurora itself.",
        "",
    ]
    for group in groups():
        lines += [f"## {group.title}", ""]
        for hazard in group.hazard:
            lines += _section(hazard)
    return "\n".join([*lines, *_checks()])


def _section(hazard: Hazard) -> list[str]:
    lines = [f"### {hazard.title}", "", hazard.what, ""]
    if hazard.checks:
        lines.append(f"- before: {_code(hazard.checks)}")
    if hazard.then:
        lines.append(f"- later: {hazard.then}")
    proof = [PLANTED] if hazard.checks else []
    lines.append(f"- proved: {_code([*proof, *hazard.proof]) or 'unproved'}")
    if hazard.unproved:
        lines.append(f"- unproved: {hazard.unproved}")
    lines.append(f"- to do: {hazard.todo or 'as the check says, for each object by name'}")
    return [*lines, ""]


def _checks() -> list[str]:
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
    for each in CHECKS:
        found = " ".join((each.question.__doc__ or "").split())
        waived = "yes" if each.waivable else ""
        lines.append(f"| `{each.key}` | {found} | {each.why} | {waived} |")
    return [*lines, ""]


def _code(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))


if __name__ == "__main__":
    sys.stdout.write(page())
