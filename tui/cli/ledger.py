"""The last words of a rehearsal: what its ledger says of the cluster that serves."""

from __future__ import annotations

from typing import Any

import click

from runbook.amounts import counted


def verdict() -> dict[str, Any]:
    """Return the ledger's verdict; where there is none, None for each figure and the `error`."""
    from rehearsal import lab

    try:
        found = lab.ledger()
    except lab.LabError as error:
        # No verdict is not a good verdict.
        return {"acknowledged": None, "missing": None, "mismatched": None, "error": str(error)}
    return {key: found[key] for key in ("acknowledged", "missing", "mismatched")}


def tell(found: dict[str, Any]) -> None:
    """Print a verdict as one line."""
    if found.get("error"):
        click.echo(f"Ledger: no verdict: {found['error']}")
        return
    acknowledged = counted(found["acknowledged"], "transaction")
    click.echo(
        f"Ledger: {acknowledged} acknowledged, {found['missing']} missing, "
        f"{found['mismatched']} mismatched"
    )
