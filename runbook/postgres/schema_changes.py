"""What has to change on the subscriber so that its schemas are those of the publisher, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from psycopg.sql import SQL, Composable, Identifier, Literal

from runbook.postgres import key_changes, renames, schema_ddl
from runbook.postgres.change import RETYPED_BY_HAND, Change, only_there
from runbook.postgres.schema_ddl import Definition, Name, Parts, alter_table, shown


@dataclass
class NewTables:
    """The tables that the subscriber lacks."""

    names: list[Name] = field(default_factory=list)
    statements: list[Composable] = field(default_factory=list)
    by_hand: dict[Name, str] = field(default_factory=dict)
    """Those that cannot be written faithfully, and why."""


def new_tables(ours: Parts, theirs: Parts) -> NewTables:
    """Return what makes the tables that only the publisher has."""
    renamed = renames.tables(ours, theirs)
    missing = [name for name in ours.tables if name not in theirs.tables and name not in renamed]
    found = NewTables()
    for name in missing:
        if odd := _odd(name, ours):
            found.by_hand[name] = "; ".join(odd)
        else:
            found.names.append(name)
    # Parents before their partitions.
    found.names.sort(key=lambda name: (_depth(name, ours), name))
    schemas = {name[0] for name in found.names if name[0] not in theirs.schemas}
    for schema in sorted(schemas):
        found.statements += schema_ddl.create_schema(schema, ours.schemas[schema])
    for name in found.names:
        for sequence in ours.serials(name):
            if sequence not in theirs.sequences:
                found.statements += schema_ddl.create_sequence(sequence, ours.sequences[sequence])
    for name in found.names:
        found.statements += schema_ddl.create_table(name, ours)
    for name in found.names:
        found.statements += (
            schema_ddl.add_constraint((*name, constraint), made)
            for constraint, made in sorted(ours.of(ours.constraints, name).items())
            if made["type"] == "f"
        )
    return found


def changes(ours: Parts, theirs: Parts) -> list[Change]:
    """Return the other changes: first what others need, last what takes something away.

    What is written with a name that is still another on the subscriber follows once it is renamed.
    """
    counters = [*_renamed(ours, theirs, "sequence", renames.sequences(ours, theirs))]
    tables = [*_renamed(ours, theirs, "table", renames.tables(ours, theirs))]
    columns = [*_renamed_columns(ours, theirs)]
    first = [
        *_schemas(ours, theirs),
        *_enums(ours, theirs),
        # A sequence may get the name that one of an identity had.
        *_identities(ours, theirs),
        *_sequences(ours, theirs),
        *counters,
        # Rows that bear the former names may wait for a column that is missing: that one first.
        *_columns(ours, theirs),
        *tables,
        *columns,
    ]
    if counters or tables or columns:
        return first
    return [
        *first,
        *key_changes.renamed(ours, theirs),
        *key_changes.dropped(ours, theirs),
        *key_changes.added(ours, theirs),
        # A column of a primary key cannot be without NOT NULL: the key goes before.
        *_columns(ours, theirs, loosened=True),
        *key_changes.foreign(ours, theirs),
        *_dropped(ours, theirs),
    ]


def _odd(name: Name, ours: Parts) -> list[str]:
    odd = list(ours.tables[name]["oddities"])
    columns = ours.of(ours.columns, name)
    odd += [
        f"its column {shown([column])} is a virtual generated one"
        for column, made in columns.items()
        if made["generated"] == "v"
    ]
    return odd


def _depth(name: Name, ours: Parts) -> int:
    parent = ours.tables[name]["parent"]
    return 0 if not parent else 1 + _depth((parent[0], parent[1]), ours)


def _schemas(ours: Parts, theirs: Parts) -> Iterator[Change]:
    for name, made in sorted(ours.schemas.items()):
        if name not in theirs.schemas:
            statements = [*schema_ddl.create_schema(name, made)]
            yield Change("schema", (name,), f"Make the schema {shown([name])}", statements)


def _enums(ours: Parts, theirs: Parts) -> Iterator[Change]:
    for name, made in sorted(ours.enums.items()):
        other = theirs.enums.get(name)
        if other is None:
            yield Change(
                "enum", name, f"Make the enum {shown(name)}", [*schema_ddl.create_enum(name, made)]
            )
            continue
        labels, there = made["labels"], other["labels"]
        if [label for label in labels if label in there] != there:
            if labels != there:
                yield Change(
                    "enum-labels", name, f"Make the labels of the enum {shown(name)} alike",
                    note=f"They are {labels} on {ours.side} and {there} on {theirs.side}: renamed "
                    "or removed labels are set by hand (ALTER TYPE … RENAME VALUE).",
                )  # fmt: skip
            continue
        for place, label in enumerate(labels):
            if label not in there:
                after = (
                    SQL(" AFTER {}").format(Literal(labels[place - 1]))
                    if place
                    else SQL(" BEFORE {}").format(Literal(there[0]))
                )
                yield Change(
                    "enum-value",
                    (*name, label),
                    f"Add the value {label!r} to the enum {shown(name)}",
                    [
                        SQL("ALTER TYPE {} ADD VALUE {}{}").format(
                            Identifier(*name), Literal(label), after
                        )
                    ],
                    "Rows that have it stop apply until it is there; nothing of them is lost.",
                )


def _sequences(ours: Parts, theirs: Parts) -> Iterator[Change]:
    renamed = renames.sequences(ours, theirs)
    for name, made in sorted(ours.sequences.items()):
        owned = made["owned"]
        if owned and (owned[0], owned[1]) not in theirs.tables:
            continue
        if name not in theirs.sequences and name not in renamed:
            yield Change(
                "sequence", name, f"Make the sequence {shown(name)}",
                [*schema_ddl.create_sequence(name, made)],
                "Its value is carried over at the rollback, with all others.",
            )  # fmt: skip


def _columns(ours: Parts, theirs: Parts, *, loosened: bool = False) -> Iterator[Change]:
    """Yield what is to be done about columns: where one loses NOT NULL, or of all others."""
    renamed = renames.columns(ours, theirs)
    for (schema, table, column), made in sorted(
        ours.columns.items(), key=lambda item: (item[0][:2], item[1]["position"])
    ):
        name = (schema, table)
        if name not in theirs.tables or (schema, table, column) in renamed:
            continue
        other = theirs.columns.get((schema, table, column))
        if loosened != bool(other and _loosened(made, other)):
            continue
        if other is None:
            yield _column(name, column, made, ours)
        elif _retyped(made, other):
            yield _type(name, column, made, other, ours, theirs)
        else:
            sides = (ours.side, theirs.side)
            yield from _settings((schema, table, column), made, other, sides)


def _type(
    name: Name, column: str, made: Definition, other: Definition, ours: Parts, theirs: Parts
) -> Change:
    anew = _column(name, column, made, ours).statements
    # A sequence of its own would go with it, and its default with that.
    can = anew and not theirs.serials(name, column)
    drop = alter_table(name, "DROP COLUMN {}", column)
    how = "It is made anew, and holds no value that would be gone." if can else RETYPED_BY_HAND
    computed = made["generated"] and other["generated"]
    return Change(
        "column-type",
        (*name, column),
        f"Make the type of {shown((*name, column))} alike",
        [drop, *anew] if can else (),
        f"It is {_typed(made)} on {ours.side} and {_typed(other)} on {theirs.side}. {how}",
        destructive=not computed,
        reads=(_typed(made), _typed(other)),
    )


def _identities(ours: Parts, theirs: Parts) -> Iterator[Change]:
    for part, made in sorted(ours.columns.items()):
        other = theirs.columns.get(part)
        if other is None or made["identity"] == other["identity"] or _retyped(made, other):
            continue
        alter = alter_table(part, "ALTER COLUMN {} ", part[2])
        statements: list[Composable] = []
        if other["identity"]:
            statements.append(alter + SQL("DROP IDENTITY"))
        if made["identity"]:
            if other["default"] is not None:
                statements.append(alter + SQL("DROP DEFAULT"))
            statements += (
                SQL("DROP SEQUENCE {}").format(Identifier(*name))
                for name in theirs.serials(part[:2], part[2])
            )
            statements.append(alter + SQL("SET NOT NULL"))
            statements.append(alter + SQL("ADD ") + schema_ddl.identity_text(made))
        yield Change(
            "column-identity", part, f"Make {shown(part)} an identity column on both or on none",
            statements, "Its value is carried over at the rollback, as that of each sequence.",
        )  # fmt: skip


def _retyped(made: Definition, other: Definition) -> bool:
    # Before 17 no other expression can be given to a generated column.
    computing = ("default",) if made["generated"] else ()
    return any(made[key] != other[key] for key in ("type", "collation", "generated", *computing))


def _loosened(made: Definition, other: Definition) -> bool:
    return bool(other["not_null"] and not made["not_null"])


def _renamed(ours: Parts, theirs: Parts, kind: str, pairs: Mapping[Name, Name]) -> Iterator[Change]:
    word = SQL("TABLE") if kind == "table" else SQL("SEQUENCE")
    for name, former in sorted(pairs.items()):
        title = f"Rename the {kind} {shown(former)} to {shown(name)}"
        statements = _renaming(word, former, name)
        yield Change(f"rename-{kind}", name, title, statements, _renamed_note(ours, theirs))


def _renamed_columns(ours: Parts, theirs: Parts) -> Iterator[Change]:
    for part, previous in sorted(renames.columns(ours, theirs).items()):
        rename = alter_table(part, "RENAME COLUMN {} TO {}", previous, part[2])
        title = f"Rename the column {shown((*part[:2], previous))} to {shown(part[2:])}"
        yield Change("rename-column", part, title, [rename], _renamed_note(ours, theirs))


def _renamed_note(ours: Parts, theirs: Parts) -> str:
    return (
        f"{ours.side} renamed it: what {theirs.side} holds in it stays. Rows that {ours.side} "
        "writes under the new name stop apply until it is renamed here, too; none of them is lost."
    )


def _renaming(word: SQL, former: Name, name: Name) -> list[Composable]:
    statements: list[Composable] = []
    if name[0] != former[0]:
        statements.append(
            SQL("ALTER {} {} SET SCHEMA {}").format(word, Identifier(*former), Identifier(name[0]))
        )
    if name[1] != former[1]:
        statements.append(
            SQL("ALTER {} {} RENAME TO {}").format(
                word, Identifier(name[0], former[1]), Identifier(name[1])
            )
        )
    return statements


def _column(name: Name, column: str, made: Definition, ours: Parts) -> Change:
    words = shown((*name, column))
    title = f"Add the column {words}"
    if made["generated"] == "v":
        return Change(
            "column", (*name, column), title,
            note="Virtual generated columns exist from 18 on. By hand: add a stored one, or leave "
            "the column out: it is not replicated.",
        )  # fmt: skip
    # Rows that are there already have no value where there is no default.
    filled = made["default"] is not None or made["identity"]
    text = schema_ddl.column_text(column, made, not_null=bool(filled))
    statements: list[Composable] = [alter_table(name, "ADD COLUMN {}", text)]
    statements += (
        schema_ddl.own_sequence(sequence, ours.sequences[sequence])
        for sequence in ours.serials(name, column)
    )
    return Change(
        "column",
        (*name, column),
        title,
        statements,
        f"Rows that {ours.side} writes with it stop apply until it is there. None of them is lost: "
        "apply goes on by itself. What older rows have in it is compared afterwards.",
    )


def _settings(
    part: schema_ddl.Part, made: Definition, other: Definition, sides: tuple[str, str]
) -> Iterator[Change]:
    alter = alter_table(part, "ALTER COLUMN {} ", part[2])
    settings: list[Composable] = []
    if made["identity"] != other["identity"]:
        return
    if made["default"] != other["default"]:
        settings.append(
            alter + SQL("DROP DEFAULT")
            if made["default"] is None
            else alter + SQL("SET DEFAULT {}").format(schema_ddl.served(made["default"]))
        )
    if made["not_null"] != other["not_null"]:
        settings.append(alter + (SQL("SET NOT NULL") if made["not_null"] else SQL("DROP NOT NULL")))
    if settings:
        yield Change(
            "column-settings", part, f"Give {shown(part)} the default and NOT NULL of {sides[0]}",
            settings, "SET NOT NULL needs every row to have a value: once the lag is 0.",
            reads=(str(made["default"]), str(other["default"])),
        )  # fmt: skip


def _dropped(ours: Parts, theirs: Parts) -> Iterator[Change]:
    note = only_there(ours, theirs)
    for part in sorted(theirs.columns.keys() - ours.columns.keys()):
        if part[:2] in ours.tables:
            drop = alter_table(part, "DROP COLUMN {}", part[2])
            title = f"Drop the column {shown(part)}"
            yield Change("drop-column", part, title, [drop], note, destructive=True)
    # A partition before what it is one of.
    spare = theirs.tables.keys() - ours.tables.keys()
    for name in sorted(spare, key=lambda name: (-_depth(name, theirs), name)):
        drop = SQL("DROP TABLE {}").format(Identifier(*name))
        title = f"Drop the table {shown(name)}"
        yield Change("drop-table", name, title, [drop], note, destructive=True)
    for name, made in sorted(theirs.sequences.items()):
        if name not in ours.sequences and not made["owned"]:
            drop = SQL("DROP SEQUENCE {}").format(Identifier(*name))
            title = f"Drop the sequence {shown(name)}"
            yield Change("drop-sequence", name, title, [drop], note, destructive=True)


def _typed(made: Definition) -> str:
    generated = f" generated as {made['default']}" if made["generated"] else ""
    collation = f" collate {made['collation']}" if made["collation"] else ""
    return f"{made['type']}{collation}{generated}"
