"""A repair that blueprime can make itself, as data: what a check offers beside its words.

Kept in the journal with the check's result; what is run is built from it with the names quoted by
psycopg, never from text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AliasChoices, Field, TypeAdapter


class FixKind(StrEnum):
    """What is done to the object that `Fix.names` names."""

    TERMINATE = "terminate"
    """End a session; names: pid, and its `backend_start` in ISO 8601, since pids recur."""
    DROP_SLOT = "drop-slot"
    DROP_PUBLICATION = "drop-publication"
    DROP_SUBSCRIPTION = "drop-subscription"
    ROLL_BACK_PREPARED = "roll-back-prepared"
    """Names: the transaction's gid."""
    IDENTITY_FULL = "identity-full"
    """REPLICA IDENTITY FULL; names: schema, table."""
    IDENTITY_INDEX = "identity-index"
    """REPLICA IDENTITY USING INDEX; names: schema, table, index."""
    IDENTITY_DEFAULT = "identity-default"
    """REPLICA IDENTITY DEFAULT, the primary key; names: schema, table."""
    PLAIN_TRIGGER = "plain-trigger"
    """ENABLE TRIGGER without ALWAYS or REPLICA; names: schema, table, trigger."""
    DROP_EXTENSION = "drop-extension"
    JOIN_ROLE = "join-role"
    """Membership that inherits and may SET ROLE; names: the role, the user who joins it."""


@dataclass(frozen=True, slots=True)
class Fix:
    """One repair on a cluster, in one database (empty: it concerns the whole server)."""

    # Journals of the first version call it so.
    kind: Annotated[FixKind, Field(validation_alias=AliasChoices("kind", "mend"))]
    database: str
    names: tuple[str, ...]
    on: str = "blue"
    """The cluster, by its part in the run."""

    def as_json(self) -> dict[str, Any]:
        """Return it as the journal keeps it."""
        value: dict[str, Any] = _FIX.dump_python(self, mode="json")
        return value


_FIX = TypeAdapter(Fix)


def from_json(value: Any) -> Fix:
    """Return the fix that `as_json` wrote."""
    return _FIX.validate_python(value)
