"""All that was looked at, in one place: the cast, its databases, and what follows from both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runbook.base.context import RunContext
from runbook.base.pair import ReplicationPair
from runbook.base.roles import Role
from runbook.recovery.cluster_roles import ClusterRoles, no_guess
from runbook.recovery.database_state import Rows, Side, Traffic
from runbook.recovery.found import Draft, Told


@dataclass(slots=True)
class RecoveryEvidence(Told):
    """What the position is told from. `context` reads its facts from `draft`."""

    context: RunContext
    draft: Draft
    roles: ClusterRoles
    sides: Mapping[Role, Side]
    """Of the clusters that could be looked at; after the switchover under their later names."""
    locks: bool
    """Whether the run takes LOGIN from the applications' roles to stop them."""
    rows: Rows | None = None
    """New blue against old blue, where that was compared."""

    def traffic(self, role: Role) -> Traffic:
        """Return whether applications may write on a cluster; unknown where nobody could look."""
        side = self.sides.get(role)
        return Traffic.UNKNOWN if side is None else side.traffic(roles_locked=self.locks)

    @property
    def captured(self) -> list[str]:
        """The databases that the capture on new blue covers."""
        return self.captured_on(Role.NEW_BLUE)

    def captured_on(self, publisher: Role) -> list[str]:
        """Return the databases that a capture covers, by its publications and slots.

        Raise `Refused` where the numbers of the slots do not fit: a name then means another
        database than it did.
        """
        side = self.sides.get(publisher)
        if side is None:
            return []
        databases = sorted(side.publications | {slot.database for slot in side.slots})
        for slot in side.slots:
            if databases.index(slot.database) + 1 != slot.number:
                raise no_guess(
                    f"The slot {slot.name} is of database {slot.database}, which is number "
                    f"{databases.index(slot.database) + 1} of those with a capture: "
                    f"{', '.join(databases)}.",
                    "A publication or a slot of the run was dropped by hand, and which database "
                    "each slot belonged to cannot be told. Commit by hand, or restore the journal.",
                )
        return databases

    def capture_complete(self, publisher: Role = Role.NEW_BLUE) -> bool:
        """Return whether every database of a capture has its slot."""
        side = self.sides.get(publisher)
        return side is not None and 0 < len(side.slots) == len(self.captured_on(publisher))

    def slots_used(self, publisher: Role = Role.NEW_BLUE) -> bool:
        """Return whether a subscription has ever read from a publisher's slots."""
        side = self.sides.get(publisher)
        return side is not None and any(slot.used for slot in side.slots)

    def _follower(self, publisher: Role) -> Side | None:
        return self.sides.get(ReplicationPair.of(publisher).subscriber)

    def unsubscribed(self, publisher: Role = Role.NEW_BLUE) -> list[str]:
        """Return the captured databases without a subscription on the other, if that was seen."""
        follower = self._follower(publisher)
        if follower is None:
            return []
        return [name for name in self.captured_on(publisher) if name not in follower.subscriptions]

    def detaching(self, publisher: Role = Role.NEW_BLUE) -> bool:
        """Return whether subscriptions are gone that have been there: somebody read their slots.

        A subscription that is still to be made has a slot that nobody has read.
        """
        side, follower = self.sides.get(publisher), self._follower(publisher)
        if side is None or follower is None:
            return False
        return any(slot.used and slot.database not in follower.subscriptions for slot in side.slots)

    def called_off(self, publisher: Role) -> bool:
        """Return whether a turn away from a publisher was called off after its detaching.

        The other side then holds a capture of its own, which is made only once it has every write;
        where the way is ended for good it holds none.
        """
        other = self._follower(publisher)
        followed = self.capture_complete(publisher) and self.detaching(publisher)
        return followed and other is not None and other.captured

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
