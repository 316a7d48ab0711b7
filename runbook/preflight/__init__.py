"""Every check before anything is made: what breaks an upgrade or its way back, found in time."""

from __future__ import annotations

from runbook.preflight.result import Level, Result
from runbook.preflight.suite import run, waivable

__all__ = ["Level", "Result", "run", "waivable"]
