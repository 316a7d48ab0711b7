"""What each major version took out of the system's catalogs: a definition over it is not restored.

Found by comparing the catalogs of servers of 13 to 18. What no view could use is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import AsyncConnection

from runbook.postgres.catalog import Named
from runbook.postgres.queries import fetch

_COLUMNS: dict[int, dict[str, tuple[str, ...]]] = {
    14: {"pg_catalog.pg_stat_ssl": ("compression",)},
    15: {"pg_catalog.pg_database": ("datlastsysoid",)},
    17: {
        "information_schema.element_types": ("domain_default",),
        "pg_catalog.pg_collation": ("colliculocale",),
        "pg_catalog.pg_database": ("daticulocale",),
        "pg_catalog.pg_stat_bgwriter": (
            "buffers_backend",
            "buffers_backend_fsync",
            "buffers_checkpoint",
            "checkpoint_sync_time",
            "checkpoint_write_time",
            "checkpoints_req",
            "checkpoints_timed",
        ),
        "pg_catalog.pg_stat_progress_vacuum": ("max_dead_tuples", "num_dead_tuples"),
    },
    18: {
        "pg_catalog.pg_attribute": ("attcacheoff",),
        "pg_catalog.pg_backend_memory_contexts": ("parent",),
        "pg_catalog.pg_stat_io": ("op_bytes",),
        "pg_catalog.pg_stat_wal": ("wal_sync", "wal_sync_time", "wal_write", "wal_write_time"),
    },
}
"""Major -> relation -> the columns that it has no more."""

_FUNCTIONS: dict[int, tuple[str, ...]] = {
    14: ("numeric_fac",),
    15: ("pg_backup_start_time", "pg_is_in_backup", "pg_start_backup", "pg_stop_backup"),
    17: (
        "pg_stat_get_bgwriter_buf_written_checkpoints",
        "pg_stat_get_bgwriter_requested_checkpoints",
        "pg_stat_get_bgwriter_timed_checkpoints",
        "pg_stat_get_buf_fsync_backend",
        "pg_stat_get_buf_written_backend",
        "pg_stat_get_checkpoint_sync_time",
        "pg_stat_get_checkpoint_write_time",
    ),
    18: ("pg_timezone_abbrevs",),
}
"""Major -> the functions that it has no more."""

_POLYMORPHIC = (
    "array_append(anyarray, anyelement)",
    "array_cat(anyarray, anyarray)",
    "array_prepend(anyelement, anyarray)",
    "array_remove(anyarray, anyelement)",
    "array_replace(anyarray, anyelement, anyelement)",
    "array_position(anyarray, anyelement)",
    "array_position(anyarray, anyelement, integer)",
    "array_positions(anyarray, anyelement)",
    "width_bucket(anyelement, anyarray)",
)
"""Functions that have other arguments from 14 on."""


@dataclass(frozen=True, slots=True)
class RefusedObject(Named):
    """An object for which pg_upgrade refuses its database, or which is not restored.

    Of a column the name is that of its table.
    """

    kind: str
    """`view`, `inherited column`, `operator`, `aggregate` or `conversion`."""
    detail: str
    """What of the system a view looks at; the column; the arguments."""
    since: int
    """The major of the target from which it is so."""


async def refused_objects(connection: AsyncConnection) -> list[RefusedObject]:
    """Return what an upgrade to one of the later majors is refused for."""
    columns = [
        (relation, column, major)
        for major, relations in _COLUMNS.items()
        for relation, names in relations.items()
        for column in names
    ]
    functions = [(name, major) for major, names in _FUNCTIONS.items() for name in names]
    params = {
        "relations": [relation for relation, _, _ in columns],
        "columns": [column for _, column, _ in columns],
        "column_since": [major for _, _, major in columns],
        "functions": [name for name, _ in functions],
        "function_since": [major for _, major in functions],
        "polymorphic": list(_POLYMORPHIC),
    }
    return await fetch(connection, RefusedObject, "refused_objects", params)
