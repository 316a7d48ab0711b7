"""How many calls to RDS a run makes, with the plan's own limits as a production plan has them.

A whole upgrade at a lifelike pace of AWS, then a bake; counted by the lab, request by request, from
outside of the product. `python benchmarks/bench_calls.py [PACE] [BAKE_S]`, default 0.05 and 180.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

STEPS_PER_S, BAKING_PER_S = 1.0, 0.2
SETTLED_S = 30.0
"""Of a bake the first seconds belong to the step before: it has just changed what is looked at."""


def run(home: str, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tui.cli", *arguments],
        cwd=Path(__file__).parent.parent,
        env={**os.environ, **(env or {}), "BLUEPRIME_HOME": home},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def plan(home: str, lab: Mapping[str, Any], bake_s: float) -> Path:
    """Write the plan as for a production cluster; a lab has no groups to wait five minutes for."""
    path = Path(home, "plan.toml")
    hooks = lab["hooks"]
    arguments = [
        *("plan", lab["cluster"], "--target-version", lab["target_version"], "--acknowledge"),
        *("--password", lab["password"], "--output", str(path)),
        *("--stop-command", shlex.join(hooks["stop"])),
        *("--start-command", shlex.join(hooks["start"])),
    ]
    run(home, *arguments, env=lab["env"])
    text = path.read_text(encoding="utf-8").replace(
        "[protection]", f"[limits]\nparameter_settle_s = 0\n\n[protection]\nbake_s = {bake_s}", 1
    )
    path.write_text(text, encoding="utf-8")
    return path


def began(lines: Sequence[str], step: str) -> float:
    """Return when a step began, in seconds since the epoch."""
    for line in lines:
        event = json.loads(line)
        if event.get("text") == f"step: {step} begins":
            return datetime.fromisoformat(event["at"]).timestamp()
    raise SystemExit(f"{step} never began")


def tell(
    name: str, calls: Sequence[Mapping[str, Any]], since: float, to: float, limit: float
) -> float:
    """Print how many calls a second were made within a time, and return the ratio to the limit."""
    found = Counter(call["action"] for call in calls if since <= call["at"] < to)
    per_s = found.total() / (to - since)
    most = ", ".join(f"{action} {count}" for action, count in found.most_common(4))
    sys.stdout.write(
        f"{name:7} {found.total():5} calls in {to - since:6.1f} s: {per_s:.3f} a second, "
        f"{per_s / limit:.2f} of the limit of {limit:g} ({most})\n"
    )
    sys.stdout.flush()
    return per_s / limit


def main(pace: str = "0.05", bake_s: str = "180") -> None:
    """Print a line for the steps and one for the bake; end with 1 where a limit is passed."""
    with tempfile.TemporaryDirectory() as home:
        run(home, "lab", "start", "--pace", pace, "--lives-with", str(os.getpid()))
        try:
            lab = json.loads(run(home, "lab", "status", "--json"))
            path = plan(home, lab, float(bake_s))
            lines = run(home, "auto", str(path), "--yes", "--json", env=lab["env"]).splitlines()
            calls = json.loads(run(home, "lab", "calls", "--reads", "--json", env=lab["env"]))
        finally:
            run(home, "lab", "stop")
    # What writing the plan asked is no part of the run.
    first, baked = began(lines, "identify"), began(lines, "bake")
    ratios = [
        tell("steps", calls, first, baked, STEPS_PER_S),
        tell("baking", calls, baked + SETTLED_S, baked + float(bake_s), BAKING_PER_S),
    ]
    raise SystemExit(any(ratio > 1 for ratio in ratios))


if __name__ == "__main__":
    main(*sys.argv[1:3])
