"""What the order after the capture costs: added downtime, traffic-first against protect-first.

Both nights run one after the other on the same machine, at the same pace; the figure that counts is
their ratio. `python benchmarks/bench_order.py [PACE]`, default 0.02.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def night(order: str, pace: str) -> dict[str, Any]:
    """Run one unattended upgrade and return its summary."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tui.cli", "rehearse", "--auto", "--json"),
                *("--track", "commit", "--order", order, "--pace", pace),
            ],
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "BLUEPRIME_HOME": home},
            capture_output=True,
            text=True,
            check=True,
        )
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


def main(pace: str = "0.02") -> None:
    """Print both nights and the ratio."""
    added = {}
    for order in ("traffic-first", "protect-first"):
        ended = night(order, pace)
        added[order] = ended["added_downtime_s"]
        sys.stdout.write(
            f"{order:14} pace {pace}: added downtime {ended['added_downtime_s']:7.3f} s, "
            f"switchover {ended['switchover_s']:6.3f} s, "
            f"ledger missing {ended['ledger']['missing']}\n"
        )
    ratio = added["protect-first"] / added["traffic-first"]
    sys.stdout.write(f"protect-first / traffic-first: {ratio:.1f}\n")


if __name__ == "__main__":
    main(*sys.argv[1:2])
