"""Apply is refused the tables that it has to write: told in PostgreSQL's words, and repaired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from psycopg import AsyncConnection

from runbook.base.context import RunContext
from runbook.base.pair import current_pair, publication_name
from runbook.base.step import Watch, Wave
from runbook.failures import Finding
from runbook.postgres import apply_rights
from runbook.postgres.apply_rights import ApplyRights
from runbook.postgres.failing_transaction import Pending
from runbook.postgres.statement import quoted
from runbook.procedure.steps.shared.effects import SqlEffect, no, yes
from runbook.repair.catch_up import goes_on
from runbook.repair.contract import Repair


@dataclass
class RunAsOwner(Repair):
    """Let one database's apply write as the subscription's owner, not as each table's."""

    what: ClassVar[str] = "run-as-owner"
    undo = "ALTER SUBSCRIPTION … SET (run_as_owner = false)."
    database: str

    def __post_init__(self) -> None:
        self.named(quoted(self.database))
        self.title = f"Let apply in {self.database} write as the subscription's owner"

    async def effects(self, context: RunContext) -> list[Wave]:
        name, subscriber = publication_name(context), current_pair(context).subscriber

        async def probe(connection: AsyncConnection) -> Finding:
            there = await apply_rights.runs_as_owner(connection, name)
            return (yes if there else no)(f"run_as_owner of {name} is {str(there).lower()}")

        effect = SqlEffect(
            context,
            subscriber,
            self.database,
            [apply_rights.run_as_owner(name)],
            key=f"{subscriber.slug}/{self.database}/subscription/run-as-owner",
            title=f"{name} in {self.database} of {subscriber.value}: run_as_owner = true",
            probe=probe,
        )
        return [[effect]]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        done = "The subscription writes as its owner now"
        await goes_on(context, watch, self.database, "what it was refused", done)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What PostgreSQL refuses to a database's apply worker."""

    tables: Sequence[ApplyRights]
    """Those of the transaction that it fails at."""
    as_owner: bool
    """Whether it writes as each table's owner."""
    option_helps: bool
    """Whether it would be refused nothing of them as the subscription's owner."""

    @property
    def why(self) -> str:
        """What PostgreSQL says, in its words."""
        said = [f"{table}: {'; '.join(table.refusals(as_owner=self.as_owner))}"
                for table in self.tables]  # fmt: skip
        return "PostgreSQL does not let apply write: " + "; ".join(said)

    @property
    def sql(self) -> str:
        """The grants that let it write as it does now, one a line."""
        return "\n".join(
            grant for table in self.tables for grant in table.grants(as_owner=self.as_owner)
        )


async def refusal(context: RunContext, database: str, failing: Pending) -> Refusal | None:
    """Return what is refused of the transaction that apply fails at, or None: rights are not it."""
    async with context.connect(current_pair(context).subscriber, database) as connection:
        major = connection.info.server_version // 10000
        found = await apply_rights.apply_rights(connection)
        as_user = await apply_rights.runs_as_owner(connection, publication_name(context))
    if major < apply_rights.CHECKED_SINCE:
        return None
    tables = [
        each
        for each in apply_rights.of_tables(found, failing.tables)
        if each.refusals(as_owner=not as_user)
    ]
    if not tables:
        return None
    helps = not as_user and not any(each.refusals(as_owner=False) for each in tables)
    return Refusal(tables, as_owner=not as_user, option_helps=helps)
