"""Tables, triggers and extensions that replication cannot carry, or that it makes fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from runbook.postgres import catalog
from runbook.preflight.check import Check, check
from runbook.preflight.look import Look, Query, Unseen
from runbook.preflight.result import Result, block, passed, unknown, warn

T = TypeVar("T")

_MANY_SEQUENCES = 1000

_REFUSED = {
    "pglogical": "must be dropped or disabled on blue",
    "pgactive": "must be dropped or disabled on blue",
    "pg_partman": "must be disabled on blue: a partition it makes would degrade the deployment",
}
_TOLD = {
    "pg_cron": "its jobs run as superuser and write through read-only: disable them on green, "
    "and before blue prime is cloned",
    "apg_plan_mgmt": "set apg_plan_mgmt.capture_plan_baselines to off on green",
    "postgres_fdw": "its servers must name cluster endpoints, not addresses",
    "aws_s3": "attach the IAM role to green again",
    "aws_lambda": "attach the IAM role to green again",
    "pgaudit": "must be in shared_preload_libraries of green's group too",
}


async def _each(
    look: Look, query: Query[list[T]], say: Callable[[str, T], Result], none: str
) -> AsyncIterator[Result]:
    """Yield a result for each row in each database, or one good result where there are none."""
    clear = True
    for database, found in (await look.databases(query)).items():
        if isinstance(found, Unseen):
            clear = False
            yield unknown(database, found.error)
            continue
        for row in found:
            clear = False
            yield say(database, row)
    if clear:
        yield passed(look.plan.cluster.identifier, none)


@check(
    "schema.identity",
    why="Once it is published, UPDATE and DELETE on such a table fail on the publisher, which is "
    "production; INSERT works, so it shows late.",
)
async def identity(look: Look) -> AsyncIterator[Result]:
    """A table has no usable replica identity, mostly for want of a primary key."""

    def say(database: str, table: catalog.TableWithoutIdentity) -> Result:
        return block(
            f"{database}/{table.schema}.{table.name}",
            f"{table.reason}; {table.writes} updates and deletes so far, {table.size_bytes} bytes.",
            f"In database {database}, best: ALTER TABLE {table} ADD PRIMARY KEY (…); or: "
            f"ALTER TABLE {table} REPLICA IDENTITY USING INDEX <unique index, NOT NULL columns>; "
            f"or, slow for many updates: ALTER TABLE {table} REPLICA IDENTITY FULL;",
        )

    async for result in _each(
        look, catalog.tables_without_identity, say, "every table has a usable replica identity"
    ):
        yield result


@check(
    "schema.equality",
    why="With REPLICA IDENTITY FULL rows are found by comparing every column; a type without "
    "equality makes apply fail.",
)
async def equality(look: Look) -> AsyncIterator[Result]:
    """REPLICA IDENTITY FULL on a table with json, point, xml or the like."""

    def say(database: str, table: catalog.TableWithoutEquality) -> Result:
        return block(
            f"{database}/{table.schema}.{table.name}",
            f"REPLICA IDENTITY FULL, and no equality for: {', '.join(table.columns)}.",
            f"In database {database}: ALTER TABLE {table} ADD PRIMARY KEY (…); and "
            f"ALTER TABLE {table} REPLICA IDENTITY DEFAULT;",
        )

    async for result in _each(
        look,
        catalog.identity_full_without_equality,
        say,
        "no FULL identity over a type without equality",
    ):
        yield result


@check(
    "schema.triggers",
    why="It fires again when replication applies the row: side effects happen twice, and "
    "unqualified names in its function stop apply.",
)
async def triggers(look: Look) -> AsyncIterator[Result]:
    """A trigger is ENABLE ALWAYS or ENABLE REPLICA."""

    def say(database: str, trigger: catalog.AlwaysTrigger) -> Result:
        word = "ALWAYS" if trigger.enabled == "A" else "REPLICA"
        return warn(
            f"{database}/{trigger.schema}.{trigger.name}",
            f"Its trigger {trigger.trigger} is ENABLE {word} and calls {trigger.function}.",
            f"If it is not meant for replicas: ALTER TABLE {trigger} ENABLE TRIGGER …;",
        )

    async for result in _each(
        look, catalog.enabled_always_triggers, say, "no trigger fires on apply"
    ):
        yield result


@check("schema.extensions", why="AWS names extensions that a blue/green deployment cannot carry.")
async def extensions(look: Look) -> AsyncIterator[Result]:
    """An extension breaks the deployment, or needs a hand."""
    clear = True
    for database, found in (await look.databases(catalog.data_kinds)).items():
        if isinstance(found, Unseen):
            clear = False
            yield unknown(database, found.error)
            continue
        for name in found.extensions:
            subject = f"{database}/{name}"
            if name in _REFUSED:
                clear = False
                yield block(
                    subject,
                    f"The extension {name} {_REFUSED[name]}.",
                    f"In database {database}: DROP EXTENSION {name};",
                )
            elif name in _TOLD:
                clear = False
                yield warn(subject, f"The extension {name} is installed.", f"{_TOLD[name]}.")
    if clear:
        yield passed(look.plan.cluster.identifier, "no extension that AWS warns of")


@check(
    "schema.sequences",
    why="AWS carries every sequence over inside the switchover; thousands make it longer.",
)
async def sequences(look: Look) -> AsyncIterator[Result]:
    """Thousands of sequences."""
    seen = (await look.databases(catalog.data_kinds)).items()
    failed = [(database, found) for database, found in seen if isinstance(found, Unseen)]
    for database, found in failed:
        yield unknown(database, found.error)
    count = sum(found.sequences for _, found in seen if not isinstance(found, Unseen))
    subject = look.plan.cluster.identifier
    if count >= _MANY_SEQUENCES:
        yield warn(
            subject,
            f"{count} sequences.",
            "Expect a longer switchover; raise upgrade.switchover_timeout_s if need be.",
        )
    elif not failed:
        yield passed(subject, f"{count} sequences")


CHECKS: tuple[Check, ...] = (identity, equality, triggers, extensions, sequences)
