"""What a run has left in AWS and is billed, as its journal keeps it and every output tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from state.records import Json
from state.times import from_text, to_text

FACT = "remains"

PRICES = "https://aws.amazon.com/rds/aurora/pricing/"
"""Where AWS says what each unit costs: a list kept here would be wrong one day."""


@dataclass(frozen=True, slots=True)
class Remaining:
    """One thing that still exists because of a run."""

    kind: str
    name: str
    billed: str
    """By what unit AWS bills it."""
    remove: str
    """The command that removes it, or why there is none."""


@dataclass(frozen=True, slots=True)
class Remains:
    """All of them as seen at one time, in the order in which they can be removed."""

    at: datetime
    found: tuple[Remaining, ...]
    unknown: tuple[str, ...]
    """What could not be looked at, with the reason: there may be more of it."""

    def as_json(self) -> dict[str, Json]:
        """Return it as the journal keeps it, and as programs read it."""
        return {
            "at": to_text(self.at),
            "prices": PRICES,
            "found": [
                {"kind": r.kind, "name": r.name, "billed": r.billed, "remove": r.remove}
                for r in self.found
            ],
            "unknown": list(self.unknown),
        }


def kept(value: Json) -> Remains | None:
    """Return what a journal keeps under the fact; None where nobody has looked yet."""
    if not isinstance(value, Mapping):
        return None
    fields: Mapping[str, Any] = value
    return Remains(
        from_text(fields["at"]),
        tuple(Remaining(**row) for row in fields["found"]),
        tuple(fields["unknown"]),
    )


def words(remains: Remains) -> Iterator[str]:
    """Yield what remains, one thing a line, and how each is removed."""
    when = f"{remains.at.astimezone():%Y-%m-%d %H:%M:%S}"
    if not remains.found and not remains.unknown:
        yield f"nothing of this run is left that is billed, as seen at {when}"
        return
    yield f"what still exists because of this run, as seen at {when} (prices: {PRICES}):"
    for row in remains.found:
        yield f"  {row.kind} {row.name}: {row.billed}"
        yield f"    {row.remove}"
    for each in remains.unknown:
        yield f"  not known: {each}"
