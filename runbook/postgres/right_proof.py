"""What a proof of a right is made of, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import psycopg

from runbook.postgres.membership import joining
from runbook.postgres.statement import Statement, quoted


class Part(Enum):
    """What a cluster is to be in a run."""

    PUBLISHER = "publisher"
    SUBSCRIBER = "subscriber"


BOTH = frozenset(Part)


@dataclass(frozen=True, slots=True)
class Place:
    """Where rights are proved: in a database, as the current user."""

    user: str
    database: str
    owner: str
    """The database's."""
    owner_superuser: bool
    joinable: frozenset[str]
    """The roles that the user may make itself a member of."""
    major: int
    name: str
    """Of what is made, for as long as the transaction lasts."""
    applications: Sequence[str]
    """The roles from which the fence takes LOGIN."""
    closed: Sequence[str]
    """The databases that nobody enters without a CONNECT of his own."""
    verifier: str
    """Of a password that nobody knows."""

    def grant(self, role: str) -> str:
        """Return the SQL that makes the user a member of a role."""
        return joining(role, self.user, self.major)

    @property
    def own(self) -> str:
        """The SQL that lets the user do with the database what its owner does."""
        if self.owner_superuser:
            return f"ALTER DATABASE {quoted(self.database)} OWNER TO {quoted(self.user)};"
        return self.grant(self.owner)


@dataclass(frozen=True, slots=True)
class Try:
    """One thing that is done."""

    statement: Statement
    does: str
    """What, in the words after "may not"."""
    grant: str
    """The SQL that lets the user do it."""
    member_of: str = ""
    """A role that may do it, where being its member is enough."""
    answer: type[psycopg.Error] | None = None
    """The error that the server answers with where it may be done."""


Transaction = Sequence[Try]
"""What rests on one another: where one is refused, those after it are not tried."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What is done to prove one right."""

    key: str
    tries: Callable[[Place], Iterator[Transaction]]
    parts: frozenset[Part] = frozenset()
    """Which parts need it; none: every cluster that serves, or is closed."""
    everywhere: bool = False
    """Whether it is done in every database, else in one of the server."""
    makes: bool = False
    """Whether it makes something: DDL, as a deployment of AWS sees it."""
    needed: bool = True
    """Whether the run cannot do without it; else some repairs cannot."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the server refused."""

    proof: Proof
    place: Place
    tried: Try
    said: str
    """In the server's words."""

    @property
    def joins(self) -> str:
        """The role that the user may make itself a member of, which mends it; or empty."""
        role = self.tried.member_of
        return role if role in self.place.joinable else ""


@dataclass(frozen=True, slots=True)
class Unproved:
    """What could not be tried, because something was in the way."""

    proof: Proof
    place: Place
    tried: Try
    error: psycopg.Error
