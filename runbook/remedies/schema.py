"""Schema drift: what the publisher has and the subscriber lacks, made in the right order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from psycopg.sql import SQL, Composable, Composed

from runbook.postgres import drift
from runbook.postgres.drift import Change
from runbook.postgres.parts import Name, Parts
from runbook.postgres.statement import Statement, quoted
from runbook.remedies.comparing import compare_rows
from runbook.remedies.remedy import Remedy
from runbook.remedies.stopping import both
from runbook.sides import held
from runbook.step import Finding, Gate, Watch, Wave
from runbook.steps.effects import SqlEffect, no, unknown, yes
from runbook.world import World

WRITABLE = Statement(SQL("SET LOCAL transaction_read_only = off"))
"""The subscriber is read-only to clients by default: this transaction is not."""


class PartsEffect(SqlEffect):
    """DDL on the subscriber; `left` says from both sides' parts what it has not made yet."""

    def __init__(
        self,
        world: World,
        database: str,
        statements: Sequence[Composable],
        *,
        key: str,
        title: str,
        left: Callable[[Parts, Parts], str],
        alone: bool = False,
    ) -> None:
        async def nothing(connection: object) -> Finding:
            return unknown("both sides are looked at")

        super().__init__(
            world,
            held(world).subscriber,
            database,
            [
                *([] if alone else [WRITABLE]),
                *(Statement(Composed([statement])) for statement in statements),
            ],
            key=key,
            title=title,
            probe=nothing,
            transaction=not alone,
            limit_s=world.plan.limits.mend_s,
        )
        self._left = left

    async def probe(self) -> Finding:
        """Compare both sides' catalogs."""
        words = self._left(*await both(self.world, self._database))
        return no(words) if words else yes("both sides have it alike")


@dataclass
class SchemaChange(Remedy):
    """One change of the subscriber's schema. `kind` and `name` are as `drift.Change` has them."""

    what: ClassVar[str] = "schema"
    database: str
    kind: str
    name: list[str]
    words: str
    destructive: bool = False

    def __post_init__(self) -> None:
        self.named(self.kind, quoted(self.database), ".".join(map(quoted, self.name)))
        self.title = f"{self.words} in {self.database}"
        self.undo = (
            "None: what it held is gone." if self.destructive else "By the opposite statement."
        )

    async def gates(self, world: World) -> list[Gate]:
        if not self.destructive:
            return []
        return [
            Gate(
                key=self.key,
                question=f"{self.title} on {held(world).subscriber.value}.",
                reversible=self.why,
                must_type=".".join(self.name),
                valid_s=0.0,
            )
        ]

    async def effects(self, world: World) -> list[Wave]:
        change = self._among(*await both(world, self.database))
        subscriber = held(world).subscriber

        def left(ours: Parts, theirs: Parts) -> str:
            return "the two sides differ in it" if self._among(ours, theirs) else ""

        effect = PartsEffect(
            world,
            self.database,
            () if change is None else change.statements,
            key=f"{subscriber.slug}/{self.key}",
            title=f"{self.title} of {subscriber.value}",
            left=left,
            alone=change is not None and change.alone,
        )
        return [[effect]]

    def _among(self, ours: Parts, theirs: Parts) -> Change | None:
        for change in drift.changes(ours, theirs):
            if change.kind == self.kind and list(change.name) == self.name:
                return change
        return None

    async def verify(self, world: World, watch: Watch) -> None:
        watch.evidence(f"done on {held(world).subscriber.value}: {self.title}")
        if self.kind == "column":
            ours, _ = await both(world, self.database)
            for schema, table in leaves(ours, (self.name[0], self.name[1])):
                await compare_rows(world, watch, self.database, schema, table)


def leaves(found: Parts, table: Name) -> list[Name]:
    """Return a table itself, or of a partitioned one the partitions that hold rows."""
    if found.tables.get(table, {"kind": "r"})["kind"] != "p":
        return [table]
    children = [name for name, made in found.tables.items() if made["parent"] == list(table)]
    return [leaf for child in sorted(children) for leaf in leaves(found, child)]
