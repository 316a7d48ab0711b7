"""All that the watch has found and a person is told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runbook.base.alert import Alert, ProbeResult
from runbook.base.context import RunContext
from runbook.base.pair import current_pair, detached
from runbook.protection import verdicts
from runbook.protection.assess import lag_alarms, row_alarms
from runbook.protection.dashboard import LagView


def of_lags(context: RunContext, lags: Sequence[LagView]) -> list[Alert]:
    """Return what is wrong with the slots of the capture and their lags."""
    slots = (context.fact("capture") or {}).get("slots", {})
    return lag_alarms(lags, slots, context.plan.protection, context.now())[0]


def of_all(
    context: RunContext, lags: Sequence[LagView], seen: Mapping[str, ProbeResult]
) -> list[Alert]:
    """Return all that was found, by the lags and by what each look saw last."""
    if context.fact("capture") is None or detached(context, current_pair(context).subscriber):
        return list(seen.get("given up", ProbeResult()).alarms)
    return [
        *of_lags(context, lags),
        *row_alarms(verdicts.kept(context), context.now()),
        *(alarm for each in seen.values() for alarm in each.alarms),
    ]
