"""How a row goes into the journal: its texts masked, its JSON checked."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlite_utils import Database

from state.errors import Refused
from state.masking import masked, masked_json
from state.records import Json
from state.times import now, to_text

NOTHING: Mapping[str, Json] = {}


def insert(db: Database, table: str, **values: object) -> int:
    """Insert a row, its texts masked, and return its number."""
    row = db.table(table).insert({name: _safe(value) for name, value in values.items()})
    return int(row.last_rowid or 0)


def tell(db: Database, run: str, kind: str, text: str, data: Mapping[str, Json] = NOTHING) -> int:
    """Add a line to the tail and return its number."""
    return insert(db, "event", run=run, at=to_text(now()), kind=kind, text=text, data=to_json(data))


class JsonText(str):
    """JSON whose strings were masked one by one: masked as a whole, its quotes could break."""

    __slots__ = ()


def to_json(value: Json) -> JsonText:
    """Return a value as JSON, masked; raise `Refused` if it is none."""
    try:
        return JsonText(json.dumps(masked_json(value), ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise Refused(f"This is no JSON value: {error}.") from error


def _safe(value: object) -> object:
    return masked(value) if isinstance(value, str) and not isinstance(value, JsonText) else value
