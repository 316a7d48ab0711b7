"""Whether a cluster lets the plan's user do what the run will do there: done, and rolled back."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import psycopg

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.postgres import catalog, rights
from runbook.postgres.connect import CannotConnect, WrongServer
from runbook.postgres.right_proof import BOTH, Part, Proof, Refusal, Unproved

_DATABASES_AT_ONCE = 4

Found = list[Refusal | Unproved] | Exception
"""What was refused in a database, or why nothing could be tried there."""


def parts(context: RunContext, role: Role) -> frozenset[Part]:
    """Return what a cluster is to be in the run: the latter of the two after a rollback alone."""
    if context.plan.rollback.protect:
        return BOTH
    publishes = role.identity is Role.GREEN
    return frozenset({Part.PUBLISHER if publishes else Part.SUBSCRIBER})


async def prove(
    context: RunContext,
    role: Role,
    of: Collection[Part],
    *,
    databases: Collection[str] | None = None,
    quiet: bool = False,
) -> dict[str, Found]:
    """Do what the run will do in each database of a cluster, by database; nothing of it is left.

    `databases`: those that it will do it in; None: in every one.

    `quiet`: nothing is made, so that no event trigger fires either. DDL on blue degrades a
    deployment's replication, and whether AWS looks before the commit is not documented
    (https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-considerations.html).

    Raises `CannotConnect` and `WrongServer` where the cluster does not answer at all.
    """
    target = await context.target(role)
    first = context.plan.credentials.maintenance_database
    names = await context.databases(role) if databases is None else tuple(databases)
    slots = asyncio.Semaphore(_DATABASES_AT_ONCE)

    async def within(database: str) -> Found:
        every = rights.proofs_of(of, server=database == first, database=True, quiet=quiet)
        async with slots:
            try:
                return await _within(database, every)
            except (psycopg.Error, CannotConnect, WrongServer) as error:
                return error

    async def _within(database: str, every: Collection[Proof]) -> Found:
        async with await context.connector(target, database)() as connection:
            traffic = context.plan.traffic
            locked = traffic.application_roles if traffic.lock_roles else ()
            return await rights.prove(
                connection,
                every,
                name=context.sql_name("proof"),
                applications=await catalog.existing_roles(connection, locked),
                databases=names,
            )

    found = await asyncio.gather(*map(within, names))
    return dict(zip(names, found, strict=True))
