"""Roles, grants and code that are not alike on both held sides, kept as a fact while they stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from runbook.base.alert import Alert, Cause, ProbeResult
from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.base.roles import Role
from runbook.postgres.statement import quoted
from runbook.procedure.steps.shared.objects import ACCEPTED
from runbook.proofs import objects, schema_drift
from runbook.proofs.objects import ObjectsSurvey, Unlike
from runbook.watch.probes.schemas import REST
from state.journal import Journal

PAUSE_S = 5.0
"""The least pause between two looks: it reads all roles of both servers."""

FACT = "objects.unlike"
"""What the watch found last, in words, with its time."""


class ObjectsProbe:
    """Compares what applications need beside their rows, and keeps in the journal what changes."""

    def __init__(self, context: RunContext, journal: Journal) -> None:
        self._context = context
        self._evidence = partial(journal.evidence, context.run, "monitor")
        self._look = ObjectsSurvey(context)
        self._said: list[str] | None = None
        self.rest_s = PAUSE_S
        """The pause that the last look asks for."""

    async def look(self, databases: Sequence[str]) -> ProbeResult:
        """Return every item that is not alike, as alarms that break no protection of rows."""
        sides, now = current_pair(self._context), self._context.now()
        every = await self._look.look(sides.publisher, sides.subscriber, databases)
        self.rest_s = max(PAUSE_S, REST * self._look.compared_s)
        alike = objects.known(self._context)
        if alike is None:
            # The run began before anybody looked: only what two versions print is let pass.
            alike = objects.printed(every)
            self._evidence(objects.taken(alike), key=objects.KNOWN, value=alike)
        found = objects.fresh(every, alike)
        self._keep(found)
        alarms = [
            Alert(each.cause, each.database, each.name, each.words, False, now) for each in found
        ]
        if not self._look.passwords:
            words = objects.NO_PASSWORDS.format(
                source=sides.publisher.value, target=sides.subscriber.value
            )
            alarms.append(Alert(Cause.ROLE, "", "passwords", words, False, now))
        if self._context.takes_former_password(sides.subscriber):
            alarms.append(former_password(self._context, sides.subscriber, now))
        counted = [objects.counted(found)]
        accepted = set(self._context.fact(ACCEPTED) or ())
        if taken := [each for each in every if each not in found and each.key in accepted]:
            counted.append(f"{len(taken)} accepted by name")
        for name in await self._given_up(sides.publisher):
            words = f"database {quoted(name)} is given up by name: it would be left behind"
            alarms.append(Alert(Cause.SCHEMA, name, "given up", words, False, now))
            counted.append(f"database {name} given up")
        return ProbeResult(now, tuple(alarms), "", counted="; ".join(filter(None, counted)))

    async def _given_up(self, publisher: Role) -> list[str]:
        """Return the databases that are given up by name; those that are gone are struck out."""
        known = schema_drift.given_up(self._context)
        there = await self._context.databases(publisher) if known else []
        left = [name for name in known if name in there]
        if left != known:
            gone = ", ".join(quoted(name) for name in known if name not in left)
            words = f"given up by name before, and not on {publisher.value}: {gone}"
            self._evidence(words, key=schema_drift.GIVEN_UP, value=left)
        return left

    def _keep(self, found: Sequence[Unlike]) -> None:
        words = [each.words for each in found]
        if words != self._said and (words or (self._context.fact(FACT) or {}).get("items")):
            head = "roles, grants and code are alike on both sides again"
            if found:
                head = f"not alike on both sides: {objects.counted(found)}"
            value = {"at": self._context.now().isoformat(), "items": words}
            self._evidence(head, key=FACT, value=value)
        self._said = words


def former_password(context: RunContext, role: Role, now: datetime) -> Alert:
    """Return that a cluster was not reached by a rotation of the plan's user's password."""
    user = quoted(context.plan.credentials.user)
    words = (
        f"{role.value} takes the former password of {user} alone: it was changed on the other side"
    )
    return Alert(Cause.ROLE, "", f"former password of {role.slug}", words, False, now)
