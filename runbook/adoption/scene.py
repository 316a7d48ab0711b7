"""All that was looked at, in one place: the cast, its databases, and what follows from both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runbook.adoption.cast import Cast, no_guess
from runbook.adoption.found import Draft, Item, Unknown
from runbook.adoption.inside import Rows, Side, Traffic
from runbook.roles import Role
from runbook.world import World


@dataclass(slots=True)
class Scene:
    """What the position is told from. `world` reads its facts from `draft`."""

    world: World
    draft: Draft
    cast: Cast
    sides: Mapping[Role, Side]
    """Of the clusters that could be looked at; after the switchover under their later names."""
    locks: bool
    """Whether the run takes LOGIN from the applications' roles to stop them."""
    rows: Rows | None = None
    """New blue against old blue, where that was compared."""
    items: list[Item] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)

    def say(self, what: str, value: str, source: str) -> None:
        """Keep an inference."""
        self.items.append(Item(what, value, source))

    def doubt(self, what: str, means: str) -> None:
        """Keep what the world does not tell."""
        self.unknown.append(Unknown(what, means))

    def traffic(self, role: Role) -> Traffic:
        """Return whether applications may write on a cluster; unknown where nobody could look."""
        side = self.sides.get(role)
        return Traffic.UNKNOWN if side is None else side.traffic(roles_locked=self.locks)

    @property
    def captured(self) -> list[str]:
        """The databases that the capture covers, by its publications and slots.

        Raise `Refused` where the numbers of the slots do not fit: a name then means another
        database than it did.
        """
        new = self.sides.get(Role.NEW_BLUE)
        if new is None:
            return []
        databases = sorted(new.publications | {slot.database for slot in new.slots})
        for slot in new.slots:
            if databases.index(slot.database) + 1 != slot.number:
                raise no_guess(
                    f"The slot {slot.name} is of database {slot.database}, which is number "
                    f"{databases.index(slot.database) + 1} of those with a capture: "
                    f"{', '.join(databases)}.",
                    "A publication or a slot of the run was dropped by hand, and which database "
                    "each slot belonged to cannot be told. Commit by hand, or restore the journal.",
                )
        return databases

    @property
    def capture_complete(self) -> bool:
        """Whether every database of the capture has its slot."""
        new = self.sides.get(Role.NEW_BLUE)
        return bool(new and new.slots) and len(new.slots) == len(self.captured) if new else False

    @property
    def slots_used(self) -> bool:
        """Whether a subscription has ever read from the slots."""
        new = self.sides.get(Role.NEW_BLUE)
        return new is not None and any(slot.used for slot in new.slots)

    @property
    def unsubscribed(self) -> list[str]:
        """The captured databases that have no subscription on blue prime, which was looked at."""
        prime = self.sides.get(Role.BLUE_PRIME)
        if prime is None:
            return []
        return [name for name in self.captured if name not in prime.subscriptions]

    @property
    def never_opened(self) -> bool:
        """Whether it is proved that no application has written on new blue."""
        closed = self.traffic(Role.NEW_BLUE) is Traffic.CLOSED
        return closed and self.rows is not None and self.rows.same is True

    @property
    def unlocked_on_prime(self) -> bool:
        """Whether roles got LOGIN back on blue prime that have none on what it was cloned from."""
        prime, old = self.sides.get(Role.BLUE_PRIME), self.sides.get(Role.OLD_BLUE)
        return prime is not None and old is not None and bool(prime.able & old.locked)
