"""Functions that lean on a search_path, which neither apply nor the server's upkeep has."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runbook.postgres import preflight_queries
from runbook.postgres.statement import quoted
from runbook.preflight.check import check
from runbook.preflight.result import Result, block, warn
from runbook.preflight.rows import each
from runbook.preflight.survey import Survey

_SAFE_PATH_SINCE = 17
"""From this major on REFRESH MATERIALIZED VIEW and ANALYZE have a search_path of pg_catalog alone
(PostgreSQL's release notes of 17)."""


@check(
    "schema.search-path",
    none="no function leans on a search_path",
    why="Apply has an empty search_path, and from 17 on so have ANALYZE, REINDEX and REFRESH: such "
    "a function finds nothing there, and what needs it fails.",
    waivable=True,
)
async def search_path(look: Survey) -> AsyncIterator[Result]:
    """A function in an index, check, domain, generated column or materialized view names something
    without its schema.
    """
    source, target = await look.majors()

    def say(database: str, found: preflight_queries.PathFunction) -> Result | None:
        place = found.place
        text = f"Its {found.kind} {found.part}".rstrip() if found.part else f"The {found.kind}"
        text += f" uses {found.function}, which names without a schema: "
        text += f"{', '.join(found.unqualified)}."
        schemas = ", ".join(map(quoted, found.schemas))
        remedy = f"In database {database}: ALTER FUNCTION {found.function} "
        remedy += f"SET search_path = pg_catalog, {schemas}, pg_temp;"
        if not found.refreshed:
            return block(
                f"{database}/{place}",
                f"{text} Apply stops at the first row that needs it"
                + (", and ANALYZE fails." if target >= _SAFE_PATH_SINCE else "."),
                remedy,
                survives="if it does need them, apply stops, and with it the way back",
            )
        if source < _SAFE_PATH_SINCE <= target:
            return warn(f"{database}/{place}", f"{text} REFRESH fails on {target}.", remedy)
        return None

    async for result in each(look, preflight_queries.path_functions, say):
        yield result
