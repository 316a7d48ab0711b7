"""What an adoption says of a run: each inference with what it rests on, and what stays unknown."""

from __future__ import annotations

from dataclasses import dataclass, field

from runbook.base.kept import EmptyJournal
from state.records import Json


@dataclass(frozen=True, slots=True)
class Item:
    """One inference."""

    what: str
    value: str
    source: str
    """From what it was told."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """What the world does not tell, and what follows."""

    what: str
    means: str


@dataclass(slots=True)
class Told:
    """What is told of a run, and what is not, as it is found."""

    items: list[Item] = field(default_factory=list, init=False)
    unknown: list[Unknown] = field(default_factory=list, init=False)

    def say(self, what: str, value: str, source: str) -> None:
        """Keep an inference."""
        self.items.append(Item(what, value, source))

    def doubt(self, what: str, means: str) -> None:
        """Keep what the world does not tell."""
        self.unknown.append(Unknown(what, means))


@dataclass(frozen=True, slots=True)
class Fact:
    """A value for the journal, under the key by which later steps read it."""

    key: str
    value: Json
    text: str


@dataclass(slots=True)
class Draft(EmptyJournal):
    """Facts that are not in a journal yet: steps and probes read them as they would its own."""

    facts: dict[str, Fact] = field(default_factory=dict)

    def keep(self, key: str, value: Json, text: str) -> None:
        """Keep a fact, in place of an earlier one of its key."""
        self.facts[key] = Fact(key, value, text)

    def fact(self, run: str, key: str) -> Json | None:
        """Return the value of a key, or None."""
        found = self.facts.get(key)
        return None if found is None else found.value
