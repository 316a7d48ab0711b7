"""The runs of a workspace, as the list of runs shows them."""

from __future__ import annotations

from dataclasses import replace

from state.enums import Environment, Result, Status, Track
from state.records import RunSummary
from tests.tui.fake import ago


def summaries() -> list[RunSummary]:
    """Return a list of runs of every kind."""
    run = RunSummary(
        "k2f9qa", "orders", Track.UPGRADE, "bake", Status.READY, True, ago(1800),
        Environment.REHEARSAL, None, open=True, slots_held=True,
    )  # fmt: skip
    return [
        run,
        replace(run, run="p8x1tz", cluster="billing", step="switchover", status=Status.UNKNOWN,
                protected=None, environment=Environment.AWS, slots_held=False,
                started_at=ago(90_000)),
        replace(run, run="a7c3me", track=Track.ROLLBACK, step="verify-end", status=Status.SUCCEEDED,
                protected=False, result=Result.ROLLED_BACK, open=False, slots_held=False,
                started_at=ago(400_000)),
        replace(run, run="z0d5hn", cluster="a-cluster-with-a-rather-long-name", step="clone",
                status=Status.FAILED, protected=False, started_at=ago(500_000)),
    ]  # fmt: skip
