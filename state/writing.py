"""What can be told to the journal.

Each write is a transaction of its own, on disk at its return, together with the line of the event
tail that tells it to a person. Texts and values are masked on their way in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from sqlite_utils import Database

from state.ending import Begun, end
from state.enums import Environment, Outcome, Result, Status, Track
from state.errors import Refused
from state.insert import NOTHING, insert, tell, to_json
from state.masking import masked
from state.records import Attempt, Decision, Effect, Event, Evidence, Json, Run, Sample, TrackEntry
from state.refusals import Refusals, refuse_nobody, refuse_unless_there
from state.store import Store
from state.times import now, to_text

_DONE_WORDS = {
    Outcome.SUCCEEDED: "done",
    Outcome.ADOPTED: "already there",
    Outcome.FAILED: "failed",
    Outcome.UNKNOWN: "unknown",
}


class Writer(Refusals):
    """The writes; they raise `Refused` for what breaks a rule, and `JournalUnusable`."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._begun = Begun()

    def together(self) -> AbstractContextManager[object]:
        """Let the writes of a block be one: all of them are kept, or none."""
        return self._store.writing()

    def start_run(
        self,
        run_id: str,
        *,
        cluster: str,
        cluster_resource_id: str,
        account: str,
        region: str,
        environment: Environment,
        plan: Mapping[str, Json],
        plan_path: str,
        track: Track = Track.UPGRADE,
    ) -> Run:
        """Open a run on its first track; raise `RunIsOpen` if the cluster has an open one."""
        with self._store.writing() as db:
            self._refuse_open_run(cluster_resource_id)
            if environment is Environment.AWS:
                self._refuse_open_name(cluster, account, region)
            insert(
                db,
                "run",
                id=run_id,
                cluster=cluster,
                cluster_resource_id=cluster_resource_id,
                account=account,
                region=region,
                environment=environment,
                plan=to_json(plan),
                plan_path=plan_path,
                started_at=to_text(now()),
            )
            _insert_entry(db, run_id, track, variant="", from_step="", reason="")
            tell(db, run_id, "run", f"run: {run_id} of cluster {cluster} starts on {track}")
        return self.run(run_id)

    def enter_track(
        self, run: str, track: Track, *, variant: str = "", from_step: str = "", reason: str = ""
    ) -> TrackEntry:
        """Branch an open run onto another track: it rests nowhere then.

        Raises `Refused` while an attempt is open.
        """
        with self._store.writing() as db:
            self._open_run(run)
            self._refuse_open_attempt(run)
            former = self.entries(run)[-1]
            _insert_entry(db, run, track, variant=variant, from_step=from_step, reason=reason)
            db.execute("UPDATE run SET result = NULL WHERE id = ?", [run])
            via = f", {variant}" if variant else ""
            why = f" ({reason})" if reason else ""
            text = f"track: {former.track} -> {track}{via}{why}"
            tell(db, run, "track", text, {"from": former.track, "to": track, "variant": variant})
        return self.entries(run)[-1]

    def begin_attempt(self, run: str, step: str) -> Attempt:
        """Open the next attempt of a step in the current track entry."""
        with self._store.writing() as db:
            self._open_run(run)
            self._refuse_open_attempt(run)
            entry = self.entries(run)[-1].id
            earlier = "SELECT id FROM attempt WHERE entry = ? AND step = ?"
            number = 1 + len(self._store.rows(earlier, [entry, masked(step)]))
            attempt = insert(
                db,
                "attempt",
                run=run,
                entry=entry,
                step=step,
                number=number,
                started_at=to_text(now()),
            )
            again = f", attempt {number}" if number > 1 else ""
            tell(db, run, "attempt", f"step: {step} begins{again}", {"attempt": attempt})
        self._begun.note(attempt)
        return self._attempt(attempt)

    def intend(self, attempt: int, key: str, title: str, preview: str) -> int:
        """Write down that an effect is about to be performed; return its id.

        Raises `Refused` for an attempt that has ended.
        """
        with self._store.writing() as db:
            of = self._attempt(attempt)
            if of.status.ended:
                raise Refused(f"Attempt {of.number} of {of.step} has ended; it takes no effect.")
            effect = insert(
                db,
                "effect",
                attempt=attempt,
                key=key,
                title=title,
                preview=preview,
                intent_at=to_text(now()),
            )
            tell(db, of.run, "effect", f"intent: {title}", {"effect": effect, "key": key})
        return effect

    def settle(self, effect: int, outcome: Outcome, detail: Mapping[str, Json] = NOTHING) -> None:
        """Write down how an effect ended; once.

        Raises `Refused` for one that has an outcome.
        """
        with self._store.writing() as db:
            of, run = self._effect(effect)
            if of.outcome is not None:
                raise Refused(f"{of.title}: its outcome stands as {of.outcome}.")
            _settle(db, of, outcome, detail)
            error = f": {detail['error']}" if detail.get("error") else ""
            text = f"{_DONE_WORDS[outcome]}: {of.title}{error}"
            tell(db, run, "effect", text, {"effect": effect, "key": of.key, "outcome": outcome})

    def resolve(self, effect: int, outcome: Outcome, *, who: str, reason: str) -> None:
        """Turn an unknown outcome into a known one, as a person decided.

        Raises `Refused` for one that is known, and for a decision that nobody made.
        """
        with self._store.writing() as db:
            of, run = self._effect(effect)
            if of.outcome is not Outcome.UNKNOWN or outcome is Outcome.UNKNOWN:
                raise Refused(
                    f"{of.title}: only an unknown outcome can be decided, to a known one."
                )
            refuse_nobody(who)
            unknown_at = to_text(of.outcome_at) if of.outcome_at else None
            detail = {**of.detail, "reason": reason, "unknown_at": unknown_at}
            _settle(db, of, outcome, detail, decided=who)
            text = f"decided by {who}: {of.title} {outcome} ({reason})"
            data = {"effect": effect, "key": of.key, "outcome": outcome, "who": who}
            tell(db, run, "decision", text, data)

    def end_attempt(self, attempt: int, status: Status, message: str = "") -> None:
        """End an attempt.

        `succeeded` and `skipped` are refused unless each of its effects is there; any other end
        makes an intent that has no outcome `unknown`.

        Raises `Refused` for one that has ended, and for a success whose effects are not there.
        """
        with self._store.writing() as db:
            of = self._attempt(attempt)
            if not status.ended or of.status.ended:
                raise Refused(f"{of.step}: an attempt cannot go from {of.status} to {status}.")
            if status.done:
                refuse_unless_there(of)
            _forget_intents(db, of)
            end(db, of, status, message, self._begun.ended_at(db, of))

    def resolve_attempt(self, attempt: int, status: Status, *, who: str, reason: str) -> None:
        """Turn an unknown end into `succeeded` or `failed`, as a person decided.

        Raises `Refused` for one that is known, and for a decision that nobody made.
        """
        with self._store.writing() as db:
            of = self._attempt(attempt)
            if of.status is not Status.UNKNOWN or status not in (Status.SUCCEEDED, Status.FAILED):
                raise Refused(f"{of.step}: only an unknown end can be decided, to a known one.")
            refuse_nobody(who)
            if status.done:
                refuse_unless_there(of)
            db.execute(
                "UPDATE attempt SET status = ?, message = ?, decided = ? WHERE id = ?",
                [status, masked(reason), masked(who), attempt],
            )
            text = f"decided by {who}: step {of.step} {status} ({reason})"
            tell(db, of.run, "decision", text, {"attempt": attempt, "who": who})

    def decide(self, run: str, step: str, gate: str, *, who: str, typed: str) -> Decision:
        """Write down what a person decided at a gate."""
        with self._store.writing() as db:
            self._open_run(run)
            refuse_nobody(who)
            insert(
                db,
                "decision",
                run=run,
                entry=self.entries(run)[-1].id,
                step=step,
                gate=gate,
                who=who,
                typed=typed,
                at=to_text(now()),
            )
            text = f"decision: {who} said yes to {gate} at {step}"
            tell(db, run, "decision", text, {"gate": gate, "step": step, "who": who})
        return self.decisions(run)[-1]

    def evidence(
        self,
        run: str,
        step: str,
        text: str,
        *,
        key: str = "",
        value: Json = None,
        attempt: int | None = None,
    ) -> Evidence:
        """Keep what was seen; with a `key`, as the fact that later steps read.

        An empty `text` keeps it out of the tail: for facts that are renewed every few seconds.
        """
        with self._store.writing() as db:
            self._exact_run(run)
            evidence = insert(
                db,
                "evidence",
                run=run,
                attempt=attempt,
                step=step,
                key=key,
                text=text,
                value=to_json(value),
                at=to_text(now()),
            )
            if text:
                tell(db, run, "evidence", f"seen: {text}", {"evidence": evidence, "step": step})
        return self._evidences("WHERE id = ?", evidence)[0]

    def event(self, run: str, kind: str, text: str, data: Mapping[str, Json] = NOTHING) -> Event:
        """Add a line to the tail."""
        with self._store.writing() as db:
            self._exact_run(run)
            event = tell(db, run, kind, text, data)
        return self.events(run, after=event - 1, limit=1)[0]

    def samples(self, run: str, samples: Sequence[Sample]) -> None:
        """Keep measured values for drawing the past."""
        with self._store.writing() as db:
            self._exact_run(run)
            for sample in samples:
                insert(
                    db,
                    "sample",
                    run=run,
                    at=to_text(sample.at),
                    kind=sample.kind,
                    subject=sample.subject,
                    value=sample.value,
                )

    def publish(self, run: str, dashboard: Mapping[str, Json]) -> None:
        """Put up the run's live figures for whoever watches; only the latest are kept."""
        with self._store.writing() as db:
            self._exact_run(run)
            db.execute(
                "INSERT INTO board (run, at, value) VALUES (?, ?, ?) "
                "ON CONFLICT (run) DO UPDATE SET at = excluded.at, value = excluded.value",
                [run, to_text(now()), to_json(dashboard)],
            )

    def mark_unknown(self, run: str) -> list[Effect]:
        """Say `unknown` of what a former process left open; return those effects.

        To be called when a run is opened, before anything else. It changes nothing but words:
        each intent without outcome, and the open attempt, become unknown.
        """
        left: list[Effect] = []
        with self._store.writing() as db:
            for attempt in self._attempts("WHERE attempt.run = ? AND ended_at IS NULL", run):
                left += _forget_intents(db, attempt)
                at = self._begun.ended_at(db, attempt)
                words = "The process that tried it ended meanwhile."
                end(db, attempt, Status.UNKNOWN, words, at)
        return [self._effect(effect.id)[0] for effect in left]

    def set_result(self, run: str, result: Result | None) -> None:
        """Say where an open run rests, e.g. protected; None while it is under way again."""
        with self._store.writing() as db:
            self._open_run(run)
            db.execute("UPDATE run SET result = ? WHERE id = ?", [result, run])
            tell(db, run, "run", f"run: {result}" if result else "run: under way again")

    def close_run(self, run: str, result: Result) -> Run:
        """End a run; refused while an attempt is open."""
        with self._store.writing() as db:
            self._open_run(run)
            self._refuse_open_attempt(run)
            db.execute(
                "UPDATE run SET result = ?, closed_at = ? WHERE id = ?",
                [result, to_text(now()), run],
            )
            tell(db, run, "run", f"run: closed, {result}", {"result": result})
        return self.run(run)

    def reopen_run(self, run: str) -> Run:
        """Open a closed run again, so that it can go onto another track.

        Raises `Refused` for one that is open.
        """
        with self._store.writing() as db:
            record = self._exact_run(run)
            if record.open:
                raise Refused(f"Run {run} is open.")
            self._refuse_open_run(record.cluster_resource_id)
            if record.environment is Environment.AWS:
                self._refuse_open_name(record.cluster, record.account, record.region)
            db.execute("UPDATE run SET closed_at = NULL WHERE id = ?", [run])
            tell(db, run, "run", "run: opened again")
        return self.run(run)


def _insert_entry(
    db: Database, run: str, track: Track, *, variant: str, from_step: str, reason: str
) -> None:
    insert(
        db,
        "track_entry",
        run=run,
        track=track,
        variant=variant,
        from_step=from_step,
        reason=reason,
        at=to_text(now()),
    )


def _settle(
    db: Database, effect: Effect, outcome: Outcome, detail: Mapping[str, Json], decided: str = ""
) -> None:
    db.execute(
        "UPDATE effect SET outcome = ?, outcome_at = ?, detail = ?, decided = ? WHERE id = ?",
        [outcome, to_text(now()), to_json(detail), masked(decided), effect.id],
    )


def _forget_intents(db: Database, attempt: Attempt) -> list[Effect]:
    """Make each intent of an attempt that has no outcome unknown, and return those."""
    left = [effect for effect in attempt.effects if effect.outcome is None]
    for effect in left:
        _settle(db, effect, Outcome.UNKNOWN, {"error": "Its outcome was not seen."})
        data = {"effect": effect.id, "key": effect.key, "outcome": Outcome.UNKNOWN}
        tell(db, attempt.run, "effect", f"unknown: {effect.title}", data)
    return left
