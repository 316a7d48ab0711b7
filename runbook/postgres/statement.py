"""SQL that changes something, as a value: it can be shown, masked, before it is run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, LiteralString

from psycopg import AsyncConnection, AsyncCursor
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

MASK = "********"

_HUSH = """
SELECT pg_catalog.set_config(name, value, true)
FROM (VALUES ('log_statement', 'none'), ('log_parameter_max_length', '0'),
             ('log_parameter_max_length_on_error', '0'), ('log_min_duration_statement', '-1'),
             ('log_min_duration_sample', '-1'), ('log_transaction_sample_rate', '0'))
     AS quiet (name, value)
WHERE pg_catalog.has_parameter_privilege(name, 'SET')
"""
_PARAMETER_PRIVILEGES_SINCE = 150000


@dataclass(frozen=True, slots=True, repr=False)
class Statement:
    """One SQL statement with its parameters.

    `transactional` says whether it may run inside a transaction block. `secrets` are masked in
    `text`. `private` values reach the statement as transaction-local settings (read there with
    `current_setting`), so that they stand in no statement text: not in `pg_stat_activity`, not in
    `log_statement`'s lines, not in an error's context. Where it has them, `shown` is the plain
    form that a person would type.
    """

    sql: SQL | Composed
    params: tuple[Any, ...] = ()
    secrets: frozenset[str] = frozenset()
    transactional: bool = True
    private: Mapping[str, str] = field(default_factory=dict)
    shown: SQL | Composed | None = None

    def __repr__(self) -> str:
        return f"Statement({self.text()!r})"

    def text(self) -> str:
        """Return the SQL with its values as literals, secrets masked; needs no connection."""
        text = (self.shown or self.sql).as_string(None)
        if self.params and self.shown is None:
            text = _with_literals(text, self.params)
        for secret in _spellings((*self.secrets, *self.private.values())):
            text = text.replace(secret, MASK)
        return text.strip()

    async def execute(self, connection: AsyncConnection) -> AsyncCursor:
        """Run it once and return the cursor. Raises what psycopg raises."""
        if not self.private:
            return await connection.execute(self.sql, self.params or None)
        async with connection.transaction():
            if connection.info.server_version >= _PARAMETER_PRIVILEGES_SINCE:
                await connection.execute(_HUSH)
            for name, value in self.private.items():
                await connection.execute(
                    "SELECT pg_catalog.set_config(%s, %s, true)", (name, value)
                )
            return await connection.execute(self.sql, self.params or None)


async def execute_together(
    connection: AsyncConnection, statements: Iterable[Statement]
) -> AsyncCursor | None:
    """Run statements in one transaction, all or none, and return the last one's cursor."""
    cursor = None
    async with connection.transaction():
        for statement in statements:
            cursor = await statement.execute(connection)
    return cursor


def compose(template: LiteralString, /, **parts: str | Composable) -> Composed:
    """Fill a template's `{name}`s: a plain string stands for an identifier."""
    return SQL(template).format(
        **{
            name: Identifier(part) if isinstance(part, str) else part
            for name, part in parts.items()
        }
    )


def quoted(name: str) -> str:
    """Return a name as SQL writes an identifier."""
    return Identifier(name).as_string(None)


def literal(value: Any) -> Literal:
    """Return a value for those statements that take no parameters."""
    return Literal(value)


def block(body: Composable) -> Composed:
    """Return `DO` with a PL/pgSQL body; the body may hold any name, quoted once more."""
    return SQL("DO {}").format(Literal(body.as_string(None)))


def _with_literals(text: str, params: tuple[Any, ...]) -> str:
    values = iter([Literal(value).as_string(None) for value in params])
    return re.sub("%[%s]", lambda mark: "%" if mark[0] == "%%" else next(values), text)


def _spellings(secrets: Iterable[str]) -> list[str]:
    """Return the forms a secret takes in a connection string and in a literal, longest first."""
    found = set()
    for secret in filter(None, secrets):
        in_conninfo = secret.replace("\\", "\\\\").replace("'", "\\'")
        for text in (secret, in_conninfo):
            as_literal = text.replace("'", "''")
            found |= {text, as_literal, as_literal.replace("\\", "\\\\")}
    return sorted(found, key=len, reverse=True)
