"""What may happen in a night, as values that can be drawn by a seed, shrunk and printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from runbook.base.step import Gate
from tests.guards.faults import AT_CLAIMS, Fault
from tests.guards.night import Night, Settings

HANDS = (
    "delete blue prime",
    "rename blue prime",
    "rename old blue",
    "delete the deployment",
    "make blue prime's name",
    "forge blue prime",
    "make the deployment's name",
)


@dataclass(frozen=True)
class Go:
    """Run the next steps, saying yes."""

    steps: int = 1

    def do(self, night: Night) -> None:
        for _ in range(self.steps):
            if night.advance() not in ("succeeded", "skipped"):
                return


@dataclass(frozen=True)
class Decline:
    """Run the next step, saying no, or typing something else, at its first gate."""

    typed: str | None = None

    def do(self, night: Night) -> None:
        async def decide(gate: Gate) -> str | None:
            return self.typed if gate.must_type else None

        night.advance(decide)


@dataclass(frozen=True)
class Strike:
    """Arm a fault for the n-th effect from now, or for the n-th claim to hold the run."""

    fault: Fault
    nth: int = 1
    claims: bool = False

    def do(self, night: Night) -> None:
        night.opened()
        night.world.faults.arm(self.fault, self.nth, claims=self.claims)


@dataclass(frozen=True)
class Resolve:
    """Decide every unknown effect, rightly or wrongly."""

    choice: str

    def do(self, night: Night) -> None:
        night.resolve(self.choice)


@dataclass(frozen=True)
class Branch:
    """Take a way: one that is available, one that is not, or one that was offered earlier."""

    index: int = 0
    kind: str = "available"

    def do(self, night: Night) -> None:
        if self.kind == "remembered":
            night.branch_late(self.index)
        else:
            night.branch(self.index, available=self.kind == "available")


@dataclass(frozen=True)
class Hand:
    """Somebody else does something by hand, some seconds from now."""

    what: str
    after_s: float = 0.0

    def do(self, night: Night) -> None:
        night.hand(self.what, self.after_s)
        if not self.after_s:
            night.world.pass_time(0.001)


@dataclass(frozen=True)
class Edit:
    """The plan is edited while the run is under way."""

    key: str
    value: str | bool

    def do(self, night: Night) -> None:
        night.edit_plan(**{self.key: self.value})


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    seconds: float

    def do(self, night: Night) -> None:
        night.world.pass_time(self.seconds)


@dataclass(frozen=True)
class Simple:
    """Something without more to say."""

    what: str

    def do(self, night: Night) -> None:
        acts: dict[str, Callable[[], None]] = {
            "killed between steps": night.kill,
            "left and opened again": night.leave,
            "watched": night.watch,
            "another run": night.second_run,
            "repaired": night.repair,
        }
        acts[self.what]()


@dataclass(frozen=True)
class Choose:
    """Take the way of this name, if it is available: a way, or a track that has none."""

    variant: str

    def do(self, night: Night) -> None:
        night.choose(self.variant)


@dataclass(frozen=True)
class Keep:
    """Keep a copy of the journal, the run having been left, or the process killed."""

    number: int = 0
    killed: bool = False

    def do(self, night: Night) -> None:
        night.keep_copy(self.number, killed=self.killed)


@dataclass(frozen=True)
class Back:
    """Put a copy that was kept in the place of the journal."""

    number: int = 0

    def do(self, night: Night) -> None:
        night.put_back(self.number)


@dataclass(frozen=True)
class Elsewhere:
    """Go on at another machine, which has a journal, or gets a copy of this one."""

    machine: int = 1
    left: bool = True
    """Whether the run is left here before; else the process stays open."""

    def do(self, night: Night) -> None:
        night.go_to(self.machine, left=self.left)


@dataclass(frozen=True)
class Adopt:
    """Another machine adopts the run from what is there."""

    machine: int = 1

    def do(self, night: Night) -> None:
        night.adopt(self.machine)


Moved = Keep | Back | Elsewhere | Adopt
Act = Go | Decline | Strike | Resolve | Branch | Choose | Hand | Edit | Wait | Simple | Moved


@dataclass(frozen=True)
class Sequence:
    """A night: how it is set up, how many steps go well at first, and what happens then.

    Each act is followed by as many steps as stand beside it, or fewer where one does not succeed.
    """

    settings: Settings
    smooth: int
    acts: tuple[tuple[Act, int], ...]


EDITS: tuple[tuple[str, str | bool], ...] = (
    ("delete_old_blue", True),
    ("delete_old_blue", False),
    ("order", "traffic-first"),
    ("order", "protect-first"),
    ("endpoint", "rename"),
    ("endpoint", "manual"),
    ("endpoint", "command"),
    ("stop", "roles"),
    ("stop", "manual"),
)

SETTINGS = (
    Settings(),
    Settings(order="protect-first", stop="command", endpoint="route53", delete_old_blue=True),
    Settings(stop="manual", endpoint="manual", delete_old_blue=True, protected=True, protect=False),
    Settings(stop="command", endpoint="command", protected=True),
)
"""Each value of each setting occurs; each pair of them would take longer and show no more."""


def _act(chance: Random) -> Act:
    kinds: list[tuple[int, Callable[[], Act]]] = [
        (6, lambda: Strike(chance.choice(list(Fault)), chance.choice((1, 1, 2, 3, 5)))),
        (5, lambda: Branch(chance.randrange(7))),
        (1, lambda: Branch(chance.randrange(7), "unavailable")),
        (1, lambda: Branch(chance.randrange(7), "remembered")),
        (3, lambda: Hand(chance.choice(HANDS), chance.choice((0.0, 0.0, 1.0, 4.0, 12.0)))),
        (3, lambda: Resolve(chance.choice(("adopt", "retry", "failed")))),
        (1, lambda: Decline(chance.choice((None, "orders-old1", "yes")))),
        (1, lambda: Simple("killed between steps")),
        (1, lambda: Simple("left and opened again")),
        (2, lambda: Simple("watched")),
        (1, lambda: Simple("another run")),
        (1, lambda: Wait(chance.choice((5.0, 40.0)))),
        (2, lambda: Edit(*chance.choice(EDITS))),
    ]
    (make,) = chance.choices([each for _, each in kinds], [weight for weight, _ in kinds])
    return make()


def drawn(seed: int) -> Sequence:
    """Return the sequence of a seed."""
    chance = Random(seed)
    return Sequence(
        chance.choice(SETTINGS),
        chance.randrange(17),
        tuple((_act(chance), chance.choice((0, 1, 3, 12))) for _ in range(chance.randint(2, 9))),
    )


TWO_SETTINGS = (*SETTINGS, *(replace(each, tagless=True) for each in SETTINGS))


def _moved(chance: Random) -> Act:
    """Return an act with another journal, or something that goes wrong with a claim."""
    copy, machine = chance.randrange(2), chance.randrange(3)
    kinds: list[tuple[int, Callable[[], Act]]] = [
        (3, lambda: Keep(copy, killed=chance.random() < 0.3)),
        (4, lambda: Back(copy)),
        (6, lambda: Elsewhere(machine, left=chance.random() < 0.6)),
        (3, lambda: Adopt(machine)),
        (2, lambda: Simple("repaired")),
        (1, lambda: Hand("lose the slots", chance.choice((0.0, 4.0)))),
        (2, lambda: Strike(chance.choice(AT_CLAIMS), chance.choice((1, 1, 2)), claims=True)),
    ]
    (make,) = chance.choices([each for _, each in kinds], [weight for weight, _ in kinds])
    return make()


def drawn_two(seed: int) -> Sequence:
    """Return the sequence of a seed with two journals or more: half of the acts are about them."""
    chance = Random(f"two {seed}")
    acts = [
        (_moved(chance) if chance.random() < 0.5 else _act(chance), chance.choice((0, 1, 3, 12)))
        for _ in range(chance.randint(3, 9))
    ]
    first = (chance.choice((Keep(), Elsewhere(1, left=chance.random() < 0.6), Adopt())), 0)
    return Sequence(chance.choice(TWO_SETTINGS), chance.randrange(18), (first, *acts))


def shrunk(sequence: Sequence, fails: Callable[[Sequence], bool]) -> Sequence:
    """Return a sequence that still fails and none of whose acts can be left out."""
    smaller = True
    while smaller:
        smaller = False
        for place in range(len(sequence.acts)):
            acts = sequence.acts[:place] + sequence.acts[place + 1 :]
            candidate = replace(sequence, acts=acts)
            if fails(candidate):
                sequence, smaller = candidate, True
                break
    return sequence
