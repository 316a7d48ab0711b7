"""API calls that AWS refuses for what will be otherwise in a moment."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

from runbook.aws import Call
from runbook.aws.errors import AwsRefused
from runbook.base.context import RunContext
from runbook.base.step import ClusterImpact
from runbook.failures import Answer
from runbook.procedure.steps.shared.effects import ApiEffect, Keep, ProbeFn, Settled
from state.records import Json

Worth = Callable[[], Awaitable[bool]]

GRACE_S = 60.0
"""Beyond its own limit a wait is let to say itself why it ended."""


class PatientEffect(ApiEffect):
    """One AWS call, asked for again for a while where AWS refuses it for its state or its pace.

    A refusal is certain: nothing was done, so asking again doubles nothing. Before each further
    try the probe looks whether it has happened meanwhile. AWS refuses a switchover for minutes
    after it said AVAILABLE, an instance while its cluster is busy, a deletion that is under way;
    and its describes trail what it has accepted.
    """

    def __init__(
        self,
        context: RunContext,
        call: Call,
        *,
        key: str,
        title: str,
        probe: ProbeFn,
        keep: Keep | None = None,
        settled: Settled | None = None,
        settle_limit_s: float = 600.0,
        patience_s: float | None = None,
        worth: Worth | None = None,
        stakes: ClusterImpact | None = None,
    ) -> None:
        """Take what `ApiEffect` takes; `worth` tells whether there is anything to wait for."""

        super().__init__(
            context.aws,
            call,
            key=key,
            title=title,
            probe=probe,
            keep=keep,
            settled=settled,
            settle_limit_s=settle_limit_s,
            stakes=stakes,
        )
        limits = context.plan.limits
        self._patience_s = limits.patience_s if patience_s is None else patience_s
        self._every_s = limits.poll_s
        self._worth = worth
        self._context = context

    async def perform(self) -> Mapping[str, Json]:
        """Make the call until it is accepted, its effect is seen, or the patience is over.

        Between two tries nothing is under way, and the operator may stop the wait.
        """
        deadline = time.monotonic() + self._patience_s
        refused = 0
        while True:
            try:
                answer = await super().perform()
                return {**answer, "refused_before": refused} if refused else answer
            except AwsRefused as refusal:
                if not refusal.passing or time.monotonic() >= deadline:
                    raise
                refused += 1
                left_s = max(0.0, deadline - time.monotonic())
                await self._context.pause(
                    f"{self.title}: AWS refuses it so far ({refusal.code}: "
                    f"{refusal.message.rstrip('.')}); it is asked again for "
                    f"{left_s:.0f} s at most",
                    self._every_s,
                )
                finding = await self.probe()
                if finding.answer is Answer.YES:
                    return {"seen": finding.seen, **finding.detail}
                if finding.answer is Answer.UNKNOWN or not await self._worth_waiting():
                    raise
                await self._context.still_held()

    async def _worth_waiting(self) -> bool:
        return self._worth is None or await self._worth()
