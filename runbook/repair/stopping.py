"""What both sides' schemas are, and what of their difference lets apply stand still."""

from __future__ import annotations

from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.base.roles import Role
from runbook.postgres import schema_changes, schema_ddl
from runbook.postgres.change import Change
from runbook.postgres.gather_all import together
from runbook.postgres.schema_ddl import Parts, shown
from runbook.proofs.schema_drift import differences
from runbook.repair.catch_up import caught_up

STOPS = (
    *("enum-value", "enum-labels", "column", "rename-column", "rename-table"),
    *("column-type", "column-settings", "drop-constraint", "drop-index"),
)
"""Changes without which a row of the publisher may be refused. So may one of a table that is
missing: apply looks for the table before it asks whether the subscription has it."""


def stops(change: Change) -> bool:
    """Return whether apply may stand still until it is made."""
    return change.kind in STOPS or change.replaces


SOON_S = 3.0
"""What gets on has confirmed the last commit by then, or is not far from it."""


async def both(context: RunContext, database: str) -> tuple[Parts, Parts]:
    """Return the parts of a database's schemas on the publisher and on the subscriber."""

    async def read(role: Role) -> Parts:
        async with context.connect(role, database) as connection:
            return await schema_ddl.read(connection, role.value)

    sides = current_pair(context)
    ours, theirs = await together(read(sides.publisher), read(sides.subscriber))
    if schema_ddl.unlike(ours, theirs):
        _, alike = await differences(context, sides, database)
        schema_ddl.agree(ours, theirs, alike)
    return ours, theirs


async def stopped_by(context: RunContext, database: str) -> str:
    """Return what is still to be repaired before a database's apply can get on, or nothing."""
    if await caught_up(context, current_pair(context), database, limit_s=SOON_S, only_look=True):
        return ""
    ours, theirs = await both(context, database)
    missing = [f"the table {shown(name)}" for name in ours.tables if name not in theirs.tables]
    changes = [each.title for each in schema_changes.changes(ours, theirs) if stops(each)]
    return "; ".join([*missing, *changes])
