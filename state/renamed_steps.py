"""Steps and keys that bear another name than in journals of the first version.

What was said then stays in its words: titles, messages, the tail. What a run is read by is renamed:
the keys of steps, gates, effects and facts, and the variant of a track that a stay takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

STEPS: Mapping[str, str] = {
    "capture": "create-slots",
    "detach": "drop-subscriptions",
    "drop-capture": "drop-slots",
    "end-of-way-back": "assess-commit",
    "end-of-way-forward": "assess-finalize",
    "hold-capture": "keep-slots",
    "hold-old-blue": "freeze-old-blue",
    "remains": "verify-cleanup",
    "sequences-ahead": "advance-sequences",
    "settled": "verify-end",
}
TRACK = ("settle", "finalize")
"""The end of a rollback's way forward: a variant, and the gate that asks for it."""

_OF_REPAIR = re.compile(r"^([a-z-]+/)?remedy/")


def key_name(key: str) -> str:
    """Return the key of an effect or a fact: those of a repair name their step."""
    renamed = _OF_REPAIR.sub(r"\1repair/", key)
    if renamed != key and key.endswith(".unmended"):
        return renamed.removesuffix(".unmended") + ".unrepaired"
    return renamed


def step_name(key: str) -> str:
    """Return the key of a step."""
    return STEPS.get(key, key_name(key))


def variant_name(variant: str) -> str:
    """Return which variant of its track a stay takes."""
    return TRACK[1] if variant == TRACK[0] else variant


def gate_name(key: str) -> str:
    """Return the key of a gate."""
    return variant_name(key_name(key))


Rename = Callable[[str], str]

RENAMES: tuple[Rename, ...] = (key_name, step_name, variant_name, gate_name)
COLUMNS: Mapping[str, Mapping[str, Rename]] = {
    "track_entry": {"from_step": step_name, "variant": variant_name},
    "attempt": {"step": step_name},
    "effect": {"key": key_name},
    "decision": {"step": step_name, "gate": gate_name},
    "evidence": {"step": step_name, "key": key_name},
}
DATA: Mapping[str, Rename] = {"step": step_name, "gate": gate_name}
"""Members of an event's data."""

TABLES = (*COLUMNS, "event")


def statements() -> Iterator[str]:
    """Yield the changes of a journal, for which SQLite is told each of `RENAMES`."""
    for table, columns in COLUMNS.items():
        for column, rename in columns.items():
            new = f"{rename.__name__}({column})"
            yield f"UPDATE {table} SET {column} = {new} WHERE {column} <> {new}"  # noqa: S608
    for member, rename in DATA.items():
        old = f"json_extract(data, '$.{member}')"
        new = f"{rename.__name__}({old})"
        yield (
            f"UPDATE event SET data = json_set(data, '$.{member}', {new}) "  # noqa: S608
            f"WHERE json_type(data, '$.{member}') = 'text' AND {old} <> {new}"
        )


def renamed(export: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run (the JSON of its export) under the names of this version."""
    changed = dict(export)
    for table, columns in COLUMNS.items():
        changed[table] = [row | _names(row, columns) for row in export[table]]
    changed["event"] = [
        row | {"data": row["data"] | _names(row["data"], DATA)} for row in export["event"]
    ]
    return changed


def _names(values: Mapping[str, object], renames: Mapping[str, Rename]) -> dict[str, str]:
    return {
        name: rename(value)
        for name, rename in renames.items()
        if isinstance(value := values.get(name), str)
    }
