"""The words that the journal, the screens and the JSON output share.

The values are what is stored and printed; they are contracts, not decoration.
"""

from enum import StrEnum

REPAIR = "repair/"
"""How the key of a step begins that is on no track: a repair, taken where it was needed."""


class Status(StrEnum):
    """The state of a step, an attempt or an effect, as the operator reads it."""

    PENDING = "pending"
    READY = "ready"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it without a person."""
        return self not in (Status.PENDING, Status.READY, Status.RUNNING)

    @property
    def done(self) -> bool:
        """Whether the run may go past it."""
        return self in (Status.SUCCEEDED, Status.SKIPPED)


class Outcome(StrEnum):
    """How an effect ended. No row value at all means: an intent without outcome."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    ADOPTED = "adopted"
    """The probe found that it had already happened; nothing was performed."""


class Track(StrEnum):
    """An ordered list of steps."""

    UPGRADE = "upgrade"
    ABORT = "abort"
    ROLLBACK = "rollback"
    COMMIT = "commit"
    CLEANUP = "cleanup"


class Result(StrEnum):
    """How a run ended, or where it rests."""

    PROTECTED = "protected"
    ROLLED_BACK = "rolled_back"
    COMMITTED = "committed"
    ABORTED = "aborted"
    CLEANED = "cleaned"
    FAILED = "failed"


class HandoverKind(StrEnum):
    """What became of the right to act on a run, on this machine."""

    GIVEN = "given"
    """Handed over: from then on another machine acts, and this one may only look."""
    ACCEPTED = "accepted"
    TAKEN_BACK = "taken_back"
    """It was given, but never arrived."""


class Environment(StrEnum):
    """Which world a run acts on; shown on every screen."""

    AWS = "aws"
    REHEARSAL = "rehearsal"
