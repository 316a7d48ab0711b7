"""Who feeds whom: the two sides of the way that is held."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.base.context import World
from runbook.base.roles import Role

VERIFIED = "verified"
"""The fact that says when a known position was confirmed past on the way that is held; emptied when
a capture is made, or held again."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The cluster whose slots keep every write, and the one that applies them."""

    publisher: Role
    subscriber: Role

    @classmethod
    def of(cls, publisher: Role) -> Sides:
        """Return the sides of the way that a capture on `publisher` holds open."""
        other = Role.NEW_BLUE if publisher is Role.BLUE_PRIME else Role.BLUE_PRIME
        return cls(publisher, other)

    @property
    def journey(self) -> str:
        """The way that these two hold open, as the subject of a sentence."""
        return "a rollback" if self.publisher is Role.NEW_BLUE else "going forward again"


def held(world: World) -> Sides:
    """Return the sides of the latest capture; before any, those that an upgrade will have."""
    return Sides.of(Role((world.fact("capture") or {}).get("publisher", Role.NEW_BLUE)))
