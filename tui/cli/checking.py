"""The preflight alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from runbook import plan as plans
from runbook import preflight
from runbook.aws import Aws
from runbook.preflight import Level, Result
from runbook.preflight.acceptance import unused, way_through
from runbook.world import NothingKept, World
from tui.cli.headless import BLOCKED, DONE, UNKNOWN

_SIGNS = {Level.PASS: "✓", Level.WARN: "!", Level.BLOCK: "✗", Level.UNKNOWN: "?"}


async def check_plan(plan_file: Path, *, as_json: bool) -> int:
    """Run every check of a plan and print the results; return the exit code.

    Unacknowledged warnings are named, and change no exit code: a run asks for them.
    """
    plan = plans.load(plan_file)
    world = World(run="check", plan=plan, journal=NothingKept(), aws=Aws(plan.cluster.region))
    try:
        results = await preflight.run(world)
    finally:
        await world.forget_connections()
    if as_json:
        rows = [result.as_json() for result in results]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return _code(results)
    for result in results:
        _print(result)
    for waiver in unused(results, plan):
        click.echo(f"! nothing answers to the waiver of {waiver.check}: {waiver.subject}")
    if asking := [result for result in results if result.asks]:
        click.echo(
            f"{len(asking)} warnings are not acknowledged; a run asks for them, or the plan names "
            "them in acknowledge:"
        )
        for result in asking:
            click.echo(f"  {json.dumps(result.name, ensure_ascii=False)},")
    counts = {level: sum(1 for r in results if r.level is level) for level in Level}
    click.echo(", ".join(f"{count} {level.value}" for level, count in counts.items()))
    return _code(results)


def _print(result: Result) -> None:
    click.echo(f"{_SIGNS[result.level]} {result.level.value:<7} {result.subject}: {result.text}")
    if result.level is Level.PASS:
        return
    click.echo(f"          why: {result.why}")
    if result.accepted:
        click.echo(f"          {result.accepted}")
        return
    if result.remedy:
        click.echo(f"          do:  {result.remedy}")
    if through := way_through(result):
        click.echo(f"          or:  {through}")


def _code(results: Sequence[Result]) -> int:
    stopping = {result.level for result in results if result.stops}
    if Level.BLOCK in stopping:
        return BLOCKED
    return UNKNOWN if stopping else DONE
