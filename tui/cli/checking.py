"""The preflight alone."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runbook import plan as plans
from runbook import preflight
from runbook.aws import Aws
from runbook.preflight import Level
from runbook.world import NothingKept, World
from tui.cli.headless import BLOCKED, DONE

_SIGNS = {Level.PASS: "✓", Level.WARN: "!", Level.BLOCK: "✗", Level.UNKNOWN: "?"}


async def check_plan(plan_file: Path, *, as_json: bool) -> int:
    """Run every check of a plan and print the results; return the exit code."""
    plan = plans.load(plan_file)
    world = World(run="check", plan=plan, journal=NothingKept(), aws=Aws(plan.cluster.region))
    try:
        results = await preflight.run(world)
    finally:
        await world.forget_connections()
    blocked = any(result.level in (Level.BLOCK, Level.UNKNOWN) for result in results)
    if as_json:
        rows = [result.as_json() for result in results]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return BLOCKED if blocked else DONE
    for result in results:
        click.echo(
            f"{_SIGNS[result.level]} {result.level.value:<7} {result.subject}: {result.text}"
        )
        if result.level is not Level.PASS:
            click.echo(f"          why: {result.why}")
            if result.remedy:
                click.echo(f"          do:  {result.remedy}")
    counts = {level: sum(1 for r in results if r.level is level) for level in Level}
    click.echo(", ".join(f"{count} {level.value}" for level, count in counts.items()))
    return BLOCKED if blocked else DONE
