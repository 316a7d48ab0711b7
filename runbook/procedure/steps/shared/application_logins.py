"""The application roles that may log in: seen before it is taken from them, to be given back.

Whoever goes on after a lost answer or a crash finds them without LOGIN, and could not tell them
from those that never had it. So they are kept as evidence before anything is stopped.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import AsyncConnection

from runbook.base.context import RunContext
from runbook.base.pair import locked_roles
from runbook.base.roles import Role
from runbook.base.step import Watch
from runbook.postgres import catalog


async def able(connection: AsyncConnection, names: Sequence[str]) -> list[str]:
    """Return those of the roles that exist and may log in."""
    roles = await catalog.login_roles(connection)
    return sorted({role.name for role in roles} & set(names))


async def keep_logins(context: RunContext, watch: Watch, on: Role) -> None:
    """Keep which application roles may log in, with those from which this run took it."""
    names = context.plan.traffic.application_roles
    if not (context.plan.traffic.lock_roles and names):
        return
    async with context.connect(on) as connection:
        found = sorted({*await able(connection, names), *locked_roles(context)})
    watch.evidence(
        f"may log in: {', '.join(found) or 'none of the application roles'}",
        key="roles.able",
        value=found,
    )
