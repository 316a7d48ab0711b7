"""Handing a run over to another machine, by one file, so that one machine at a time may act.

Giving is recorded first and the file written afterwards, from what is recorded: whatever dies in
between, this side can no longer act, and the same file can be written again. Accepting is one
transaction. So there is no moment at which both sides may act, unless a person takes a run back
that the other side did get.
"""

from __future__ import annotations

import hashlib
import json
import socket
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlite_utils import Database

from state.enums import HandoverKind
from state.errors import BadHandover, Refused
from state.insert import insert, tell
from state.lock import user
from state.presence import refuse_special
from state.records import Handover, Json, Run
from state.renamed_steps import renamed
from state.run_export import (
    RunExport,
    Time,
    export_run,
    ids_of,
    import_rows,
    import_run,
    refuse_fork,
)
from state.times import now, to_text
from state.writing import Writer

KIND = "blueprime handover"
VERSION = 2
"""The shape of the file; it goes up when an older version could not read it right.

1 called some steps, and the variant of a track, otherwise (`state.renamed_steps`).
"""


_ASK_AGAIN = (
    "Nothing was taken over. Ask for the file again: whoever gave it writes the same one with the "
    "same command."
)


class Given(BaseModel):
    """Who gave a run away."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    who: str
    host: str
    to: str
    """For whom it is meant, or empty."""
    at: Time


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    given: Given
    slice: RunExport


@dataclass(frozen=True, slots=True)
class HandoverFile:
    """What a handover file holds."""

    given: Given
    export: RunExport
    fingerprint: str
    """The SHA-256 of the content as the file has it, in hexadecimal digits."""

    @classmethod
    def of(cls, given: Given, found: RunExport) -> HandoverFile:
        """Return what the file of a run has to hold."""
        return cls(given, found, _fingerprint(_content(given, found)))

    @property
    def content(self) -> dict[str, Json]:
        """Return the content as JSON."""
        return _content(self.given, self.export)

    def as_bytes(self) -> bytes:
        """Return the file: JSON in ASCII, the same for the same content."""
        head = {"kind": KIND, "version": VERSION, "fingerprint": self.fingerprint}
        return (json.dumps({**head, "content": self.content}, indent=1) + "\n").encode()


def read_parcel(path: Path) -> HandoverFile:
    """Read and check a handover file.

    Raises `BadHandover` for one that is damaged, changed, or of a newer version; `OSError`.
    """
    refuse_special(path)
    data = path.read_bytes()
    try:
        head = json.loads(data, parse_constant=_refuse_constant)
        return _checked(head)
    except BadHandover as error:
        raise BadHandover(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        what = "empty" if not data.strip() else f"cut short or damaged ({error})"
        raise BadHandover(f"{path}: It is {what}. {_ASK_AGAIN}") from error


def _checked(head: Any) -> HandoverFile:
    if not isinstance(head, dict) or head.get("kind") != KIND:
        raise BadHandover("It is not a handover file of blueprime. Nothing was taken over.")
    version = head.get("version")
    if type(version) is not int or version > VERSION:
        raise BadHandover(
            f"It was written by a newer blueprime (version {version!r} of the file, {VERSION} is "
            "known here). Nothing was taken over. Use that version to accept it."
        )
    content = head.get("content")
    if head.get("fingerprint") != _fingerprint(content):
        raise BadHandover(f"Its content does not bear out its fingerprint. {_ASK_AGAIN}")
    try:
        known = _Content.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadHandover(
            f"Its content is no run: {where}: {first['msg']}. {_ASK_AGAIN}"
        ) from error
    found = RunExport.model_validate(renamed(known.slice.model_dump(mode="json")))
    return HandoverFile(known.given, found, head["fingerprint"])


def _content(given: Given, found: RunExport) -> dict[str, Json]:
    return _Content(given=given, slice=found).model_dump(mode="json")


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


def _fingerprint(content: Any) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class HandoverJournal(Writer):
    """The passing of the right to act on a run from machine to machine."""

    def give(self, run: str, *, to: str = "") -> HandoverFile:
        """Record that a run is handed over, and return what the file has to hold.

        From then on nothing of the run can be written here. Raises `AttemptIsOpen`, `HandedOver`.
        """
        with self._store.writing() as db:
            record = self._exact_run(run)
            self._refuse_open_attempt(run)
            given = Given(who=user(), host=socket.gethostname(), to=to, at=to_text(now()))
            target = to or "another machine"
            text = f"handed over to {target} by {given.who} on {given.host}"
            tell(db, run, "handover", text, {"to": to, "who": given.who, "host": given.host})
            parcel = HandoverFile.of(given, export_run(self._store, record.id))
            _record(db, run, HandoverKind.GIVEN, to, parcel.fingerprint, at=given.at)
        return parcel

    def given(self, run: str) -> HandoverFile:
        """Return what the file of a run that was handed over has to hold; the same as then.

        Raises `Refused` for a run that is here, and where another version wrote the file.
        """
        with self._store.reading():
            away = self.run(run).away
            if away is None:
                raise Refused(f"Run {run} was not handed over.")
            given = Given(who=away.who, host=away.host, to=away.peer, at=to_text(away.at))
            parcel = HandoverFile.of(given, export_run(self._store, run))
        if parcel.fingerprint != away.fingerprint:
            raise Refused(
                f"Run {run} was {away.words}, by another version of blueprime: this one would "
                "write another file. Nothing was written. Use that version."
            )
        return parcel

    def take_back(self, run: str, *, typed: str) -> Run:
        """Record that a run that was handed over is acted on here again: its file never arrived.

        `typed` is what the person confirmed that with.
        """
        with self._store.writing() as db:
            away = self._away(run)
            _record(db, run, HandoverKind.TAKEN_BACK, away.peer, away.fingerprint)
            text = f"taken back by {user()} on {socket.gethostname()}: the file never arrived"
            data = {"who": user(), "typed": typed, "fingerprint": away.fingerprint}
            tell(db, run, "handover", text, data)
        return self.run(run)

    def refuse_parcel(self, parcel: HandoverFile) -> None:
        """Raise `Refused` or `BadHandover` if a parcel cannot be accepted here."""
        found = parcel.export.run
        for known in self._runs("WHERE id = ?", found.id):
            self._refuse_unless_away(known, parcel)
            refuse_fork(export_run(self._store, known.id), parcel.export)
        if found.closed_at is None:
            self._refuse_open_run(found.cluster_resource_id, but=found.id)

    def _refuse_unless_away(self, known: Run, parcel: HandoverFile) -> None:
        if known.away is None:
            last = next(reversed(self.handovers(known.id)), None)
            since = f" It was {last.words}." if last else ""
            raise Refused(
                f"Run {known.id} of cluster {known.cluster} is in this journal, to be acted on "
                f"here.{since} Nothing was taken over."
            )
        if known.away.fingerprint == parcel.fingerprint:
            raise Refused(
                f"This is the file by which run {known.id} was {known.away.words}: it holds "
                "nothing newer. Nothing was taken over. If it never arrived there: blueprime "
                f"handover {known.id} --take-back."
            )

    def accept(self, parcel: HandoverFile, *, plan_path: Path) -> Run:
        """Take a run over: from then on it is acted on here. All of it, or nothing.

        `plan_path` is where this machine keeps the plan file; a run that comes back keeps its own.

        Raises `BadHandover` for what is no run, `Refused` for one that is acted on here.
        """
        found, given = parcel.export.run, parcel.given
        source = f"{given.who} on {given.host}"
        try:
            with self._store.writing() as db:
                self.refuse_parcel(parcel)
                if not self._runs("WHERE id = ?", found.id):
                    import_run(db, found, plan_path)
                # First of all: until then the guards let nothing of a run be written here.
                _record(db, found.id, HandoverKind.ACCEPTED, source, parcel.fingerprint)
                import_rows(db, parcel.export, ids_of(self._store, found.id))
                if export_run(self._store, found.id) != parcel.export:
                    raise BadHandover(f"Its rows do not belong together. {_ASK_AGAIN}")
                text = f"accepted from {source} by {user()} on {socket.gethostname()}"
                data = {"from": source, "who": user(), "fingerprint": parcel.fingerprint}
                tell(db, found.id, "handover", text, data)
        except (ValueError, OverflowError) as error:
            raise BadHandover(f"Its content is no run: {error}. {_ASK_AGAIN}") from error
        except Refused as error:
            if isinstance(error.__cause__, sqlite3.IntegrityError):
                raise BadHandover(f"It breaks a rule ({error}). {_ASK_AGAIN}") from error
            raise
        return self.run(found.id)

    def _away(self, run: str) -> Handover:
        away = self.run(run).away
        if away is None:
            raise Refused(f"Run {run} was not handed over. Nothing was changed.")
        return away


def _record(
    db: Database, run: str, kind: HandoverKind, peer: str, fingerprint: str, *, at: str = ""
) -> None:
    insert(
        db,
        "handover",
        run=run,
        kind=kind,
        who=user(),
        host=socket.gethostname(),
        peer=peer,
        fingerprint=fingerprint,
        at=at or to_text(now()),
    )
