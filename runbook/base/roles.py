"""The parts that clusters play in a run. A run knows each by its resource id alone."""

from enum import StrEnum


class Role(StrEnum):
    """A cluster's part in the run, in the words of the screens.

    Old blue and new blue are what blue and green are called from the switchover on.
    """

    BLUE = "blue"
    GREEN = "green"
    OLD_BLUE = "old blue"
    NEW_BLUE = "new blue"
    BLUE_PRIME = "blue prime"

    @property
    def slug(self) -> str:
        """The word as it stands in keys and resource names."""
        return self.value.replace(" ", "-")

    @property
    def version(self) -> str:
        """Which version it runs, in words."""
        new = self in (Role.GREEN, Role.NEW_BLUE)
        return "the new version" if new else "the old version"

    @property
    def identity(self) -> "Role":
        """The role under which the journal binds the resource id."""
        return {Role.OLD_BLUE: Role.BLUE, Role.NEW_BLUE: Role.GREEN}.get(self, self)
