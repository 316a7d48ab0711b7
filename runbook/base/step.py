"""The contract of a step: what every line of the checklist answers.

A step is declarative. It says what a person must decide (`gates`), which changes it wants
(`effects`, as data), and how it is known to have worked (`verify`). It performs nothing: only the
runner performs effects, each with its intent on disk first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from runbook.base.roles import Role
from runbook.failures import Finding
from state.enums import Result
from state.records import Json

if TYPE_CHECKING:
    from runbook.base.context import RunContext


class Risk(StrEnum):
    """What a step can do to the world."""

    READ_ONLY = "read-only"
    REVERSIBLE = "reversible"
    PIVOT = "pivot"
    DESTRUCTIVE = "destructive"


class Impact(StrEnum):
    """What a change does to a cluster that applications may be using."""

    STOP = "stop"
    """Takes the applications from the cluster that serves them."""
    CLOSE = "close"
    """Keeps clients out of a cluster that is to serve nobody."""
    OPEN = "open"
    """Lets clients in, or leads them there."""
    CHANGE = "change"
    """Drops, empties or overwrites what is inside."""
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class ClusterImpact:
    """To which cluster a change does what; before it, the clusters are asked who serves."""

    kind: Impact
    role: Role
    lasting: bool = False
    """Whether the cluster itself keeps clients out, or lets them in, from then on."""


class Effect(ABC):
    """One change to the world.

    `key` is its idempotency key, which is the name of the resource it makes, derived from the run;
    `title` says it in a few words, naming the object.
    """

    key: str
    title: str
    settle_limit_s: float = 600.0
    trails: bool = False
    """Whether looks may trail the change for a while, as AWS's describes do."""
    stakes: ClusterImpact | None = None
    """None: no cluster is closed, opened, changed inside or deleted by it."""
    database: str = ""
    """The one database that it is made in; empty: it is made in none, or in several."""

    @property
    def on(self) -> Role | None:
        """The part of the cluster that it is made on, as far as it is made on one."""
        return None if self.stakes is None else self.stakes.role

    @abstractmethod
    def preview(self) -> str:
        """Return the exact API call or SQL, secrets masked, fit to be done by hand."""

    @abstractmethod
    async def probe(self) -> Finding:
        """Look, and only look, whether it has already happened."""

    @abstractmethod
    async def perform(self) -> Mapping[str, Json]:
        """Make the change and return what is worth keeping of the answer.

        Raise `StepFailed` when it certainly did not happen and the reason is foreseeable, and
        `Ambiguous` when that cannot be told; the runner probes then.
        """

    async def settled(self) -> str:
        """Return what is still under way before the next wave may go, or an empty string.

        A rename that AWS has accepted has happened, and yet the name is not free: the runner
        polls this, which only reads, for at most `settle_limit_s`.
        """
        return ""


Wave = Sequence[Effect]
"""Effects that do not depend on each other and may go together."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A decision that a person must make before a step touches anything."""

    key: str
    question: str
    """Verb and target: what happens if the answer is yes."""
    reversible: str
    """Whether and how it can be undone, and what that loses."""
    must_type: str = ""
    """The text to type, or empty where a plain yes suffices."""
    valid_s: float = 1800.0
    """How long a recorded decision stands for later steps that ask the same gate."""
    yes: str = ""
    """What the button says that passes it; empty: that the step is run."""
    by_person: bool = False
    """Whether only a person may pass it, never an unattended run."""


class Watch(Protocol):
    """What `verify` reports to: evidence, progress and waiting, all journaled by the runner."""

    def evidence(self, text: str, *, key: str = "", value: Json = None) -> None:
        """Keep what was seen. With a `key`, later steps read `value` through `RunContext.fact`."""

    def warning(self, text: str, *, key: str) -> None:
        """Say what the step, though it is done, did not do; it stands until it is taken back.

        The checklist, the report and the summary show it. An empty `text` takes back what an
        earlier look kept under the `key`.
        """

    def progress(self, text: str, fraction: float | None = None, *, to_do: bool = False) -> None:
        """Say where a wait stands; journaled as a heartbeat, at most every few seconds.

        `fraction` lies between 0 and 1. With `to_do` the text is what a person must do now, the
        applications waiting for it: it is shown above everything else.
        """

    def result(self, result: Result | None) -> None:
        """Say where the run rests now, or that it rests nowhere; a later branch may change it."""

    async def passes(self, gate: Gate) -> bool:
        """Let a person decide on what was only now seen; journaled like a gate before a step."""

    def until(self, limit_s: float, *, every_s: float, what: str) -> AsyncIterator[float]:
        """Iterate with the seconds waited, sleeping in between.

        Raises `StepFailed` naming `what` once `limit_s` of waiting are over. Any wait may be
        interrupted and taken up again: it only reads.
        """


class Step(ABC):
    """One line of the checklist."""

    key: str
    title: str
    why: str
    """One sentence."""
    risk: Risk = Risk.READ_ONLY
    undo: str = "Nothing to undo."
    continues: bool = False
    """Whether the next step follows by itself: inside the fence every second counts."""
    rests: bool = False
    """Whether the run rests with a result once it is done."""
    lasts: bool = False
    """Whether what it begins goes on after it, until the run takes another way."""

    async def skip(self, context: RunContext) -> str:
        """Return why the step is not needed here, or an empty string."""
        return ""

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        """Return what a person must decide before it."""
        return ()

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        """Return the changes it wants, in order; a wave's members may go together."""
        return ()

    @abstractmethod
    async def verify(self, context: RunContext, watch: Watch) -> None:
        """Record evidence that it worked, or raise `StepFailed` saying what to do next."""
