"""What the replication role must be allowed before rows can be copied: to read them."""

from __future__ import annotations

from psycopg import AsyncConnection

from runbook.base.context import RunContext
from runbook.base.pair import current_pair, replication_role
from runbook.failures import Finding
from runbook.postgres import existence, replication
from runbook.procedure.steps.shared.effects import SqlEffect, no, yes


def may_read(context: RunContext) -> SqlEffect:
    """Return the grant: following the slots alone takes no right to any table, a copy does."""
    role, publisher = replication_role(context), current_pair(context).publisher

    async def probe(connection: AsyncConnection) -> Finding:
        may = await existence.is_member(connection, role, "pg_read_all_data")
        return (yes if may else no)(f"{role} may {'' if may else 'not '}read every table")

    return SqlEffect(
        context,
        publisher,
        "",
        [replication.let_read(role)],
        key=f"{role}/read",
        title=f"let {role} read the tables of {publisher.value}, until it is dropped",
        probe=probe,
    )
