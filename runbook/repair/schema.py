"""Schema drift: what the publisher has and the subscriber lacks, made in the right order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import ClassVar

from psycopg.sql import SQL, Composable, Composed

from runbook.base.context import RunContext
from runbook.base.pair import current_pair, subscription
from runbook.base.step import Gate, Watch, Wave
from runbook.failures import Finding, StepFailed
from runbook.postgres import replication, schema_changes
from runbook.postgres.change import Change
from runbook.postgres.schema_ddl import Name, Parts
from runbook.postgres.statement import Statement, quoted
from runbook.procedure.steps.shared.effects import SqlEffect, no, unknown, yes
from runbook.proofs import recreated_tables
from runbook.repair.catch_up import caught_up
from runbook.repair.contract import Place, Repair
from runbook.repair.hold import holding, kept
from runbook.repair.recompare import compare_rows
from runbook.repair.stopping import SOON_S, both
from state.records import Json

RENAMES = ("rename-column", "rename-table")

BEFORE_RENAMES = ("column", "enum-value", "enum-labels")
"""What apply may stand at, with rows behind it that bear a name from before a rename."""

ROWS_AFTER = ("column", "column-type", *RENAMES)
"""After these the table's rows are compared: what was there before them was not replicated."""

WRITABLE = Statement(SQL("SET LOCAL transaction_read_only = off"))
"""The subscriber is read-only to clients by default: this transaction is not."""

OWN_WRITES = (
    WRITABLE,
    replication.own_mark(),
    Statement(SQL("SET LOCAL session_replication_role = replica")),
)
"""What a transaction begins with that changes rows there: it is told from stray writes, and neither
triggers nor foreign keys of other tables fire."""


class PartsEffect(SqlEffect):
    """DDL on the subscriber; `left` says from both sides' parts what it has not made yet."""

    def __init__(
        self,
        context: RunContext,
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
            context,
            current_pair(context).subscriber,
            database,
            [
                *([] if alone else [WRITABLE]),
                *(Statement(Composed([statement])) for statement in statements),
            ],
            key=key,
            title=title,
            probe=nothing,
            transaction=not alone,
            limit_s=context.plan.limits.repair_s,
        )
        self._left = left

    async def probe(self) -> Finding:
        """Compare both sides' catalogs."""
        words = self._left(*await both(self.context, self._database))
        return no(words) if words else yes("both sides have it alike")


@dataclass
class SchemaChange(Repair):
    """One change of the subscriber's schema. `kind` and `name` are as `Change` has them."""

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
        if self.destructive and self.kind.startswith("drop-"):
            self.place = Place.TABLES_GONE

    async def gates(self, context: RunContext) -> list[Gate]:
        if not self.destructive:
            return []
        question = f"{self.title} on {current_pair(context).subscriber.value}."
        return self.asking(question, self.why, typed=".".join(self.name))

    async def effects(self, context: RunContext) -> list[Wave]:
        change = self._among(*await both(context, self.database))
        subscriber = current_pair(context).subscriber
        if change is not None and (words := await holding(context, self.database, change)):
            raise StepFailed(f"{words}.", now="Nothing was changed.", todo=kept(change, "It stays"))

        def left(ours: Parts, theirs: Parts) -> str:
            return "the two sides differ in it" if self._among(ours, theirs) else ""

        effect = (RenameEffect if self.kind in RENAMES else PartsEffect)(
            context,
            self.database,
            () if change is None else change.statements,
            key=f"{subscriber.slug}/{self.key}",
            title=f"{self.title} of {subscriber.value}",
            left=left,
            alone=change is not None and change.alone,
        )
        return [[effect]]

    def _among(self, ours: Parts, theirs: Parts) -> Change | None:
        for change in schema_changes.changes(ours, theirs):
            if change.kind == self.kind and list(change.name) == self.name:
                return change
        return None

    async def wanted(self, context: RunContext) -> bool:
        """Return whether the sides differ in it, and not as they do after it was done."""
        change = self._among(*await both(context, self.database))
        return change is not None and context.fact(unrepaired(self.key)) != change.mark

    async def verify(self, context: RunContext, watch: Watch) -> None:
        ours, theirs = await both(context, self.database)
        subscriber = current_pair(context).subscriber.value
        if (left := self._among(ours, theirs)) is not None:
            watch.evidence("", key=unrepaired(self.key), value=left.mark)
            raise StepFailed(
                f"{self.title} was done on {subscriber}, and the two sides still differ in it.",
                now=f"It stands on {subscriber} as the SQL made it. Not protected, as long as the "
                "sides differ; it is not offered again, unless one of them changes.",
                todo="Compare how both sides write it, which blueprime show names, and make them "
                "alike by hand.",
            )
        watch.evidence(f"done on {subscriber}: {self.title}")
        if self.kind in ROWS_AFTER:
            tables = leaves(ours, (self.name[0], self.name[1]))
            column = self.kind in ("column", "column-type")
            await recreated_tables.keep(context, watch, self.database, tables, column=column)
            for schema, table in tables:
                await compare_rows(context, watch, self.database, schema, table)


def unrepaired(key: str) -> str:
    """Return the fact that keeps of a repair what it did not bring to an end."""
    return f"{key}.unrepaired"


class RenameEffect(PartsEffect):
    """A rename on the subscriber, once no row that bears the former name is on its way any more."""

    async def perform(self) -> Mapping[str, Json]:
        """Wait for those rows, or for apply to stand at the first one of the new name."""
        sides, limit_s = current_pair(self.context), self.context.plan.limits.drain_s
        (failed, _), began = await self._failures(), monotonic()
        while not await caught_up(
            self.context, sides, self._database, limit_s=SOON_S, only_look=True
        ):
            count, down = await self._failures()
            if count != failed if count is not None else down:
                await self._refuse_if_stopped_otherwise()
                break
            if monotonic() - began > limit_s:
                raise StepFailed(
                    f"Rows that {sides.publisher.value} wrote before it renamed this are still on "
                    f"their way to {sides.subscriber.value}.",
                    now="Nothing was renamed: they could not be applied any more.",
                    todo="Look at the lag, then try again.",
                )
        return await super().perform()

    async def _refuse_if_stopped_otherwise(self) -> None:
        """Refuse where apply may stand at something else, with former names behind it."""
        changes = schema_changes.changes(*await both(self.context, self._database))
        if first := [each.title for each in changes if each.kind in BEFORE_RENAMES]:
            raise StepFailed(
                f"Apply in {self._database} stands at something else: {'; '.join(first)}.",
                now="Nothing was renamed: rows that bear the former name may wait behind it.",
                todo="Fix that first, then try this again.",
            )

    async def _failures(self) -> tuple[int | None, bool]:
        subscriber = current_pair(self.context).subscriber
        found = await subscription(self.context, subscriber, self._database)
        if found is None:
            return None, True
        # Below 15 nobody counts failures: a worker that is not there has failed.
        return found.apply_error_count, found.worker_pid is None


def leaves(found: Parts, table: Name) -> list[Name]:
    """Return a table itself, or of a partitioned one the partitions that hold rows."""
    if found.tables.get(table, {"kind": "r"})["kind"] != "p":
        return [table]
    children = [name for name, made in found.tables.items() if made["parent"] == list(table)]
    return [leaf for child in sorted(children) for leaf in leaves(found, child)]
