"""Tables, triggers and sequences that replication cannot carry, or that it makes fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from runbook.amounts import counted, some
from runbook.postgres import catalog, preflight_queries
from runbook.postgres.fix import Fix, FixKind
from runbook.postgres.statement import quoted
from runbook.preflight.check import check
from runbook.preflight.result import Result, block, passed, unknown, warn
from runbook.preflight.rows import check_rows, each, in_databases
from runbook.preflight.survey import Survey, Unreadable

_MANY_SEQUENCES = 1000


@check_rows(
    "schema.triggers",
    catalog.enabled_always_triggers,
    none="no trigger fires on apply",
    why="It fires again when replication applies the row: side effects happen twice, and "
    "unqualified names in its function stop apply.",
)
def triggers(database: str, trigger: catalog.AlwaysTrigger) -> Result:
    """A trigger is ENABLE ALWAYS or ENABLE REPLICA."""
    subject = f"{database}/{trigger.schema}.{trigger.name}"
    word = "ALWAYS" if trigger.enabled == "A" else "REPLICA"
    text = f"Its trigger {trigger.trigger} is ENABLE {word} and calls {trigger.function}."
    plain = f"ALTER TABLE {trigger} ENABLE TRIGGER {quoted(trigger.trigger)};"
    fix = Fix(FixKind.PLAIN_TRIGGER, database, (trigger.schema, trigger.name, trigger.trigger))
    if not trigger.unqualified:
        return warn(subject, text, f"If it is not meant for replicas: {plain}", fix=fix)
    return block(
        subject,
        f"{text} The function names without their schema: {', '.join(trigger.unqualified)}; "
        "apply has an empty search_path and would stop.",
        f"In database {database}: ALTER FUNCTION {trigger.function} SET search_path = …; or, "
        f"if it is not meant for replicas: {plain}",
        fix=fix,
    )


@check_rows(
    "schema.event-triggers",
    preflight_queries.event_triggers,
    none="no event triggers",
    why="It fires on DDL: on the publications and subscriptions that AWS and blueprime make too. "
    "One that raises an error or writes there stops them.",
)
def event_triggers(database: str, trigger: preflight_queries.EventTrigger) -> Result:
    """An event trigger of the application's own."""
    return warn(
        f"{database}/{trigger.name}",
        f"The event trigger fires at {trigger.event} and calls {trigger.function}.",
        "Check that it lets CREATE PUBLICATION and CREATE SUBSCRIPTION pass, or in database "
        f"{database}: ALTER EVENT TRIGGER {trigger} DISABLE;",
    )


@check(
    "schema.partitions",
    none="no partitioned tables",
    why="A partition made while the deployment stands degrades it; one made afterwards is not "
    "replicated until it is made on blue prime too.",
)
async def partitions(look: Survey) -> AsyncIterator[Result]:
    """Partitioned tables, whose partitions come and go by themselves or by a job."""

    def say(database: str, found: list[catalog.Table]) -> Iterator[Result]:
        if found:
            yield warn(
                f"{database}/partitions",
                f"Partitioned tables ({len(found)}): {some(map(str, found))}.",
                "Make the partitions that are due until the run has ended now, and stop the job "
                "that makes them.",
            )

    async for result in in_databases(look, preflight_queries.partitioned_tables, say):
        yield result


@check(
    "schema.collations",
    none="every version is as it was",
    why="Text is sorted another way than its indexes are: rows are not found, and unique keys "
    "let doubles in. An upgrade, or the clone, changes the library again.",
)
async def collations(look: Survey) -> AsyncIterator[Result]:
    """The version of a collation is another one than when its indexes were made."""
    for database in await look.server(preflight_queries.databases):
        then, now = database.collation_then, database.collation_now
        if then is not None and then != now:
            yield warn(
                database.name,
                f"Its collation was made with version {then} and has {now or 'none'} now.",
                f"In database {database.name}: REINDEX DATABASE {quoted(database.name)}; then "
                f"ALTER DATABASE {quoted(database.name)} REFRESH COLLATION VERSION;",
            )

    def say(database: str, stale: preflight_queries.StaleCollation) -> Result:
        return warn(
            f"{database}/{stale.schema}.{stale.name}",
            f"The collation was made with version {stale.version_then} and has "
            f"{stale.version_now or 'none'} now.",
            f"In database {database}: rebuild the indexes that use it, then ALTER COLLATION "
            f"{stale} REFRESH VERSION;",
        )

    async for result in each(look, preflight_queries.stale_collations, say):
        yield result


@check_rows(
    "schema.foreign-servers",
    preflight_queries.foreign_servers,
    none="no foreign servers",
    why="A server that is named by address leads elsewhere after the switchover, or is not "
    "reached from green and blue prime; rows behind it are not replicated.",
)
def foreign_servers(database: str, server: preflight_queries.ForeignServer) -> Result:
    """A foreign server, whose way must be open from green and blue prime too."""
    host = f" at {server.host}" if server.host else ""
    return warn(
        f"{database}/{server.name}",
        f"A foreign server of {server.wrapper}{host}, with "
        f"{counted(server.tables, 'foreign table')}.",
        "Check that it names an endpoint, not an address, and that security groups let green "
        "and blue prime reach it.",
    )


@check(
    "schema.sequences",
    why="AWS carries every sequence over inside the switchover; thousands make it longer.",
)
async def sequences(look: Survey) -> AsyncIterator[Result]:
    """Thousands of sequences."""
    seen = (await look.databases(catalog.data_kinds)).items()
    failed = [(database, found) for database, found in seen if isinstance(found, Unreadable)]
    for database, found in failed:
        yield unknown(database, found.error)
    count = sum(found.sequences for _, found in seen if not isinstance(found, Unreadable))
    subject = look.plan.cluster.identifier
    if count >= _MANY_SEQUENCES:
        yield warn(
            subject,
            f"{counted(count, 'sequence')}.",
            "Expect a longer switchover; raise upgrade.switchover_timeout_s if need be.",
        )
    elif not failed:
        yield passed(subject, f"{counted(count, 'sequence')}")


@check_rows(
    "schema.sequence-bounds",
    preflight_queries.full_sequences,
    none="no sequence is near its end",
    why="At its end a sequence stops every INSERT that draws from it, and a rollback carries its "
    "position over as it is.",
)
def sequence_bounds(database: str, sequence: preflight_queries.FullSequence) -> Result:
    """A sequence has used more than four fifths of its range."""
    return warn(
        f"{database}/{sequence.schema}.{sequence.name}",
        f"It stands at {sequence.last_value}, {counted(sequence.calls_left, 'call')} before "
        "its end.",
        f"In database {database}: ALTER SEQUENCE {sequence} AS bigint; and widen the column "
        "that it fills.",
    )
