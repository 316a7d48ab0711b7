"""SQL that changes something, as a value: it can be shown, masked, before it is run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from state.masking import remember

MASK = "********"

_VALUE = "value"

_WITH_PRIVATE: LiteralString = """
DECLARE
    setting text[];
BEGIN
    -- Where one may say so: extensions that look into statements keep out of this one, and a
    -- session that is ended in it leaves no context in the log.
    FOREACH setting SLICE 1 IN ARRAY ARRAY[
        ['log_error_verbosity', 'terse'],
        ['pg_stat_statements.track_utility', 'off'],
        ['pgaudit.log', 'none']
    ] LOOP
        BEGIN
            PERFORM pg_catalog.set_config(setting[1], setting[2], true);
        EXCEPTION WHEN insufficient_privilege THEN
            CONTINUE;
        END;
    END LOOP;
    EXECUTE pg_catalog.format(
        {template}, (SELECT value FROM pg_temp.blueprime_private WHERE name = {value})
    );
-- OTHERS is all but these two.
EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
    -- Raised anew: the context of the first error quotes the statement.
    RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM;
END
"""


@dataclass(frozen=True, slots=True, repr=False)
class Statement:
    """One SQL statement with its parameters.

    `transactional` says whether it may run inside a transaction block. `secrets` are masked in
    `text`. `private` values reach the statement through a temporary table that is filled by COPY,
    whose data no server logs: they stand in no statement text, so not in `pg_stat_activity`, not in
    the lines of `log_statement`, not in logged parameters. Where it has them, `shown` is the plain
    form that a person would type.
    """

    sql: SQL | Composed
    params: tuple[Any, ...] = ()
    secrets: frozenset[str] = frozenset()
    transactional: bool = True
    private: Mapping[str, str] = field(default_factory=dict)
    shown: SQL | Composed | None = None

    def __post_init__(self) -> None:
        for secret in self.secrets:
            remember(secret)

    def __repr__(self) -> str:
        return f"Statement({self.text()!r})"

    def text(self) -> str:
        """Return the SQL with its values as literals, secrets masked; needs no connection."""
        text = (self.shown or self.sql).as_string(None)
        if self.params and self.shown is None:
            text = _with_literals(text, self.params)
        return self._masked(text).strip()

    def _masked(self, text: str) -> str:
        for secret in _spellings((*self.secrets, *self.private.values())):
            text = text.replace(secret, MASK)
        return text

    async def execute(self, connection: AsyncConnection) -> AsyncCursor:
        """Run it once and return the cursor. Raises what psycopg raises, secrets masked."""
        try:
            return await self._execute(connection)
        except psycopg.Error as error:
            masked = self._masked(str(error))
            if masked == str(error):
                raise
            # A session that is ended within a statement is told its context, value and all.
            raise type(error)(masked) from None

    async def _execute(self, connection: AsyncConnection) -> AsyncCursor:
        if not self.private:
            return await connection.execute(self.sql, self.params or None)
        async with connection.transaction():
            await connection.execute(
                "CREATE TEMPORARY TABLE blueprime_private (name text, value text)"
            )
            copying = connection.cursor().copy("COPY pg_temp.blueprime_private FROM STDIN")
            async with copying as copy:
                for row in self.private.items():
                    await copy.write_row(row)
            cursor = await connection.execute(self.sql, self.params or None)
            await connection.execute("DROP TABLE pg_temp.blueprime_private")
            return cursor


def at_most(limit_s: float, *, transactional: bool = True) -> Statement:
    """Return what gives the statements after it so many seconds each, in place of the session's.

    In a transaction it holds to its end, else until the session's limit is set back.
    """
    how = SQL("SET LOCAL") if transactional else SQL("SET")
    milliseconds = literal(max(1, round(limit_s * 1000)))
    return Statement(SQL("{} statement_timeout = {}").format(how, milliseconds))


def compose(template: LiteralString, /, **parts: str | Composable) -> Composed:
    """Fill a template's `{name}`s: a plain string stands for an identifier."""
    return SQL(template).format(
        **{
            name: Identifier(part) if isinstance(part, str) else part
            for name, part in parts.items()
        }
    )


def with_private(
    before: Composed, value: str, after: Composed, *, shown: str, secret: str
) -> Statement:
    """Return `before`, the value as a literal, `after`: the value stands in no statement's text.

    Otherwise it would be seen in `pg_stat_activity` and, for every `log_statement` but `none` and
    with every error, in the server's log. A person is shown `shown` in its place; `secret` is what
    must be kept within the value.
    """
    pieces = [piece.as_string(None).replace("%", "%%") for piece in (before, after)]
    return Statement(
        block(compose(_WITH_PRIVATE, template=literal("%L".join(pieces)), value=literal(_VALUE))),
        secrets=frozenset({secret} - {""}),
        private={_VALUE: value},
        shown=before + literal(shown) + after,
    )


def quoted(name: str) -> str:
    """Return a name as SQL writes an identifier, in words and never in SQL that is run.

    What does not print is escaped (`U&"new\\000Aline"`), so that a name stays on its line, cannot
    be taken for another one, and can still be copied into psql.
    """
    if name.isprintable():
        return Identifier(name).as_string(None)
    escaped = "".join(map(_escaped, name.replace('"', '""')))
    return f'U&"{escaped}"'


def literal(value: Any) -> Literal:
    """Return a value for those statements that take no parameters."""
    return Literal(value)


def block(body: Composable) -> Composed:
    """Return `DO` with a PL/pgSQL body; the body may hold any name, quoted once more."""
    return SQL("DO {}").format(Literal(body.as_string(None)))


def _escaped(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    return f"\\{ord(character):04X}" if ord(character) < 0x10000 else f"\\+{ord(character):06X}"


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
