"""Which way a track takes: where a rollback goes, what an upgrade is."""

from __future__ import annotations

from enum import StrEnum

from state.enums import Track


class RollbackTarget(StrEnum):
    """What a rollback goes back to, or how it ends."""

    BLUE_PRIME = "blue-prime"
    OLD_BLUE = "old-blue"
    PROTECT_THEN_BLUE_PRIME = "protect-then-blue-prime"
    FOR_GOOD = "blue-prime-for-good"
    """To blue prime, with no way forward held, whatever the plan says."""
    FORCED = "forced"
    """To blue prime while new blue does not answer: what it did not send is given up."""
    STAY = "stay"
    """Blue prime serves on, after going forward was called off."""
    FINALIZE = "finalize"
    """Blue prime serves for good: the way forward ends."""


class UpgradeVariant(StrEnum):
    """What an upgrade is, besides the first one (an empty text)."""

    STAY = "stay"
    """New blue serves on, after a rollback was called off."""
    FORWARD = "forward"
    """To new blue again, after a rollback that was protected."""
    FORCED = "forced"
    """To new blue while blue prime serves and does not answer: what it did not send is given up."""


def name(track: Track, variant: str = "") -> str:
    """Return what a stay on a track is called where one word must do."""
    return (
        variant
        if variant in (UpgradeVariant.FORWARD, RollbackTarget.FINALIZE, RollbackTarget.FORCED)
        else track.value
    )
