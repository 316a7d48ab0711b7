"""The judge at work: asked again and again, its verdict steadied, put up, and journaled."""

from __future__ import annotations

import time
from dataclasses import replace

from runbook.base.context import RunContext
from runbook.protection import verdicts
from runbook.protection.assess import Observed, Steady, assess
from runbook.protection.dashboard import Dashboard, Protection
from state.journal import Journal


class VerdictRecord:
    """Gives the verdict of one process that watches, over time."""

    def __init__(self, context: RunContext, journal: Journal) -> None:
        self._context, self._journal = context, journal
        self._last_known = Protection(None, "")
        self._announced: object = None
        self._steady = Steady()

    def begin_with(self, known: Dashboard) -> None:
        """Go on from the verdict of whoever held the run before: it bears its age."""
        last = known.protection
        if last.looking:
            last = replace(last, protected=last.before, at=last.before_at)
        self._last_known = last
        if kept := verdicts.journaled(self._context):
            # The figures are put up before the verdict is journaled, and steps go by the journal.
            self._announced = (
                kept["protected"],
                tuple(kept.get("causes") or kept.get("reasons", ())),
                verdicts.of_capture(self._context),
            )

    def looking(self) -> Protection:
        """Return that it is being looked, with the last verdict known."""
        return Protection(
            None,
            "looking…",
            at=self._context.now(),
            looking=True,
            before=self._last_known.protected,
            before_at=self._last_known.at,
        )

    def verdict(self, looked: Observed, *, asked: bool, first: bool) -> Protection:
        """Return what may be said now. `first`: not everything was looked at since the start."""
        kept = verdicts.kept(self._context, asked=asked)
        now = self._context.now()
        found = assess(kept, looked, self._context.plan.protection, now)
        if found.protected is None and first:
            found = self.looking()
        elif found.protected is not None:
            self._last_known = found
        return self._steady.take(found, time.monotonic(), verdicts.of_capture(self._context))

    def keep(self, protection: Protection) -> None:
        """Journal a verdict that says something else than the one before."""
        said_now = (*said(protection), verdicts.of_capture(self._context))
        if protection.looking or said_now == self._announced:
            return
        self._announced = said_now
        # What is missing for good is so while nothing can be looked at, too.
        was_lost = protection.protected is None and verdicts.is_lost(self._context)
        word = {True: "protected", False: "not protected", None: "protection unknown"}
        self._journal.evidence(
            self._context.run,
            "monitor",
            f"{word[protection.protected]}: {protection.text}",
            key=verdicts.FACT,
            value=verdicts.as_fact(self._context, protection, lost=protection.lost or was_lost),
        )


def said(protection: Protection) -> tuple[bool | None, tuple[str, ...]]:
    """Return what is worth a line of the journal when it changes: figures that move are not."""
    return protection.protected, protection.causes or protection.reasons
