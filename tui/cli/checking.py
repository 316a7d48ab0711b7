"""The preflight alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from runbook import preflight
from runbook.amounts import counted
from runbook.aws import Aws
from runbook.base.context import RunContext
from runbook.base.kept import EmptyJournal
from runbook.preflight import Level, Result, plans
from runbook.preflight.acceptance import unused, way_through
from runbook.preflight.result import grouped
from tui.cli.exits import BLOCKED, DONE, UNKNOWN

_SIGNS = {Level.PASS: "✓", Level.WARN: "!", Level.BLOCK: "✗", Level.UNKNOWN: "?"}


async def check_plan(plan_file: Path, *, as_json: bool) -> int:
    """Run every check of a plan and print the results; return the exit code.

    Unacknowledged warnings are named, and change no exit code: a run asks for them.
    """
    plan = plans.load(plan_file)
    context = RunContext(
        run="check",
        plan=plan,
        journal=EmptyJournal(),
        aws=Aws(plan.cluster.region, plan.aws.access),
    )
    try:
        results = await preflight.run(context)
    finally:
        await context.forget_connections()
    if as_json:
        rows = [result.as_json() for result in results]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return _code(results)
    for group in grouped(results):
        _print(group)
    for waiver in unused(results, plan):
        click.echo(f"! the waiver of {waiver.check}: {waiver.subject} matches no result: drop it")
    if asking := [result for result in results if result.asks]:
        click.echo(
            f"{counted(len(asking), 'warning is', 'warnings are')} not acknowledged; a run asks "
            "for "
            "each, or the plan names it in acknowledge:"
        )
        for group in grouped(asking):
            for name in _names(group):
                click.echo(f"  {json.dumps(name, ensure_ascii=False)},")
    counts = {level: sum(1 for r in results if r.level is level) for level in Level}
    click.echo(", ".join(f"{count} {level.value}" for level, count in counts.items()))
    return _code(results)


SHOWN = 10
"""So many results of one check are printed one by one; `--json` has them all."""


def _names(group: Sequence[Result]) -> list[str]:
    """Return what a plan acknowledges a group by: each by its name, or many by their check."""
    return [group[0].key] if len(group) > SHOWN else [result.name for result in group]


def _print(group: Sequence[Result]) -> None:
    """Print results of one check and level: why it matters once, then each object."""
    first = group[0]
    if first.level is Level.PASS:
        for result in group:
            click.echo(f"{_SIGNS[result.level]} {result.level.value:<7} {result.subject}: "
                       f"{result.text}")  # fmt: skip
        return
    sign = f"{_SIGNS[first.level]} {first.level.value:<7}"
    if len(group) == 1:
        click.echo(f"{sign} {first.subject}: {first.text}")
        click.echo(f"          why: {first.why}")
        _print_repair(first, "          ")
        return
    click.echo(f"{sign} {first.key}: {len(group)} found")
    click.echo(f"          why: {first.why}")
    for result in group[:SHOWN]:
        click.echo(f"        · {result.subject}: {result.text}")
        _print_repair(result, "            ")
    if len(group) > SHOWN:
        click.echo(f"          and {len(group) - SHOWN} more, which --json prints too")


def _print_repair(result: Result, indent: str) -> None:
    if result.accepted:
        click.echo(f"{indent}{result.accepted}")
        return
    if result.remedy:
        click.echo(f"{indent}do:  {result.remedy}")
    if through := way_through(result):
        click.echo(f"{indent}or:  {through}")


def _code(results: Sequence[Result]) -> int:
    stopping = {result.level for result in results if result.stops}
    if Level.BLOCK in stopping:
        return BLOCKED
    return UNKNOWN if stopping else DONE
