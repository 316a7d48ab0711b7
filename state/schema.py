"""The journal's tables, as numbered migrations, each in one transaction.

The guards are in the schema, so that they hold for any program that opens the file:

- one open run a cluster resource id, one open attempt a run;
- words checked, JSON valid, times in UTC with microseconds;
- what was written stays: triggers refuse DELETE, and UPDATE of anything but an end that has not
  come yet; the board alone, which shows the present, is written over. Each guard against a second
  row is a trigger beside its unique index, since `INSERT OR REPLACE` deletes the first row without
  firing DELETE triggers unless `recursive_triggers` is on;
- of a run that was handed over nothing is written at all, until it comes back: another machine
  acts on it, and what stands here must stay the beginning of what stands there.
"""

from __future__ import annotations

from contextlib import closing
from enum import StrEnum

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from state import renamed_steps
from state.enums import Environment, HandoverKind, Outcome, Result, Track

APPLICATION_ID = 0x62707231
"""`PRAGMA application_id` of a journal: tells it from any other SQLite file."""

migrations = Migrations("journal")


def _words(enum: type[StrEnum]) -> str:
    return ", ".join(f"'{word.value}'" for word in enum)


def _time(column: str) -> str:
    digits = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "f": 6}
    number = {part: "[0-9]" * count for part, count in digits.items()}
    shape = "{Y}-{m}-{d}T{H}:{M}:{S}.{f}Z".format(**number)
    return f"CHECK ({column} GLOB '{shape}')"


def _refuse(name: str, on: str, when: str, why: str) -> str:
    return (
        f"CREATE TRIGGER {name} BEFORE {on} FOR EACH ROW WHEN {when} "
        f"BEGIN SELECT RAISE(ABORT, '{why}'); END"
    )


def _append_only(table: str, *, key: str = "id", updates: bool = False) -> list[str]:
    """Return triggers that keep each row of `table` as it was written."""
    triggers = [
        _refuse(f"{table}_stays", f"DELETE ON {table}", "1", f"{table}: nothing is deleted"),
        _refuse(
            f"{table}_once",
            f"INSERT ON {table}",
            f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})",  # noqa: S608
            f"{table}: this row exists",
        ),
    ]
    if not updates:
        triggers.append(
            _refuse(f"{table}_fixed", f"UPDATE ON {table}", "1", f"{table}: nothing is changed")
        )
    return triggers


def _fixed(table: str, *columns: str) -> str:
    changed = " OR ".join(f"NEW.{column} IS NOT OLD.{column}" for column in columns)
    return _refuse(f"{table}_fixed", f"UPDATE ON {table}", f"({changed})", f"{table}: fixed")


_TABLES = f"""
CREATE TABLE writer (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    host TEXT NOT NULL, pid INTEGER NOT NULL, user TEXT NOT NULL,
    process_start TEXT NOT NULL, since TEXT NOT NULL {_time("since")});

CREATE TABLE run (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE CHECK (id <> ''),
    cluster TEXT NOT NULL, cluster_resource_id TEXT NOT NULL CHECK (cluster_resource_id <> ''),
    account TEXT NOT NULL, region TEXT NOT NULL,
    environment TEXT NOT NULL CHECK (environment IN ({_words(Environment)})),
    plan TEXT NOT NULL CHECK (json_valid(plan)), plan_path TEXT NOT NULL,
    started_at TEXT NOT NULL {_time("started_at")},
    result TEXT CHECK (result IN ({_words(Result)})),
    closed_at TEXT {_time("closed_at")},
    CHECK (closed_at IS NULL OR result IS NOT NULL));

CREATE TABLE track_entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES run (id),
    track TEXT NOT NULL CHECK (track IN ({_words(Track)})),
    way TEXT NOT NULL, from_step TEXT NOT NULL, reason TEXT NOT NULL,
    at TEXT NOT NULL {_time("at")}, UNIQUE (id, run));

CREATE TABLE attempt (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, entry INTEGER NOT NULL,
    step TEXT NOT NULL CHECK (step <> ''), number INTEGER NOT NULL CHECK (number >= 1),
    status TEXT NOT NULL DEFAULT 'running'
        CHECK (status IN ('running', 'succeeded', 'failed', 'unknown', 'skipped')),
    started_at TEXT NOT NULL {_time("started_at")}, ended_at TEXT {_time("ended_at")},
    message TEXT NOT NULL DEFAULT '', decided TEXT NOT NULL DEFAULT '',
    UNIQUE (entry, step, number), UNIQUE (id, run),
    FOREIGN KEY (entry, run) REFERENCES track_entry (id, run),
    CHECK ((status = 'running') = (ended_at IS NULL)));

CREATE TABLE effect (
    id INTEGER PRIMARY KEY AUTOINCREMENT, attempt INTEGER NOT NULL REFERENCES attempt (id),
    key TEXT NOT NULL CHECK (key <> ''), title TEXT NOT NULL, preview TEXT NOT NULL,
    intent_at TEXT NOT NULL {_time("intent_at")},
    outcome TEXT CHECK (outcome IN ({_words(Outcome)})), outcome_at TEXT {_time("outcome_at")},
    detail TEXT NOT NULL DEFAULT '{{}}' CHECK (json_valid(detail)),
    decided TEXT NOT NULL DEFAULT '',
    CHECK ((outcome IS NULL) = (outcome_at IS NULL)));

CREATE TABLE decision (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, entry INTEGER NOT NULL,
    step TEXT NOT NULL, gate TEXT NOT NULL, who TEXT NOT NULL CHECK (who <> ''),
    typed TEXT NOT NULL, at TEXT NOT NULL {_time("at")},
    FOREIGN KEY (entry, run) REFERENCES track_entry (id, run));

CREATE TABLE evidence (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES run (id),
    attempt INTEGER, step TEXT NOT NULL, key TEXT NOT NULL, text TEXT NOT NULL,
    value TEXT NOT NULL CHECK (json_valid(value)), at TEXT NOT NULL {_time("at")},
    FOREIGN KEY (attempt, run) REFERENCES attempt (id, run));

CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES run (id),
    at TEXT NOT NULL {_time("at")}, kind TEXT NOT NULL CHECK (kind <> ''), text TEXT NOT NULL,
    data TEXT NOT NULL CHECK (json_valid(data)));

CREATE TABLE sample (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES run (id),
    at TEXT NOT NULL {_time("at")}, kind TEXT NOT NULL CHECK (kind <> ''), subject TEXT NOT NULL,
    value REAL CHECK (value IS NULL OR typeof(value) = 'real'));

CREATE TABLE board (
    run TEXT PRIMARY KEY REFERENCES run (id), at TEXT NOT NULL {_time("at")},
    value TEXT NOT NULL CHECK (json_valid(value)));

CREATE UNIQUE INDEX run_open ON run (cluster_resource_id) WHERE closed_at IS NULL;
CREATE UNIQUE INDEX attempt_open ON attempt (run) WHERE ended_at IS NULL;
CREATE INDEX track_entry_of_run ON track_entry (run, id);
CREATE INDEX attempt_of_run ON attempt (run, id);
CREATE INDEX effect_of_attempt ON effect (attempt, id);
CREATE INDEX decision_of_run ON decision (run, id);
CREATE INDEX evidence_of_run ON evidence (run, step, id);
CREATE INDEX evidence_of_key ON evidence (run, key, id);
CREATE INDEX event_of_run ON event (run, id);
CREATE INDEX sample_of_run ON sample (run, kind, at);
"""

_OTHER_OPEN_RUN = (
    "NEW.closed_at IS NULL AND EXISTS (SELECT 1 FROM run WHERE closed_at IS NULL "
    "AND cluster_resource_id = NEW.cluster_resource_id AND id <> NEW.id)"
)
_OPEN_ATTEMPT = "EXISTS (SELECT 1 FROM attempt WHERE run = NEW.run AND ended_at IS NULL)"
_CLOSED_RUN = "NOT EXISTS (SELECT 1 FROM run WHERE id = NEW.run AND closed_at IS NULL)"

_GUARDS = [
    *_append_only("run", key="seq", updates=True),
    _refuse(
        "run_id_once",
        "INSERT ON run",
        "EXISTS (SELECT 1 FROM run WHERE id = NEW.id)",
        "run: this id exists",
    ),
    _refuse("run_one_open", "INSERT ON run", _OTHER_OPEN_RUN, "run: one is open for the cluster"),
    _refuse(
        "run_one_reopened", "UPDATE ON run", _OTHER_OPEN_RUN, "run: one is open for the cluster"
    ),
    _fixed(
        "run",
        *("seq", "id", "cluster", "cluster_resource_id", "account", "region"),
        *("environment", "plan", "plan_path", "started_at"),
    ),
    _refuse(
        "run_close_ends",
        "UPDATE OF closed_at ON run",
        "NEW.closed_at IS NOT NULL AND EXISTS "
        "(SELECT 1 FROM attempt WHERE run = NEW.id AND ended_at IS NULL)",
        "run: an attempt is open",
    ),
    *_append_only("track_entry"),
    _refuse(
        "track_entry_between",
        "INSERT ON track_entry",
        f"{_OPEN_ATTEMPT} OR {_CLOSED_RUN}",
        "track_entry: an attempt is open, or the run is closed",
    ),
    *_append_only("attempt", updates=True),
    _refuse(
        "attempt_number_once",
        "INSERT ON attempt",
        "EXISTS (SELECT 1 FROM attempt "
        "WHERE entry = NEW.entry AND step = NEW.step AND number = NEW.number)",
        "attempt: this number exists",
    ),
    _refuse("attempt_one_open", "INSERT ON attempt", _OPEN_ATTEMPT, "attempt: one is open"),
    _refuse("attempt_in_run", "INSERT ON attempt", _CLOSED_RUN, "attempt: the run is closed"),
    _fixed("attempt", "id", "run", "entry", "step", "number", "started_at"),
    _refuse(
        "attempt_ends_once",
        "UPDATE ON attempt",
        "OLD.ended_at IS NOT NULL AND NOT "
        "(OLD.status = 'unknown' AND NEW.status IN ('succeeded', 'failed') "
        "AND OLD.decided = '' AND NEW.decided <> '')",
        "attempt: it has ended",
    ),
    _refuse(
        "attempt_leaves_no_intent",
        "UPDATE ON attempt",
        "NEW.ended_at IS NOT NULL AND EXISTS "
        "(SELECT 1 FROM effect WHERE attempt = NEW.id AND outcome IS NULL)",
        "attempt: an effect has no outcome",
    ),
    _refuse(
        "attempt_succeeds_whole",
        "UPDATE ON attempt",
        "NEW.status IN ('succeeded', 'skipped') AND EXISTS (SELECT 1 FROM effect "
        "WHERE attempt = NEW.id AND outcome IN ('failed', 'unknown'))",
        "attempt: an effect failed or is unknown",
    ),
    *_append_only("effect", updates=True),
    _refuse(
        "effect_in_attempt",
        "INSERT ON effect",
        "NOT EXISTS (SELECT 1 FROM attempt WHERE id = NEW.attempt AND ended_at IS NULL)",
        "effect: its attempt is not open",
    ),
    _refuse(
        "effect_intent_first",
        "INSERT ON effect",
        "NEW.outcome IS NOT NULL",
        "effect: the intent comes first",
    ),
    _fixed("effect", "id", "attempt", "key", "title", "preview", "intent_at"),
    _refuse(
        "effect_outcome_once",
        "UPDATE ON effect",
        "OLD.outcome IS NOT NULL AND NOT "
        "(OLD.outcome = 'unknown' AND NEW.outcome IN ('succeeded', 'failed', 'adopted') "
        "AND OLD.decided = '' AND NEW.decided <> '')",
        "effect: it has an outcome",
    ),
    *[
        trigger
        for table in ("decision", "evidence", "event", "sample")
        for trigger in _append_only(table)
    ],
]


def _away(run: str) -> str:
    """Return the condition that another machine acts on a run."""
    return f"(SELECT kind FROM handover WHERE run = {run} ORDER BY id DESC LIMIT 1) = 'given'"  # noqa: S608


_EMPTY_RUN = "NOT EXISTS (SELECT 1 FROM track_entry WHERE run = NEW.run)"
_AWAY = f"coalesce({_away('NEW.run')}, 0)"
_HANDOVER = f"""
CREATE TABLE handover (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES run (id),
    kind TEXT NOT NULL CHECK (kind IN ({_words(HandoverKind)})),
    who TEXT NOT NULL CHECK (who <> ''), host TEXT NOT NULL CHECK (host <> ''),
    peer TEXT NOT NULL,
    fingerprint TEXT NOT NULL
        CHECK (length(fingerprint) = 64 AND fingerprint NOT GLOB '*[^0-9a-f]*'),
    at TEXT NOT NULL {_time("at")});

CREATE INDEX handover_of_run ON handover (run, id);
"""

_WRITES = {
    "run": ("NEW.id", ("UPDATE",)),
    "track_entry": ("NEW.run", ("INSERT",)),
    "attempt": ("NEW.run", ("INSERT", "UPDATE")),
    "effect": ("(SELECT run FROM attempt WHERE id = NEW.attempt)", ("INSERT", "UPDATE")),
    "decision": ("NEW.run", ("INSERT",)),
    "evidence": ("NEW.run", ("INSERT",)),
    "event": ("NEW.run", ("INSERT",)),
    "sample": ("NEW.run", ("INSERT",)),
    "board": ("NEW.run", ("INSERT", "UPDATE")),
}
"""Of each table: what names the run of a row, and how the guards of its own let it be written."""

_HANDOVER_GUARDS = [
    *_append_only("handover"),
    _refuse(
        "handover_given",
        "INSERT ON handover",
        f"NEW.kind = 'given' AND ({_OPEN_ATTEMPT} OR {_AWAY})",
        "handover: an attempt is open, or the run was handed over already",
    ),
    _refuse(
        "handover_back",
        "INSERT ON handover",
        f"NEW.kind <> 'given' AND NOT {_AWAY} AND NOT (NEW.kind = 'accepted' AND {_EMPTY_RUN})",
        "handover: the run was not handed over",
    ),
    *[
        _refuse(
            f"{table}_away_{how.lower()}",
            f"{how} ON {table}",
            _away(run),
            f"{table}: the run was handed over",
        )
        for table, (run, ways) in _WRITES.items()
        for how in ways
    ],
]


@migrations(name="0001_journal")
def create(db: Database) -> None:
    """Create the journal's tables with their guards."""
    _execute(db, _TABLES, _GUARDS)


@migrations(name="0002_handover")
def add_handover(db: Database) -> None:
    """Add the record of handovers, with the guards that keep this side from acting after one."""
    _execute(db, _HANDOVER, _HANDOVER_GUARDS)


@migrations(name="0003_step_names")
def rename_steps(db: Database) -> None:
    """Rename steps, gates and variants; the guards, which keep rows as they were, stand anew."""
    for rename in renamed_steps.RENAMES:
        db.register_function(rename, deterministic=True)
    places = ", ".join("?" for _ in renamed_steps.TABLES)
    query = f"SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ({places})"  # noqa: S608
    guards = list(db.query(query, renamed_steps.TABLES))
    for guard in guards:
        db.execute(f"DROP TRIGGER {guard['name']}")
    db.execute("ALTER TABLE track_entry RENAME COLUMN way TO variant")
    for statement in renamed_steps.statements():
        db.execute(statement)
    for guard in guards:
        db.execute(guard["sql"])


def _execute(db: Database, tables: str, guards: list[str]) -> None:
    # Not executescript(): that commits the transaction which the migration runs in.
    for statement in tables.split(";"):
        if statement.strip():
            db.execute(statement)
    for guard in guards:
        db.execute(guard)


def known_migrations() -> set[str]:
    """Return the names of all migrations that this version knows."""
    with closing(Database(memory=True, execute_plugins=False)) as nothing:
        return {migration.name for migration in migrations.pending(nothing)}
