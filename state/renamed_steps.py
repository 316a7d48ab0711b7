"""Steps that bear another name than in journals of the first version.

What was said then stays in its words: titles, messages, the tail. What a run is read by is renamed:
the keys of steps and gates, and the way that a stay takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

STEPS: Mapping[str, str] = {
    "capture": "create-slots",
    "detach": "drop-subscriptions",
    "drop-capture": "drop-slots",
    "end-of-way-back": "assess-commit",
    "end-of-way-forward": "assess-finalize",
    "hold-capture": "keep-slots",
    "hold-old-blue": "freeze-old-blue",
    "settled": "verify-end",
}
WAYS: Mapping[str, str] = {"settle": "finalize"}
GATES: Mapping[str, str] = {"settle": "finalize"}

COLUMNS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "track_entry": {"from_step": STEPS, "way": WAYS},
    "attempt": {"step": STEPS},
    "decision": {"step": STEPS, "gate": GATES},
    "evidence": {"step": STEPS},
}
DATA: Mapping[str, Mapping[str, str]] = {"step": STEPS, "gate": GATES}
"""Members of an event's data."""


TABLES = (*COLUMNS, "event")


def statements() -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the changes of a journal, each with its values; its guards are put aside meanwhile."""
    for table, columns in COLUMNS.items():
        for column, names in columns.items():
            for old, new in names.items():
                yield f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (new, old)  # noqa: S608
    for member, names in DATA.items():
        for old, new in names.items():
            yield (
                f"UPDATE event SET data = json_set(data, '$.{member}', ?) "  # noqa: S608
                f"WHERE json_extract(data, '$.{member}') = ?",
                (new, old),
            )


def renamed(export: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run (the JSON of its export) as this version names its steps."""
    changed = dict(export)
    for table, columns in COLUMNS.items():
        changed[table] = [row | _names(row, columns) for row in export[table]]
    changed["event"] = [
        row | {"data": row["data"] | _names(row["data"], DATA)} for row in export["event"]
    ]
    return changed


def _names(
    values: Mapping[str, object], columns: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    return {
        column: names[value]
        for column, names in columns.items()
        if isinstance(value := values.get(column), str) and value in names
    }
