"""What applications need beside their rows, made on one side as it is on the one that serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from psycopg import AsyncConnection
from psycopg.sql import Composed

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Gate, Watch, Wave
from runbook.failures import Finding, StepFailed
from runbook.postgres import objects
from runbook.postgres.maintenance import unhurried
from runbook.postgres.replication.role import set_password_statement
from runbook.postgres.statement import MASK, Statement, compose, quoted
from runbook.procedure.steps.shared.effects import SqlEffect, no, unknown, yes
from runbook.procedure.steps.shared.objects import accepting, keep_accepted
from runbook.proofs import objects as unlike
from runbook.proofs.objects import ObjectsSurvey, Unlike
from runbook.repair import create_objects
from runbook.repair.contract import Place, Repair
from runbook.repair.schema import WRITABLE
from state.records import Json

_NEEDED = ("role", "password", "membership", "setting", "limit")
"""Kinds that hold for the server, whatever is in its databases."""


@dataclass
class MakeAlike(Repair):
    """Make one item of the target as the source has it. `source` and `target` are roles' words."""

    what: ClassVar[str] = "alike"
    database: str
    kind: str
    names: list[str]
    words: str
    source: str
    target: str
    drops: bool = False
    waits: bool = False
    """Whether it rests on a table or a type that the target lacks."""

    def __post_init__(self) -> None:
        inside = [quoted(self.database)] if self.database else []
        self.named(self.kind, *inside, ".".join(map(quoted, self.names)))
        where = f" in {self.database}" if self.database else ""
        verb = "Drop" if self.drops else "Make alike"
        self.title = f"{verb} {self.words}{where} on {self.target}"
        self.undo = "None: it is gone." if self.drops else "By the opposite statement."
        if self.kind in _NEEDED or (self.kind == "routine" and not self.waits):
            self.place = Place.NEEDED_GONE if self.drops else Place.NEEDED
        else:
            self.place = Place.CODE_GONE if self.drops else Place.CODE
        self._look: ObjectsSurvey | None = None
        self._found: Unlike | None = None

    def found_by(self, look: ObjectsSurvey, found: Unlike) -> Self:
        """Go on from a look that was made just now: it reads again only what has moved since."""
        self._look, self._found = look, found
        return self

    @property
    def passwords(self) -> bool:
        """Whether those of both sides could be read at the last look."""
        return self._look is not None and self._look.passwords

    async def gates(self, context: RunContext) -> list[Gate]:
        if not self.drops:
            return []
        return self.asking(
            f"{self.title}.",
            f"Only {self.target} has it: {self.source} dropped it, or never had it.",
            typed=self.names[0] if self.kind == "role" else ".".join(self.names[:3]),
        )

    async def effects(self, context: RunContext) -> list[Wave]:
        each = self._found or await self.now(context)
        major = (await context.target(Role(self.target))).server_major
        return [[ItemEffect(context, self, each, major)]]

    async def now(self, context: RunContext) -> Unlike | None:
        """Return how it differs now, or None where it does not."""
        look = self._look = self._look or ObjectsSurvey(context)
        databases = [self.database] if self.database else []
        found = await look.look(Role(self.source), Role(self.target), databases)
        wanted = (self.database, self.kind, tuple(self.names))
        return next((x for x in found if (x.database, x.kind, x.names) == wanted), None)

    async def verify(self, context: RunContext, watch: Watch) -> None:
        each = await self.now(context)
        if each is None:
            watch.evidence(f"alike on both sides: {self.words}")
            return
        if each.exact or each.here is None or each.there is None:
            raise StepFailed(
                f"{self.title} was asked for, and still {each.words}.",
                now="Nothing else was changed.",
                todo="See who may change it: an object is changed by its owner, and a grant by who "
                "made it. Then try again, or accept it by name.",
            )
        # Made from the same words, which the other version prints in its own way.
        watch.evidence(
            f"made of the same words on both sides: {self.words}",
            key=unlike.KNOWN,
            value={**(unlike.known(context) or {}), each.key: each.pair()},
        )


class ItemEffect(SqlEffect):
    """The SQL of one item, with what is to be kept secret read from the source in memory."""

    def __init__(
        self, context: RunContext, repair: MakeAlike, each: Unlike | None, major: int
    ) -> None:
        async def nothing(connection: object) -> Finding:
            return unknown("both sides are looked at")

        made = [] if each is None else create_objects.statements(each, major)
        self._alone = each is not None and create_objects.alone(each)
        statements = [Statement(Composed([one])) for one in made]
        super().__init__(
            context,
            Role(repair.target),
            repair.database,
            statements if self._alone else [WRITABLE, *statements],
            key=f"{Role(repair.target).slug}/{repair.key}",
            title=repair.title,
            probe=nothing,
            transaction=not self._alone,
        )
        self._repair, self._each = repair, each
        self._verifier: str | None = None

    @property
    def _takes_password(self) -> bool:
        each = self._each
        if each is None or each.here is None or not self._repair.passwords:
            return False
        return each.kind == "password" or (each.kind == "role" and each.there is None)

    def preview(self) -> str:
        """Return the SQL; what a password is checked against is read when it is needed."""
        text = super().preview()
        if self._takes_password:
            text += f"\nALTER ROLE {quoted(self._repair.names[0])} PASSWORD '{MASK}';"
        return text

    async def probe(self) -> Finding:
        """Compare both sides."""
        each = await self._repair.now(self.context)
        if each is None:
            return yes("both sides have it alike")
        alike = unlike.known(self.context) or {}
        if not unlike.fresh([each], alike):
            return yes("both sides have it, in the words of their versions")
        return no(each.words)

    async def perform(self) -> Mapping[str, Json]:
        """Read the secret, where there is one, and run the statements."""
        if self._takes_password:
            source = Role(self._repair.source)
            async with self.context.connect(source) as connection:
                self._verifier = await objects.verifier(connection, self._repair.names[0])
        return await super().perform()

    async def run(self, connection: AsyncConnection) -> Mapping[str, Json]:
        """Run them without a limit of time: an index or a view may take long."""
        async with unhurried(connection):
            if not self._takes_password:
                return await super().run(connection)
            async with connection.transaction():
                await super().run(connection)
                await self._password().execute(connection)
        return {}

    def _password(self) -> Statement:
        name = self._repair.names[0]
        if self._verifier is None:
            return Statement(compose("ALTER ROLE {name} PASSWORD NULL", name=name))
        return set_password_statement(name, self._verifier)


@dataclass
class AcceptUnlike(Repair):
    """Accept by name what is not alike, as it is now: a change after that is told anew."""

    what: ClassVar[str] = "accept"
    place = Place.ACCEPTED
    target: str
    pairs: dict[str, list[str]]
    words: list[str]

    def __post_init__(self) -> None:
        self.named("beside-rows")
        self.title = f"Accept what is not alike beside the rows ({len(self.words)}), by name"
        self.undo = "Make it alike by hand: nothing is changed by accepting it."

    async def gates(self, context: RunContext) -> list[Gate]:
        return [accepting(self.key, self.words, self.target)]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        keep_accepted(context, watch, self.pairs, self.words)


def by_hand(each: Unlike) -> str:
    """Return what a person does where no statement can be written from here."""
    target = each.target.value
    if each.kind == "row security":
        return (
            f"Forced row security would stop apply on {target}, which writes as the table's owner. "
            f"Right after {target} has taken over: ALTER TABLE … FORCE ROW LEVEL SECURITY."
        )
    if each.here is None:
        return f"On {target}: SET default_transaction_read_only = off; then drop it."
    return (
        f"1. pg_dump --schema-only from {each.source.value} shows its SQL.\n"
        f"2. On {target}: SET default_transaction_read_only = off; then that SQL.\n"
        "3. Look here again."
    )


def repairs(found: Sequence[Unlike], look: ObjectsSurvey) -> list[MakeAlike]:
    """Return what makes each of them alike, where blueprime can, what others need first."""
    made = []
    for each in found:
        if each.kind == "password" or create_objects.statements(each, 18):
            why = each.words
            if each.kind == "role" and each.there is None and not look.passwords:
                why += "; its password cannot be read: set it by hand after that, or it has none"
            made.append(
                MakeAlike(
                    why=why,
                    database=each.database,
                    kind=each.kind,
                    names=list(each.names),
                    words=each.name,
                    source=each.source.value,
                    target=each.target.value,
                    drops=create_objects.takes_away(each),
                    waits=each.waits,
                ).found_by(look, each)
            )
    # What depends on another is dropped before it.
    kept = [one for one in made if not one.drops]
    return kept + [one for one in reversed(made) if one.drops]
