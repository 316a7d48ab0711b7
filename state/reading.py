"""The read models of the journal: rows turned into values."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from state.enums import REPAIR, Status
from state.errors import NoSuchRun
from state.lock import read_holder
from state.masking import masked
from state.rebasing import base
from state.records import (
    Attempt,
    Decision,
    Effect,
    Event,
    Evidence,
    Handover,
    Holder,
    Json,
    Run,
    RunSummary,
    Sample,
    TrackEntry,
)
from state.rows import R, record, status_of, to_object
from state.store import Store
from state.times import from_text, now, to_text

PROTECTION_FRESH = timedelta(seconds=15)
"""How long a finding of protection stands; older, it is unknown."""

CLOCKS_DIFFER = timedelta(seconds=2)
"""How far in the future a time may lie: clocks are nudged, and those of two hosts differ."""

_RUN = (
    "SELECT run.*, (SELECT track FROM track_entry WHERE track_entry.run = run.id "
    "ORDER BY track_entry.id DESC LIMIT 1) AS track FROM run"
)
_AWAY = (
    "SELECT * FROM handover WHERE kind = 'given' "
    "AND id IN (SELECT max(id) FROM handover GROUP BY run)"
)
_ATTEMPT = (
    "SELECT attempt.*, track_entry.track FROM attempt JOIN track_entry ON track_entry.id = entry"
)


class Reader:
    """What can be asked of a journal; on a read-only one this is all there is."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def runs(self) -> list[RunSummary]:
        """Return all runs, newest first."""
        with self._store.reading():
            return [self._summary(run) for run in self._runs("ORDER BY seq DESC")]

    def run(self, run: str = "") -> Run:
        """Return a run by its id or the only one that begins so.

        "" and "latest" mean the newest open one, or else the newest. Raises `NoSuchRun`.
        """
        if run in ("", "latest"):
            found = self._runs("ORDER BY closed_at IS NULL DESC, seq DESC LIMIT 1")
        else:
            found = self._runs("WHERE id = ?", run) or self._runs(
                "WHERE substr(id, 1, length(?)) = ? ORDER BY seq DESC", run, run
            )
        if len(found) == 1:
            return found[0]
        known = found or self._runs("ORDER BY seq DESC")
        raise NoSuchRun(run, [each.id for each in known], ambiguous=bool(found))

    def entries(self, run: str) -> list[TrackEntry]:
        """Return the run's way over the tracks, first to last."""
        query = "SELECT * FROM track_entry WHERE run = ? ORDER BY id"
        return self._all(TrackEntry, query, run)

    def handovers(self, run: str) -> list[Handover]:
        """Return how the right to act on the run passed to and from this machine, in order."""
        query = "SELECT * FROM handover WHERE run = ? ORDER BY id"
        return self._all(Handover, query, run)

    def attempts(self, run: str) -> list[Attempt]:
        """Return every attempt with its effects, in order."""
        return self._attempts("WHERE attempt.run = ?", run)

    def decisions(self, run: str) -> list[Decision]:
        """Return what was decided at gates, in order."""
        query = "SELECT * FROM decision WHERE run = ? ORDER BY id"
        return self._all(Decision, query, run)

    def evidences(
        self, run: str, step: str | None = None, *, key: str | None = None
    ) -> list[Evidence]:
        """Return what was seen, in order; of one step or of all, under one key or under any."""
        return self._evidences(
            "WHERE run = ? AND step = coalesce(?, step) AND key = coalesce(?, key) ORDER BY id",
            run,
            None if step is None else masked(step),
            None if key is None else masked(key),
        )

    def fact(self, run: str, key: str) -> Json | None:
        """Return the latest value kept under `key`, or None if there is none."""
        found = self._latest(run, key)
        return found.value if found else None

    def facts(self, run: str) -> dict[str, Evidence]:
        """Return the latest evidence of each key."""
        latest = self._evidences(
            "WHERE id IN (SELECT max(id) FROM evidence WHERE run = ? AND key <> '' GROUP BY key) "
            "ORDER BY id",
            run,
        )
        return {evidence.key: evidence for evidence in latest}

    def live(self, run: str) -> dict[str, Any] | None:
        """Return the figures that the run's holder put up last, or None if it never did."""
        query = "SELECT value FROM board WHERE run = ?"
        found = self._store.records(lambda row: to_object(row["value"]), query, [run])
        return found[0] if found else None

    def events(self, run: str, *, after: int = 0, limit: int = 200) -> list[Event]:
        """Return the newest `limit` events with an id beyond `after`, in order; all for -1."""
        newest = "SELECT * FROM event WHERE run = ? AND id > ? ORDER BY id DESC LIMIT ?"
        return self._all(Event, newest, run, after, limit)[::-1]

    def samples_of(
        self,
        run: str,
        kind: str | None = None,
        subject: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Sample]:
        """Return the measured values by time; of one kind, one subject, `since` then, `until` then.

        Both ends are included.
        """
        return self._all(
            Sample,
            "SELECT at, kind, subject, value FROM sample WHERE run = ? "
            "AND kind = coalesce(?, kind) AND subject = coalesce(?, subject) AND at >= ? "
            "AND at <= coalesce(?, at) ORDER BY at, id",
            *(run, kind, subject),
            to_text(since) if since else "",
            to_text(until) if until else None,
        )

    def snapshot(self) -> AbstractContextManager[None]:
        """Let the questions of a block be answered from one and the same state."""
        return self._store.reading()

    def data_version(self) -> int:
        """Return a number that changes whenever anybody, this journal too, has written."""
        return self._store.data_version()

    def holder(self) -> Holder | None:
        """Return who writes the journal, as far as this host can tell; None if nobody does."""
        with self._store.reading():
            written = read_holder(self._store.db)
        return written.holder if written and written.may_live else None

    def _all(self, kind: type[R], query: str, *parameters: object) -> list[R]:
        return self._store.records(lambda row: record(kind, row), query, parameters)

    def _runs(self, clause: str, *parameters: object) -> list[Run]:
        with self._store.reading():
            away = {each.run: each for each in self._all(Handover, _AWAY)}
            return self._store.records(
                lambda row: record(Run, row, away=away.get(row["id"])),
                f"{_RUN} {clause}",
                parameters,
            )

    def _attempts(self, clause: str, *parameters: object) -> list[Attempt]:
        with self._store.reading():
            unheld = self.holder() is None
            effects: dict[int, list[Effect]] = {}
            for effect in self._all(
                Effect,
                f"SELECT effect.* FROM effect JOIN attempt ON attempt.id = attempt {clause} "  # noqa: S608
                "ORDER BY effect.id",
                *parameters,
            ):
                effects.setdefault(effect.attempt, []).append(effect)
            return self._store.records(
                lambda row: record(
                    Attempt,
                    row,
                    status=status_of(row, unheld=unheld),
                    effects=tuple(effects.get(row["id"], ())),
                ),
                f"{_ATTEMPT} {clause} ORDER BY attempt.id",
                parameters,
            )

    def _evidences(self, clause: str, *parameters: object) -> list[Evidence]:
        return self._all(Evidence, f"SELECT * FROM evidence {clause}", *parameters)  # noqa: S608

    def _latest(self, run: str, key: str) -> Evidence | None:
        latest = "WHERE run = ? AND key = ? ORDER BY id DESC LIMIT 1"
        found = self._evidences(latest, run, masked(key))
        return found[0] if found and key else None

    def _summary(self, run: Run) -> RunSummary:
        entries = self.entries(run.id)
        last = self._store.rows(
            "SELECT step, status FROM attempt WHERE run = ? AND entry >= ? "
            "AND substr(step, 1, ?) <> ? ORDER BY id DESC LIMIT 1",
            [run.id, base(entries), len(REPAIR), REPAIR],
        )
        protected, seen_at = self._protection(run.id)
        # Where nobody watches any more, the last look is not the present.
        unheld = self.holder() is None
        late = seen_at is None or _ahead(seen_at) or now() - seen_at > PROTECTION_FRESH
        return RunSummary(
            run=run.id,
            cluster=run.cluster,
            track=run.track,
            step=last[0]["step"] if last else "",
            status=status_of(last[0], unheld=unheld) if last else Status.PENDING,
            protected=None if late or unheld else protected,
            started_at=run.started_at,
            environment=run.environment,
            result=run.result,
            open=run.open,
            slots_held=bool(self.fact(run.id, "slots")),
            protection_seen_at=seen_at,
            last_protected=protected,
            variant=entries[-1].variant,
            away=run.away,
            figures=self.live(run.id) if run.open else None,
        )

    def _protection(self, run: str) -> tuple[bool | None, datetime | None]:
        """Return the latest finding, kept as a fact or shown on the board, and its time."""
        findings = []
        if kept := self._latest(run, "protection"):
            findings.append(_finding(kept.value, kept.at))
        findings += self._store.records(
            lambda row: _finding(to_object(row["value"]).get("protection"), from_text(row["at"])),
            "SELECT at, value FROM board WHERE run = ?",
            [run],
        )
        # What was seen before a clock was set back is not the latest for the rest of the night.
        timely = [finding for finding in findings if not _ahead(finding[1])]
        return max(timely or findings, key=lambda finding: finding[1], default=(None, None))


def _ahead(at: datetime | None) -> bool:
    """Return whether a time lies in the future, by more than clocks are nudged."""
    return at is not None and at - now() > CLOCKS_DIFFER


def _finding(value: Json, written_at: datetime) -> tuple[bool | None, datetime]:
    """Return whether a value says `protected`, and when that was seen.

    That is the time which the value names, if it is earlier than its being written.
    """
    said = value if isinstance(value, dict) else {}
    looking = bool(said.get("looking"))
    protected = said.get("before" if looking else "protected")
    try:
        seen_at = from_text(said["before_at" if looking else "at"])
    except (KeyError, TypeError, ValueError):
        seen_at = written_at
    if seen_at.tzinfo is None or seen_at > written_at:
        seen_at = written_at
    return (protected if isinstance(protected, bool) else None), seen_at
