"""What pg_upgrade refuses: found here in a second, instead of in a log after half an hour."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runbook.postgres import preflight_queries, removed
from runbook.postgres.removed import RefusedObject
from runbook.postgres.statement import quoted
from runbook.preflight.check import check
from runbook.preflight.result import Result, block
from runbook.preflight.rows import check_rows, each
from runbook.preflight.survey import Survey


@check_rows(
    "schema.upgrade-types",
    preflight_queries.refused_columns,
    none="no column of a type that an upgrade refuses",
    why="pg_upgrade refuses such columns, and green is not made.",
)
def upgrade_types(database: str, column: preflight_queries.RefusedColumn) -> Result:
    """A column of a type whose values do not survive an upgrade."""
    return block(
        f"{database}/{column.schema}.{column.name}",
        f"Its column {column.column} holds {column.type}.",
        f"In database {database}: ALTER TABLE {column} ALTER COLUMN {quoted(column.column)} "
        "TYPE text;",
    )


@check(
    "schema.upgrade-objects",
    none="nothing that an upgrade refuses or cannot restore",
    why="pg_upgrade refuses the database, or cannot restore the object on the new server: green is "
    "not made, and the reason stands in a log that AWS does not show.",
)
async def upgrade_objects(look: Survey) -> AsyncIterator[Result]:
    """A view over a system column or function that the target has no more, a postfix operator, a
    conversion, an aggregate over old polymorphic functions, or a column that may be NULL though its
    parent's may not.
    """
    source, target = await look.majors()

    def say(database: str, found: RefusedObject) -> Result | None:
        if not source < found.since <= target:
            return None
        text, remedy = _refused(found)
        return block(
            f"{database}/{found.schema}.{found.name}", text, f"In database {database}: {remedy}"
        )

    async for result in each(look, removed.refused_objects, say):
        yield result


def _refused(found: RefusedObject) -> tuple[str, str]:
    """Return why an object does not survive an upgrade, and the SQL that repairs it."""
    gone = f"from {found.since} on"
    match found.kind:
        case "view":
            return (
                f"The view uses {found.detail}, which is gone {gone}.",
                f"DROP VIEW {found}; (keep its definition: SELECT pg_get_viewdef('{found}')), and "
                "make it anew on new blue for the new columns.",
            )
        case "inherited column":
            return (
                f"Its column {found.detail} may be NULL, its parent's may not; refused {gone}.",
                f"ALTER TABLE {found} ALTER COLUMN {quoted(found.detail)} SET NOT NULL;",
            )
        case "conversion":
            return f"An own conversion of encodings; refused {gone}.", f"DROP CONVERSION {found};"
        case "operator":
            # An operator's own name is no identifier.
            name = f"{quoted(found.schema)}.{found.name}"
            return (
                f"The operator {found.name} {found.detail} is of a kind that is refused {gone}.",
                f"DROP OPERATOR {name} {found.detail}; make it a function, or over anycompatible.",
            )
    return (
        f"The {found.kind} {found.name}{found.detail} is over functions that have other arguments "
        f"{gone}.",
        f"DROP AGGREGATE {found}{found.detail}; make it anew on new blue over anycompatible.",
    )
