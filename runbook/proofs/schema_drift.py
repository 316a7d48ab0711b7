"""How the schemas of the two held sides differ, as data: what is said of it, and repaired by it.

The fact `drift` holds what the watch found last, with its time, while the way back is held.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from typing import Any

from pydantic import TypeAdapter

from runbook.base.context import RunContext
from runbook.base.pair import ReplicationPair
from runbook.postgres import oids, schema
from runbook.postgres.gather_all import together
from runbook.postgres.oids import Name, Pair
from runbook.postgres.schema import Key, Line
from runbook.postgres.statement import quoted
from runbook.proofs import schemas_equal

FACT = "drift"

GIVEN_UP = "databases.given-up"
"""The databases that came after the capture, and that a person leaves behind by name."""


class Where(StrEnum):
    """Which side has it."""

    PUBLISHER = "publisher"
    SUBSCRIBER = "subscriber"
    BOTH = "both"
    """Both, and not alike."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that is not alike on both sides."""

    database: str
    kind: str
    """`database`, or as in `schema.Line.kind`; `publication`: what travels of what there is."""
    names: tuple[str, ...]
    """Schema, relation, part, as far as there are; unquoted. None: the publication as a whole."""
    where: Where
    publisher: str
    """The roles of the two sides, e.g. `new blue`."""
    subscriber: str
    here: str = ""
    """How it reads on the publisher; empty where it is not there."""
    there: str = ""
    """How it reads on the subscriber."""
    unsent: bool = False
    """Whether rows have values that replication does not carry: those of a column that was added,
    or made anew by a change of its type; all of a table that is unlogged on the publisher."""

    @property
    def breaks(self) -> bool:
        """Whether rows may not arrive, or an application would miss it after a rollback."""
        if self.kind == "version":
            return False
        return not (self.kind == "extension" and self.where is Where.SUBSCRIBER)

    @property
    def subject(self) -> str:
        """What it is about, the same from look to look."""
        return f"{self.kind} {'.'.join(map(quoted, self.names))}"

    @property
    def words(self) -> str:
        """Say it in one line."""
        name = ".".join(map(quoted, self.names))
        if self.kind == "database":
            return f"database {quoted(self.database)} of {self.publisher} is not captured"
        if self.kind == "publication":
            return f"{self.database}: {self._travels(name)}"
        if self.where is Where.PUBLISHER:
            return f"{self.database}: only on {self.publisher}: {self.here}"
        if self.where is Where.SUBSCRIBER:
            return f"{self.database}: only on {self.subscriber}: {self.there}"
        return (
            f"{self.database}: {self.here} on {self.publisher}, but on {self.subscriber}: "
            f"{self.there}"
        )

    def _travels(self, name: str) -> str:
        if not self.names:
            return f"the publication on {self.publisher} is {self.here or 'gone'}"
        if self.where is Where.PUBLISHER:
            return f"the subscription on {self.subscriber} does not take in table {name}"
        return f"the publication on {self.publisher} does not publish table {name}"

    def as_json(self) -> dict[str, Any]:
        """Return it as the journal keeps it."""
        value: dict[str, Any] = _DRIFT.dump_python(self, mode="json")
        return value


_DRIFT = TypeAdapter(Drift)


def from_json(value: Any) -> Drift:
    """Return the drift that `as_json` wrote."""
    return _DRIFT.validate_python(value)


def given_up(context: RunContext) -> list[str]:
    """Return the databases that are left behind by name."""
    return list(context.fact(GIVEN_UP) or ())


def kept(context: RunContext) -> list[Drift]:
    """Return what the watch found last."""
    return [from_json(each) for each in (context.fact(FACT) or {}).get("drifts", ())]


def compare(
    database: str,
    sides: ReplicationPair,
    here: Sequence[Line],
    there: Sequence[Line],
    same: Collection[Key] = (),
) -> list[Drift]:
    """Return how two readings of a schema differ; what belongs to a missing table goes with it.

    `same` are those that are known to be the same, although they are not written alike.
    """
    left, right = ({line.key: line for line in lines} for lines in (here, there))
    found = []
    for key in sorted(left.keys() | right.keys()):
        ours, theirs = left.get(key), right.get(key)
        if ours and theirs and (ours.text == theirs.text or key in same):
            continue
        where = Where.BOTH if ours and theirs else Where.PUBLISHER if ours else Where.SUBSCRIBER
        found.append(
            Drift(
                database,
                *key,
                where,
                sides.publisher.value,
                sides.subscriber.value,
                here=ours.words if ours else "",
                there=theirs.words if theirs else "",
                unsent=ours is not None and _unsent(ours, theirs),
            )
        )
    whole = {(d.kind, d.names) for d in found if d.where is not Where.BOTH}
    return [d for d in found if _of_its_own(d, whole)]


def _unsent(ours: Line, theirs: Line | None) -> bool:
    if theirs is None:
        return ours.kind == "column" and bool(ours.makes)
    return bool(ours.makes) and theirs.makes != ours.makes


def _of_its_own(drift: Drift, whole: set[tuple[str, tuple[str, ...]]]) -> bool:
    """Return whether it is not told by what it belongs to, which one side lacks as a whole."""
    if drift.kind == "version":
        return drift.where is Where.BOTH
    return drift.kind in ("table", "sequence") or ("table", drift.names[:2]) not in whole


async def differences(
    context: RunContext, sides: ReplicationPair, database: str
) -> tuple[list[Drift], frozenset[Key]]:
    """Return how the sides differ now, and what is alike although each writes it its own way."""
    async with (
        context.connect(sides.publisher, database) as publisher,
        context.connect(sides.subscriber, database) as subscriber,
    ):
        here, there = await together(schema.lines(publisher), schema.lines(subscriber))
        pairs = schema.unlike(here, there)
        same = await schemas_equal.same(context, database, subscriber, pairs)
    both = {line.key for line in here} & {line.key for line in there}
    drifts = compare(database, sides, here, there, same)
    return drifts, frozenset(both - (pairs.keys() - same))


class SchemaSurvey:
    """Compares the schemas of both sides, database by database, as cheaply as it can.

    First a stamp of the catalogs on each side: where none has moved since the last look, what was
    found then stands. Else a digest of the schema, made by the servers; and only where the digests
    differ are the schemas read and compared line by line. What is written otherwise and is the same
    does not count (`schemas_equal`).
    """

    def __init__(self, context: RunContext, publication: str) -> None:
        self._context = context
        self._publication = publication
        self._sides: ReplicationPair | None = None
        self._known: dict[str, tuple[tuple[str, str], list[Drift]]] = {}
        self.numbered: dict[str, dict[Name, Pair]] = {}
        """The tables of each database whose catalogs have moved, as `oids.pairs` returns them,
        at the last look."""
        self.stamps_s = 0.0
        """How long the servers took for the stamps, at the last look."""
        self.compared_s = 0.0
        """How long for the comparisons that followed."""

    async def look(self, sides: ReplicationPair, databases: Sequence[str]) -> list[Drift]:
        """Return how the sides differ now."""
        if sides != self._sides:
            self._sides, self._known = sides, {}
        self.numbered = {}
        self.stamps_s = self.compared_s = 0.0
        left_behind = given_up(self._context)
        found = [
            Drift(
                name,
                "database",
                (name,),
                Where.PUBLISHER,
                sides.publisher.value,
                sides.subscriber.value,
            )
            for name in await self._context.databases(sides.publisher)
            if name not in databases and name not in left_behind
        ]
        for database in databases:
            found += await self._database(sides, database)
        return found

    async def _database(self, sides: ReplicationPair, database: str) -> list[Drift]:
        async with (
            self._context.connect(sides.publisher, database) as publisher,
            self._context.connect(sides.subscriber, database) as subscriber,
        ):
            began = monotonic()
            first, second = await together(schema.stamp(publisher), schema.stamp(subscriber))
            stamps, stamped = (first, second), monotonic()
            self.stamps_s += stamped - began
            known = self._known.get(database)
            if known is not None and known[0] == stamps:
                return known[1]
            # A change that falls between the stamp and what follows is seen at the next look.
            self.numbered[database] = await oids.pairs(publisher, subscriber)
            ends = ((publisher, schema.PUBLISHER), (subscriber, schema.SUBSCRIBER))
            name = self._publication
            digests = await together(
                *(schema.digest(end, side=side, publication=name) for end, side in ends)
            )
            drifts: list[Drift] = []
            if digests[0] != digests[1]:
                here, there = await together(
                    *(schema.lines(end, side=side, publication=name) for end, side in ends)
                )
                pairs = schema.unlike(here, there)
                same = await schemas_equal.same(self._context, database, subscriber, pairs)
                drifts = compare(database, sides, here, there, same)
            self._known[database] = (stamps, drifts)
            self.compared_s += monotonic() - stamped
            return drifts
