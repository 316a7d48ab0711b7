"""Schema drift between the two held sides, kept as a fact for as long as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from runbook.base.alert import Alert, Cause, ProbeResult
from runbook.base.clocks import age
from runbook.base.context import RunContext
from runbook.base.pair import ReplicationPair, current_pair, publication_name
from runbook.proofs import diverged, recreated_tables, schema_drift, unsent
from runbook.proofs.schema_drift import Drift, SchemaSurvey
from state.journal import Journal

REST = 9.0
"""A look is followed by a pause of so many times what its stamps took: it takes at most a tenth
of one core of production, whatever there is to look at."""

REST_COMPARED = 1.0
"""And of so many times what the comparison took that a change has called for."""


class SchemasProbe:
    """Compares the schemas, and keeps in the journal what changes."""

    def __init__(self, context: RunContext, journal: Journal) -> None:
        self._context = context
        self._evidence = partial(journal.evidence, context.run, "monitor")
        self._look: SchemaSurvey | None = None
        self._drifts: list[Drift] | None = None
        self.rest_s = 0.0
        """The pause that the last look asks for."""

    async def look(self, databases: Sequence[str]) -> ProbeResult:
        """Return every difference between the two sides."""
        if self._look is None:
            self._look = SchemaSurvey(self._context, publication_name(self._context))
        now = self._context.now()
        sides = current_pair(self._context)
        found = await self._look.look(sides, databases)
        before = schema_drift.kept(self._context) if self._drifts is None else self._drifts
        known = recreated_tables.kept(self._context)
        anew: set[unsent.Table] = set()
        former: set[unsent.Table] = set()
        for database, seen in self._look.numbered.items():
            late = recreated_tables.anew(sides, seen, known.get(database), [*before, *found])
            whole = recreated_tables.whole(sides, seen, known.get(database), late)
            anew.update((database, *name) for name in late)
            former.update((database, *name) for name in whole)
        if (
            tables := await unsent.counted(
                self._context, sides.publisher, before, found, anew, former
            )
        ) is not None:
            words = "; ".join(each.words for each in tables) or "no table is known to differ"
            self._evidence(words, key=diverged.FACT, value=diverged.as_json(tables))
        self._keep_numbers(sides, known)
        self.rest_s = REST * self._look.stamps_s + REST_COMPARED * self._look.compared_s
        if found != self._drifts and (found or schema_drift.kept(self._context)):
            self._keep(found, now)
        self._drifts = found
        alarms = (
            Alert(Cause.SCHEMA, each.database, each.subject, each.words, each.breaks, now)
            for each in found
        )
        return ProbeResult(now, tuple(alarms), "")

    def _keep_numbers(
        self, sides: ReplicationPair, known: Mapping[str, recreated_tables.Kept]
    ) -> None:
        assert self._look is not None
        seen = {
            database: recreated_tables.looked(sides, pairs, known.get(database))
            for database, pairs in self._look.numbered.items()
        }
        if any(database not in known or known[database] != seen[database] for database in seen):
            self._evidence("", key=recreated_tables.FACT, value={**known, **seen})

    def _keep(self, found: list[Drift], now: datetime) -> None:
        words = "the schemas are alike again"
        if found:
            more = f", and {len(found) - 1} more" if found[1:] else ""
            words = f"the schemas differ: {found[0].words}{more}"
        value = {"at": now.isoformat(), "drifts": [each.as_json() for each in found]}
        self._evidence(words, key=schema_drift.FACT, value=value)


def latest(context: RunContext, own: ProbeResult) -> ProbeResult:
    """Return the later of the watch's comparison and a step's own (the fact `schema`).

    A later look of the watch that failed is not repaired by an earlier good one, nor by one that a
    clock set back has put into the future.
    """
    kept = context.fact("schema")
    if kept is None:
        return own
    at = datetime.fromisoformat(kept["at"])
    ahead = age(at, context.now()) is None
    if own.at is not None and (own.at > at or ahead):
        return own
    alarms = (Alert(Cause.SCHEMA, "", words, words, True, at) for words in kept["differences"])
    return ProbeResult(at, tuple(alarms), "")
