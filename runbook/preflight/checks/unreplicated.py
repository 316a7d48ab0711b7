"""Data that logical replication does not carry: the plan must accept each kind by name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from runbook.amounts import some
from runbook.plan.model import DATA_KINDS
from runbook.postgres import catalog, preflight_queries
from runbook.postgres.statement import quoted
from runbook.preflight.acceptance import ACKNOWLEDGED
from runbook.preflight.check import check
from runbook.preflight.result import Result, block, passed, warn
from runbook.preflight.rows import in_databases
from runbook.preflight.survey import Survey
from runbook.proofs.new_databases import HELD_DATABASES


@check(
    "data.acknowledged",
    none="everything replicates",
    why="What replication does not carry would be missed after a rollback, with a lag of 0 and "
    "no error.",
)
async def acknowledged(look: Survey) -> AsyncIterator[Result]:
    """A kind of data is present that the plan does not acknowledge."""
    accepted = set(look.plan.acknowledge)

    def say(database: str, found: catalog.DataKinds) -> Iterator[Result]:
        for kind, fate in DATA_KINDS.items():
            count: int = getattr(found, kind)
            if not count:
                continue
            words = f"{kind.replace('_', ' ')} ({_named(found, kind, count)}): {fate}."
            remedy = f'Add "{kind}" to acknowledge in the plan.'
            if kind in accepted:
                yield replace(warn(f"{database}/{kind}", words, ""), accepted=ACKNOWLEDGED)
            else:
                yield block(f"{database}/{kind}", words, remedy)

    async for result in in_databases(look, catalog.data_kinds, say):
        yield result


def _named(found: catalog.DataKinds, kind: str, count: int) -> str:
    names = {
        "large_objects": found.large_object_owners,
        "unlogged_tables": found.unlogged_names,
        "materialized_views": found.view_names,
    }.get(kind)
    more = ", …" if names and kind != "large_objects" and count > len(names) else ""
    return f"{count}: {', '.join(names)}{more}" if names else str(count)


@check(
    "data.databases",
    why="pg_upgrade refuses a server with a database that nobody can connect to, and what is in "
    "it would have no way back.",
)
async def databases(look: Survey) -> AsyncIterator[Result]:
    """A database does not accept connections, or is left over from a DROP DATABASE."""
    found = await look.server(preflight_queries.databases)
    closed = [each for each in found if each.invalid or not each.accepts]
    for each in closed:
        name = quoted(each.name)
        if each.invalid:
            yield block(each.name, "A DROP DATABASE of it was cut short.", f"DROP DATABASE {name};")
        else:
            yield block(
                each.name,
                "It does not accept connections (datallowconn is false).",
                f"ALTER DATABASE {name} ALLOW_CONNECTIONS true; or drop it.",
            )
    if not closed:
        names = some(each.name for each in found if each.name != "template1")
        yield passed(
            look.plan.cluster.identifier, f"every database is open: {names}; {HELD_DATABASES}"
        )


@check(
    "data.encoding",
    none="every database has an encoding",
    why="Without an encoding text is bytes: what is no UTF-8 can be replicated, but not be read, "
    "compared or copied again by blueprime, also in the middle of a rollback.",
)
async def encoding(look: Survey) -> AsyncIterator[Result]:
    """A database has no encoding (SQL_ASCII), or even names in it that are no UTF-8."""
    found = {each.name: each for each in await look.server(preflight_queries.databases)}

    def say(database: str, names: list[preflight_queries.ByteName]) -> Iterator[Result]:
        if found[database].encoding != "SQL_ASCII":
            return
        if broken := [each for each in names if not each.decodes]:
            yield block(
                database,
                "It has no encoding (SQL_ASCII), and names that are no UTF-8: "
                f"{some(f'{each.kind} {each}' for each in broken)}.",
                f"In database {database}, with client_encoding = SQL_ASCII: rename each (ALTER … "
                "RENAME TO …).",
            )
        else:
            yield warn(
                database,
                "It has no encoding (SQL_ASCII). Whether its rows are UTF-8 was not looked at: "
                "tables with others cannot be compared, nor copied again.",
                "Move it into a database of UTF8, or of the encoding that its text has, before "
                "the upgrade: pg_dump --encoding=…; or rely on replication alone for it.",
            )

    async for result in in_databases(look, preflight_queries.byte_names, say):
        yield result
