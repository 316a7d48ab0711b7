"""Extensions in production, where the servers of both versions have them."""

from __future__ import annotations

from importlib import resources
from typing import Any

from psycopg import Connection, sql

EXTENSIONS = (
    "btree_gin",
    "btree_gist",
    "citext",
    "fuzzystrmatch",
    "hstore",
    "ltree",
    "pg_stat_statements",
    "pg_trgm",
    "postgres_fdw",
    "tablefunc",
    "unaccent",
)
"""Those that both wheels of `lab-contrib` bring, and Aurora lists
(https://docs.aws.amazon.com/AmazonRDS/latest/AuroraPostgreSQLReleaseNotes/AuroraPostgreSQL.Extensions.html).
"""


def install(connection: Connection[Any]) -> None:
    """Create the extensions in a database as the superuser, who owns them on Aurora too."""
    for name in EXTENSIONS:
        connection.execute(sql.SQL("CREATE EXTENSION {}").format(sql.Identifier(name)))


def plant(connection: Connection[Any]) -> None:
    """Make tables that rest on them, and a trigger that fills one of them while the night lasts."""
    connection.execute(resources.files("rehearsal").joinpath("sql", "contrib.sql").read_bytes())
