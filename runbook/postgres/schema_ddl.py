"""What a database's schemas are made of, and the SQL that makes a part of them anew.

Types, expressions and definitions are the server's own words (`pg_get_…def`), with every schema
named; names go through psycopg.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from runbook.postgres.queries import fetch, fetch_values
from runbook.postgres.schema import Key
from runbook.postgres.statement import quoted

Definition = dict[str, Any]
Name = tuple[str, str]
"""Schema and name."""
Part = tuple[str, str, str]
"""Schema, table, and the name of what belongs to it."""


@dataclass(frozen=True, slots=True)
class _Row:
    kind: str
    schema: str
    name: str
    part: str
    definition: Definition


@dataclass
class Parts:
    """The parts of one database's schemas, as `schema_parts.sql` describes each."""

    side: str
    """Whose they are, in the words that a person reads."""
    schemas: dict[str, Definition] = field(default_factory=dict)
    tables: dict[Name, Definition] = field(default_factory=dict)
    columns: dict[Part, Definition] = field(default_factory=dict)
    constraints: dict[Part, Definition] = field(default_factory=dict)
    indexes: dict[Part, Definition] = field(default_factory=dict)
    sequences: dict[Name, Definition] = field(default_factory=dict)
    enums: dict[Name, Definition] = field(default_factory=dict)

    def of(self, parts: dict[Part, Definition], table: Name) -> dict[str, Definition]:
        """Return what belongs to a table, by name."""
        return {part: made for (s, t, part), made in parts.items() if (s, t) == table}

    def serials(self, table: Name, column: str = "") -> list[Name]:
        """Return the sequences that a table (or one of its columns) owns, identities excepted."""
        return [
            name
            for name, made in self.sequences.items()
            if (owned := made["owned"])
            and (owned[0], owned[1]) == table
            and column in ("", owned[2])
        ]


async def read(connection: AsyncConnection, side: str) -> Parts:
    """Return the parts of this database's schemas: one query, every name in it quoted."""
    found = Parts(side)
    async with connection.transaction():
        await fetch_values(connection, "quote_all")
        rows = await fetch(connection, _Row, "schema_parts")
    named = {"table": found.tables, "sequence": found.sequences, "enum": found.enums}
    parts = {
        "column": found.columns,
        "constraint": found.constraints,
        "index": found.indexes,
    }
    for row in rows:
        if row.kind == "schema":
            found.schemas[row.schema] = row.definition
        elif row.kind in named:
            named[row.kind][row.schema, row.name] = row.definition
        else:
            parts[row.kind][row.schema, row.name, row.part] = row.definition
    return found


_WRITTEN = ("type", "collation", "default", "definition")
"""What of a part is text that each version writes its own way."""


def unlike(ours: Parts, theirs: Parts) -> bool:
    """Return whether the sides write anything otherwise that both have."""
    return any(
        made.get(key) != there[part].get(key)
        for here, there in _texts(ours, theirs)
        for part, made in here.items()
        if part in there
        for key in _WRITTEN
    )


def agree(ours: Parts, theirs: Parts, alike: Container[Key]) -> None:
    """Let the subscriber's parts be written as the publisher's where they are known to be alike."""
    for kind, (here, there) in zip(
        ("column", "constraint", "index"), _texts(ours, theirs), strict=True
    ):
        for part, made in here.items():
            if part in there and (kind, part) in alike:
                there[part].update({key: made[key] for key in _WRITTEN if key in made})


def _texts(
    ours: Parts, theirs: Parts
) -> Iterator[tuple[dict[Part, Definition], dict[Part, Definition]]]:
    yield ours.columns, theirs.columns
    yield ours.constraints, theirs.constraints
    yield ours.indexes, theirs.indexes


def served(text: str) -> SQL:
    """Return words that a server wrote as SQL."""
    return SQL(text)


def shown(name: Iterable[str]) -> str:
    """Return a name for people."""
    return ".".join(map(quoted, name))


def alter_table(table: Sequence[str], change: LiteralString, *parts: str | Composable) -> Composed:
    """Return ALTER TABLE of a table, or of that of a part; plain strings stand for identifiers."""
    filled = [Identifier(part) if isinstance(part, str) else part for part in parts]
    return SQL("ALTER TABLE {} ").format(Identifier(*table[:2])) + SQL(change).format(*filled)


def create_schema(name: str, made: Definition) -> Iterator[Composed]:
    """Make a schema with its owner and grants."""
    yield SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(
        Identifier(name), Identifier(made["owner"])
    )
    yield from _grants(SQL("SCHEMA"), Identifier(name), made)


def create_enum(name: Name, made: Definition) -> Iterator[Composed]:
    """Make an enum with its owner."""
    labels = SQL(", ").join(map(Literal, made["labels"]))
    yield SQL("CREATE TYPE {} AS ENUM ({})").format(Identifier(*name), labels)
    yield SQL("ALTER TYPE {} OWNER TO {}").format(Identifier(*name), Identifier(made["owner"]))


def create_sequence(name: Name, made: Definition) -> Iterator[Composed]:
    """Make a sequence with owner and grants; to which column it belongs is not said here."""
    yield SQL("CREATE SEQUENCE {} AS {} {}").format(
        Identifier(*name),
        served(made["type"]),
        _counting(*(made[key] for key in ("start", "increment", "min", "max", "cache", "cycle"))),
    )
    yield SQL("ALTER SEQUENCE {} OWNER TO {}").format(Identifier(*name), Identifier(made["owner"]))
    yield from _grants(SQL("SEQUENCE"), Identifier(*name), made)


def own_sequence(name: Name, made: Definition) -> Composed:
    """Say to which column a sequence belongs."""
    return SQL("ALTER SEQUENCE {} OWNED BY {}").format(
        Identifier(*name), Identifier(*made["owned"])
    )


def create_table(name: Name, parts: Parts) -> Iterator[Composed]:
    """Make a table with columns, keys and indexes; foreign keys come when all tables are there."""
    made = parts.tables[name]
    if made["parent"]:
        body: Composable = SQL("PARTITION OF {} {}").format(
            Identifier(*made["parent"]), served(made["bound"])
        )
    else:
        columns = parts.of(parts.columns, name)
        ordered = sorted(columns, key=lambda column: columns[column]["position"])
        body = SQL("({})").format(
            SQL(", ").join(column_text(column, columns[column]) for column in ordered)
        )
    key = made["partition_key"]
    yield SQL("CREATE TABLE {} {}{}{}").format(
        Identifier(*name),
        body,
        SQL(" PARTITION BY {}").format(served(key)) if key else SQL(""),
        SQL(" WITH ({})").format(served(", ".join(made["options"])))
        if made["options"]
        else SQL(""),
    )
    for constraint, of in sorted(parts.of(parts.constraints, name).items(), key=_keys_first):
        if of["type"] != "f":
            yield add_constraint((*name, constraint), of)
    for _, index in sorted(parts.of(parts.indexes, name).items()):
        yield Composed([served(index["definition"])])
    yield from replica_identity(name, parts)
    yield alter_table(name, "OWNER TO {}", made["owner"])
    # Of the same owner both must be by then.
    for sequence in parts.serials(name):
        yield own_sequence(sequence, parts.sequences[sequence])
    yield from _grants(SQL("TABLE"), Identifier(*name), made)


def replica_identity(name: Name, parts: Parts) -> Iterator[Composed]:
    """Tell the rows of a table apart as the publisher does, where that is not by primary key."""
    match parts.tables[name]["identity"]:
        case "f":
            yield alter_table(name, "REPLICA IDENTITY FULL")
        case "n":
            yield alter_table(name, "REPLICA IDENTITY NOTHING")
        case "i":
            for index, made in parts.of(parts.indexes, name).items():
                if made["identity"]:
                    yield alter_table(name, "REPLICA IDENTITY USING INDEX {}", index)


def column_text(name: str, made: Definition, *, not_null: bool = True) -> Composed:
    """Return a column as CREATE TABLE and ADD COLUMN write it."""
    pieces: list[Composable] = [Identifier(name), served(made["type"])]
    if made["collation"]:
        pieces.append(SQL("COLLATE {}").format(served(made["collation"])))
    if made["identity"]:
        pieces.append(identity_text(made))
    elif made["generated"]:
        pieces.append(SQL("GENERATED ALWAYS AS ({}) STORED").format(served(made["default"])))
    elif made["default"] is not None:
        pieces.append(SQL("DEFAULT {}").format(served(made["default"])))
    if made["not_null"] and not_null:
        pieces.append(SQL("NOT NULL"))
    return SQL(" ").join(pieces)


def add_constraint(part: Part, made: Definition) -> Composed:
    """Add a constraint under its name."""
    return alter_table(part, "ADD CONSTRAINT {} {}", part[2], served(made["definition"]))


def around_name(index: str, definition: str) -> tuple[str, str]:
    """Return what stands before and behind an index's name where the server writes it, quoted."""
    verb, _, rest = definition.partition(f" {Identifier(index).as_string(None)} ON ")
    return verb, rest


def create_index(index: str, definition: str, *, how: str = "") -> Composed:
    """Make an index, on the partitions of its table too; `how` is said before its name.

    The server writes that of a partitioned table as one of the parent alone, without those of the
    partitions.
    """
    verb, rest = around_name(index, definition)
    words = " ".join(word for word in (verb, how) if word)
    return SQL("{} {} ON {}").format(
        served(words), Identifier(index), served(rest.removeprefix("ONLY "))
    )


def identity_text(made: Definition) -> Composed:
    """Return how a column is an identity, with the name and the counting of its sequence."""
    how = SQL("ALWAYS") if made["identity"] == "a" else SQL("BY DEFAULT")
    schema, name, *counting = made["sequence"]
    return SQL("GENERATED {} AS IDENTITY (SEQUENCE NAME {} {})").format(
        how, Identifier(schema, name), _counting(*counting)
    )


def _counting(
    start: int, increment: int, least: int, most: int, cache: int, cycle: bool
) -> Composable:
    return SQL("START WITH {} INCREMENT BY {} MINVALUE {} MAXVALUE {} CACHE {} {}").format(
        *(Literal(number) for number in (start, increment, least, most, cache)),
        SQL("CYCLE") if cycle else SQL("NO CYCLE"),
    )


def _grants(kind: SQL, name: Composable, made: Definition) -> Iterator[Composed]:
    for grantee, privilege, grantable in made["grants"]:
        if privilege == "MAINTAIN":
            # From 17 on; the older side has none.
            continue
        yield SQL("GRANT {} ON {} {} TO {}{}").format(
            served(privilege),
            kind,
            name,
            Identifier(grantee) if grantee else SQL("PUBLIC"),
            SQL(" WITH GRANT OPTION") if grantable else SQL(""),
        )


def _keys_first(item: tuple[str, Definition]) -> tuple[bool, str]:
    return item[1]["type"] != "p", item[0]
