"""Extensions that a deployment cannot carry, that write by themselves, or whose tables travel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from runbook.postgres import catalog, preflight_queries
from runbook.postgres.fix import Fix, FixKind
from runbook.postgres.statement import quoted
from runbook.preflight.check import check
from runbook.preflight.result import Result, block, warn
from runbook.preflight.rows import check_rows, each, in_databases
from runbook.preflight.survey import Survey

_REFUSED = {
    "pglogical": (
        "must be dropped or disabled on blue",
        "it must stay disabled; in use, it makes AWS refuse the switchover",
    ),
    "pgactive": (
        "must be dropped or disabled on blue",
        "it must stay disabled; in use, it makes AWS refuse the switchover",
    ),
    "pg_partman": (
        "must be disabled on blue: a partition it makes would degrade the deployment",
        "no partition is made until the run has ended; one that is made costs the deployment, or "
        "the way back of its rows",
    ),
}
"""Name -> what AWS asks for, and what is given up where the plan keeps it."""

_TOLD = {
    "pg_cron": "its jobs run as superuser and write through read-only: disable them on green, "
    "and before blue prime is cloned",
    "apg_plan_mgmt": "set apg_plan_mgmt.capture_plan_baselines to off on green",
    "postgres_fdw": "its servers must name cluster endpoints, not addresses",
    "aws_s3": "attach the IAM role to green again",
    "aws_lambda": "attach the IAM role to green again",
    "pgaudit": "must be in shared_preload_libraries of green's group too",
}


@check(
    "schema.extensions",
    none="no extension that AWS warns of",
    why="AWS names extensions that a blue/green deployment cannot carry.",
    family="extensions",
    waivable=True,
)
async def named(look: Survey) -> AsyncIterator[Result]:
    """An extension breaks the deployment, or needs a hand."""

    def say(database: str, found: catalog.DataKinds) -> Iterator[Result]:
        for name in found.extensions:
            subject = f"{database}/{name}"
            if name in _REFUSED:
                asked, survives = _REFUSED[name]
                yield block(
                    subject,
                    f"The extension {name} {asked}.",
                    f"In database {database}: DROP EXTENSION {quoted(name)};",
                    fix=Fix(FixKind.DROP_EXTENSION, database, (name,)),
                    survives=survives,
                )
            elif name in _TOLD:
                yield warn(subject, f"The extension {name} is installed.", f"{_TOLD[name]}.")

    async for result in in_databases(look, catalog.data_kinds, say):
        yield result


@check_rows(
    "extensions.owned-tables",
    preflight_queries.extension_tables,
    none="no table belongs to an extension",
    why="A publication for all tables carries what extensions write for themselves as well: on "
    "blue prime it may conflict, and apply stops.",
)
def owned_tables(database: str, table: preflight_queries.ExtensionTable) -> Result:
    """An extension owns tables, which FOR ALL TABLES publishes."""
    subject = f"{database}/{table.schema}.{table.name}"
    if table.identified:
        return warn(
            subject,
            f"It belongs to the extension {table.extension}, and is published with the rest.",
            "Check that the extension does not write to it by itself on both sides.",
        )
    return block(
        subject,
        f"It belongs to the extension {table.extension} and has no usable replica identity: "
        "published, its UPDATE and DELETE fail on production.",
        f"In database {database}: ALTER TABLE {table} REPLICA IDENTITY FULL; or drop the "
        "extension.",
        fix=Fix(FixKind.IDENTITY_FULL, database, (table.schema, table.name)),
    )


@check(
    "extensions.pg-repack",
    none="not at work, nothing left",
    why="Its work tables are published like any other, and swapping a table under replication "
    "loses rows or stops apply.",
)
async def pg_repack(look: Survey) -> AsyncIterator[Result]:
    """pg_repack is at work, or was cut off and has left its tables and triggers."""
    for session in await look.server(preflight_queries.repack_sessions):
        names = (str(session.pid), session.backend_start.isoformat())
        yield block(
            f"pid {session.pid}",
            f"pg_repack is at work in database {session.database}.",
            f"Let it end, or: SELECT pg_terminate_backend({session.pid}); and clean up after it.",
            fix=Fix(FixKind.TERMINATE, "", names),
        )

    def say(database: str, table: catalog.Table) -> Result:
        return block(
            f"{database}/{table.schema}.{table.name}",
            "pg_repack has left its work table, or its trigger on this one.",
            f"In database {database}: DROP EXTENSION pg_repack CASCADE; takes all of them along.",
        )

    async for result in each(look, preflight_queries.repack_leftovers, say):
        yield result


@check_rows(
    "extensions.cron-jobs",
    preflight_queries.cron_jobs,
    none="no active job of pg_cron",
    why="Its jobs run in the background: no fence of roles stops them, they write on green and on "
    "blue prime too, and a REFRESH of a materialized view on blue breaks the deployment.",
)
def cron_jobs(database: str, job: preflight_queries.CronJob) -> Result:
    """pg_cron has active jobs."""
    refreshes = "; it refreshes a materialized view" if job.refreshes else ""
    return warn(
        f"{database}/job {job.number}",
        f"pg_cron runs it as {job.role} in database {job.database}, at {job.schedule}{refreshes}.",
        f"In database {database}: SELECT cron.alter_job({job.number}, active := false); and "
        "true again when the run has ended.",
    )


@check_rows(
    "extensions.versions",
    preflight_queries.outdated_extensions,
    none="every extension is up to date",
    why="AWS asks for extensions to be updated first; an old one may not exist on green.",
)
def versions(database: str, extension: preflight_queries.OutdatedExtension) -> Result:
    """An extension is older than the one that the server offers."""
    return warn(
        f"{database}/{extension.name}",
        f"The extension is at {extension.installed}, the server has {extension.current}.",
        f"In database {database}: ALTER EXTENSION {quoted(extension.name)} UPDATE;",
    )
