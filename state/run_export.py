"""An export: everything that the journal holds of one run, apart from any journal.

Rows are numbered from 1 within their table, in the order in which they were written; so two
journals that hold the same history of a run make the same export, whatever else they hold. The path
of the plan file is left out, since it is each machine's own, and so are the live figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field
from sqlite_utils import Database

from state.enums import Environment, Outcome, Result, Status, Track
from state.errors import BadHandover
from state.records import Json
from state.store import Row as Stored
from state.store import Store
from state.times import from_text, to_text


def _time(text: str) -> str:
    if len(text) != len("2026-05-02T23:14:05.000123Z") or to_text(from_text(text)) != text:
        raise ValueError("is no time in UTC with microseconds")
    return text


Time = Annotated[str, AfterValidator(_time)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class RunRow(_Part):
    """A run, as it began, with its result so far."""

    # It becomes a part of file names.
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    cluster: str
    cluster_resource_id: str
    account: str
    region: str
    environment: Environment
    plan: dict[str, Any]
    started_at: Time
    result: Result | None
    closed_at: Time | None


class EntryRow(_Part):
    """A stay on a track."""

    track: Track
    # `way` in a file of version 1.
    variant: Annotated[str, Field(validation_alias=AliasChoices("variant", "way"))]
    from_step: str
    reason: str
    at: Time


class AttemptRow(_Part):
    """An attempt that has ended; `entry` is the number of its stay."""

    entry: int
    step: str
    number: int
    status: Status
    started_at: Time
    ended_at: Time
    message: str
    decided: str


class EffectRow(_Part):
    """An effect with its outcome; `attempt` is the number of its attempt."""

    attempt: int
    key: str
    title: str
    preview: str
    intent_at: Time
    outcome: Outcome
    outcome_at: Time
    detail: dict[str, Any]
    decided: str


class DecisionRow(_Part):
    """What a person decided; `entry` is the number of the stay."""

    entry: int
    step: str
    gate: str
    who: str
    typed: str
    at: Time


class EvidenceRow(_Part):
    """What was seen; `attempt` is the number of an attempt, or None."""

    attempt: int | None
    step: str
    key: str
    text: str
    value: Any
    at: Time


class EventRow(_Part):
    """A line of the tail; numbers of rows in `data` are those of the export."""

    at: Time
    kind: str
    text: str
    data: dict[str, Any]


class SampleRow(_Part):
    """A measured value; None was unknown."""

    at: Time
    kind: str
    subject: str
    value: float | None


class RunExport(_Part):
    """One run: its row, and the rows of each table that belong to it."""

    run: RunRow
    track_entry: tuple[EntryRow, ...]
    attempt: tuple[AttemptRow, ...]
    effect: tuple[EffectRow, ...]
    decision: tuple[DecisionRow, ...]
    evidence: tuple[EvidenceRow, ...]
    event: tuple[EventRow, ...]
    sample: tuple[SampleRow, ...]


ROWS: Mapping[str, type[_Part]] = {
    "track_entry": EntryRow,
    "attempt": AttemptRow,
    "effect": EffectRow,
    "decision": DecisionRow,
    "evidence": EvidenceRow,
    "event": EventRow,
    "sample": SampleRow,
}
_JSON = ("plan", "detail", "value", "data")
_POINTERS = {"entry": "track_entry", "attempt": "attempt"}
"""Columns that hold the number of another table's row."""
_TOLD_POINTERS = {"attempt": "attempt", "effect": "effect", "evidence": "evidence"}
"""Members of an event's data that do."""

Numbers = Mapping[str, Mapping[int, int]]
_ATTEMPT_END = ("status", "ended_at", "message", "decided")
_EFFECT_END = ("outcome", "outcome_at", "detail", "decided")
"""Columns that say how a row has ended; the first tells whether it has."""
_OF_RUN = {"effect": "attempt IN (SELECT id FROM attempt WHERE run = ?)"}


def export_run(store: Store, run: str) -> RunExport:
    """Return the export of a run that has no open attempt; to be called in one transaction."""
    found = {table: _rows(store, table, run) for table in ROWS}
    numbers = {
        table: {row["id"]: number for number, row in enumerate(rows, start=1)}
        for table, rows in found.items()
    }
    head = store.rows("SELECT * FROM run WHERE id = ?", [run])[0]
    return RunExport(
        run=RunRow(**_values(RunRow, "run", head, {})),
        **{
            table: [_values(ROWS[table], table, row, numbers) for row in rows]
            for table, rows in found.items()
        },  # type: ignore[arg-type]
    )


def ids_of(store: Store, run: str) -> dict[str, list[int]]:
    """Return the numbers that the rows of a run have in this journal, for each table."""
    return {table: [row["id"] for row in _rows(store, table, run)] for table in ROWS}


def _rows(store: Store, table: str, run: str) -> list[Stored]:
    of_run = _OF_RUN.get(table, "run = ?")
    return store.rows(f"SELECT * FROM {table} WHERE {of_run} ORDER BY id", [run])  # noqa: S608


def _values(part: type[_Part], table: str, row: Stored, numbers: Numbers) -> dict[str, Json]:
    values = {name: row[name] for name in part.model_fields}
    for name in _JSON:
        if name in values and table != "sample":
            values[name] = json.loads(values[name])
    return _pointing(table, values, numbers)


def _pointing(table: str, values: dict[str, Json], numbers: Numbers) -> dict[str, Json]:
    """Return the values of a row with the numbers of other rows exchanged."""
    for name, of in _POINTERS.items():
        if name in values and values[name] is not None and numbers:
            values[name] = _exchanged(values[name], numbers[of])
    if table == "event":
        values["data"] = {
            name: _exchanged(value, numbers[_TOLD_POINTERS[name]])
            if name in _TOLD_POINTERS and type(value) is int
            else value
            for name, value in values["data"].items()
        }
    return values


def _exchanged(number: int, numbers: Mapping[int, int]) -> int:
    try:
        return numbers[number]
    except KeyError:
        raise ValueError(f"a row points to row {number}, which is not of the run") from None


def refuse_fork(known: RunExport, found: RunExport) -> None:
    """Raise `BadHandover` unless an export begins with what is known and goes on from there.

    Rows are only ever added; but a result changes while a run goes on, and what was unknown may
    have been decided since.
    """
    loose = {"result": None, "closed_at": None}
    if known.run.model_copy(update=loose) != found.run.model_copy(update=loose):
        raise _forked("the run's own row differs")
    for table in ROWS:
        ours: Sequence[_Part] = getattr(known, table)
        theirs: Sequence[_Part] = getattr(found, table)
        if len(theirs) < len(ours):
            raise _forked(f"{table}: {len(ours)} rows are here, {len(theirs)} in the file")
        for number, (old, new) in enumerate(zip(ours, theirs, strict=False), start=1):
            if old != new and not _decided_since(old, new):
                raise _forked(f"{table}: row {number} differs")


def _decided_since(old: _Part, new: _Part) -> bool:
    if isinstance(old, AttemptRow) and isinstance(new, AttemptRow):
        changed = {"status": None, "message": None, "decided": None}
        was, became = old.status is Status.UNKNOWN, new.status is not Status.UNKNOWN
    elif isinstance(old, EffectRow) and isinstance(new, EffectRow):
        changed = {"outcome": None, "outcome_at": None, "detail": None, "decided": None}
        was, became = old.outcome is Outcome.UNKNOWN, new.outcome is not Outcome.UNKNOWN
    else:
        return False
    same = old.model_copy(update=changed) == new.model_copy(update=changed)
    return same and was and became and not old.decided and bool(new.decided)


def _forked(where: str) -> BadHandover:
    return BadHandover(
        f"The file and this journal have different histories ({where}): two machines changed this "
        "run. Nothing was taken over. Compare both reports (blueprime report), and go on with the "
        "one that matches the clusters."
    )


def import_run(db: Database, row: RunRow, plan_path: Path) -> None:
    """Write a run's row, as it stood when it began."""
    values = row.model_dump(mode="json", exclude={"result", "closed_at"})
    db.table("run").insert({**values, "plan": _text(row.plan), "plan_path": str(plan_path)})


def import_rows(db: Database, found: RunExport, ids: Mapping[str, list[int]]) -> None:
    """Write what an export holds beyond the rows of these ids, and what was decided of those.

    The run's row is there and open to be written. Goes through the schema's guards in the order in
    which it was lived, attempt by attempt; to be called in a transaction.
    """
    run = found.run.id
    if ids["track_entry"]:
        db.execute("UPDATE run SET closed_at = NULL WHERE id = ? AND closed_at NOT NULL", [run])
    numbers = {table: dict(enumerate(known, start=1)) for table, known in ids.items()}

    def add(table: str, number: int, part: _Part, **instead: object) -> None:
        if number in numbers[table]:
            return
        values = _pointing(table, part.model_dump(mode="json"), numbers) | instead
        if table != "effect":
            values["run"] = run
        for name in _JSON:
            if name in values and table != "sample":
                values[name] = _text(values[name])
        numbers[table][number] = int(db.table(table).insert(values).last_rowid or 0)

    for number, entry in enumerate(found.track_entry, start=1):
        add("track_entry", number, entry)
    effects: dict[int, list[tuple[int, EffectRow]]] = {}
    for number, effect in enumerate(found.effect, start=1):
        effects.setdefault(effect.attempt, []).append((number, effect))
    for number, attempt in enumerate(found.attempt, start=1):
        open_again = {"status": "running", "ended_at": None, "message": "", "decided": ""}
        add("attempt", number, attempt, **open_again)
        for place, effect in effects.get(number, []):
            add("effect", place, effect, outcome=None, outcome_at=None, detail={}, decided="")
            _end(db, "effect", numbers["effect"][place], effect, _EFFECT_END)
        _end(db, "attempt", numbers["attempt"][number], attempt, _ATTEMPT_END)
    for table in ("decision", "evidence", "event", "sample"):
        for number, part in enumerate(getattr(found, table), start=1):
            add(table, number, part)
    db.execute(
        "UPDATE run SET result = ?, closed_at = ? WHERE id = ?",
        [found.run.result, found.run.closed_at, run],
    )


def _end(db: Database, table: str, number: int, part: _Part, columns: Sequence[str]) -> None:
    """Write how a row has ended, where it does not say so yet."""
    values = part.model_dump(mode="json", include=set(columns))
    if "detail" in values:
        values["detail"] = _text(values["detail"])
    changes = ", ".join(f"{column} = :{column}" for column in columns)
    db.execute(
        f"UPDATE {table} SET {changes} WHERE id = :id AND {columns[0]} IS NOT :{columns[0]}",  # noqa: S608
        {**values, "id": number},
    )


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
