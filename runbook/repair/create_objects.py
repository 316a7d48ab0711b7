"""The SQL that makes one item of a server as it is on the other one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from runbook.postgres.schema_ddl import create_index, served
from runbook.proofs.objects import Unlike

_LISTS = (
    *("local_preload_libraries", "search_path", "session_preload_libraries"),
    *("shared_preload_libraries", "temp_tablespaces", "unix_socket_directories"),
)
"""Settings whose value is a list of names, which the catalogs hold quoted as SQL has them
(`variable_is_guc_list_quote` of pg_dump)."""

_NEW_ROLE = {"INHERIT": True, "CONNECTION LIMIT": -1, "VALID UNTIL": None}
"""What CREATE ROLE gives a role that is not told otherwise; every other attribute is off."""

_ALTER = {"routine": "ROUTINE", "server": "SERVER"}
_GRANT = {
    "table": "TABLE", "view": "TABLE", "materialized view": "TABLE", "foreign table": "TABLE",
    "column": "TABLE", "server": "FOREIGN SERVER", "wrapper": "FOREIGN DATA WRAPPER",
}  # fmt: skip
_FIRES = {"O": "ENABLE", "D": "DISABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA"}
_COMMANDS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE", "*": "ALL"}

_DROPPED = (
    *("role", "routine", "view", "materialized view", "index", "trigger", "rule", "policy"),
    *("statistics",),
)
"""Kinds of which one is dropped where only the target has it."""


def takes_away(each: Unlike) -> bool:
    """Return whether making it alike drops an object of the target."""
    return each.here is None and each.kind in _DROPPED


def alone(each: Unlike) -> bool:
    """Return whether its statements must not run within a transaction."""
    made = each.kind == "index" and each.here is not None and not each.former
    return bool(made and each.here and each.here["of"] != "p")


def statements(each: Unlike, major: int) -> list[Composable]:
    """Return what makes an item alike on a target of that major version; empty: that is by hand.

    A password is not among it: nobody but the server's own roles may read it.
    """
    return list(_statements(each, major))


def _statements(each: Unlike, major: int) -> Iterator[Composable]:
    here, there = each.here, each.there
    match each.kind:
        case "role":
            yield from _role(each)
        case "membership":
            yield from _membership(each, major)
        case "setting":
            yield from _setting(each)
        case "limit" if here:
            yield SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(
                Identifier(each.names[0]), Literal(here["CONNECTION LIMIT"])
            )
        case "owner" if here:
            yield _owned(each.names[0], each.names[1:], here["owner"])
        case "grant":
            yield from _grant(each)
        case "default":
            yield from _preset(each)
        case "routine" | "view" | "materialized view" | "statistics":
            yield from _object(each)
        case "index":
            yield from _index(each)
        case "trigger" | "rule":
            yield from _firing(each)
        case "partition trigger":
            # The server has the trigger; only whether it fires is not alike.
            wanted = each.here["enabled"] if each.here else (there or {})["inherited"]
            yield _fires(wanted, "TRIGGER", each.names)
        case "policy":
            if there:
                yield _drop("POLICY", each.names)
            if here:
                yield _policy(each.names, here)
        case "row security":
            yield from _row_security(each)


def _role(each: Unlike) -> Iterator[Composable]:
    name = Identifier(each.names[0])
    if each.here is None:
        yield SQL("DROP ROLE {}").format(name)
        return
    usual = {key: _NEW_ROLE.get(key, False) for key in each.here}
    before = usual if each.there is None else each.there
    changed = {key: value for key, value in each.here.items() if value != before[key]}
    words: list[Composable] = []
    for key, value in changed.items():
        if key == "VALID UNTIL":
            words.append(SQL("VALID UNTIL {}").format(Literal(value or "infinity")))
        elif key == "CONNECTION LIMIT":
            words.append(SQL("CONNECTION LIMIT {}").format(Literal(value)))
        else:
            words.append(served(key if value else f"NO{key}"))
    verb = SQL("CREATE") if each.there is None else SQL("ALTER")
    yield SQL("{} ROLE {} {}").format(verb, name, SQL(" ").join(words))


def _membership(each: Unlike, major: int) -> Iterator[Composable]:
    group, member = map(Identifier, each.names)
    if each.here is None:
        yield SQL("REVOKE {} FROM {}").format(group, member)
    elif major >= 16:
        options = SQL(", ").join(
            served(f"{name} {'TRUE' if value else 'FALSE'}") for name, value in each.here.items()
        )
        yield SQL("GRANT {} TO {} WITH {}").format(group, member, options)
    elif each.here["ADMIN"] or not each.there:
        with_admin = SQL(" WITH ADMIN OPTION") if each.here["ADMIN"] else SQL("")
        yield SQL("GRANT {} TO {}{}").format(group, member, with_admin)
    elif each.there["ADMIN"]:
        yield SQL("REVOKE ADMIN OPTION FOR {} FROM {}").format(group, member)


def _setting(each: Unlike) -> Iterator[Composable]:
    role, database, name = each.names
    whose: Composable
    if role:
        whose = SQL("ROLE {}").format(Identifier(role))
        if database:
            whose = SQL("{} IN DATABASE {}").format(whose, Identifier(database))
    else:
        whose = SQL("DATABASE {}").format(Identifier(database)) if database else SQL("ROLE ALL")
    setting = Identifier(*name.split("."))
    if each.here is None:
        yield SQL("ALTER {} RESET {}").format(whose, setting)
        return
    text = each.here["value"]
    # An empty list of names is written as an empty string.
    value: Composable = served(text) if name in _LISTS and text else Literal(text)
    yield SQL("ALTER {} SET {} TO {}").format(whose, setting, value)


def _named(kind: str, names: Sequence[str]) -> Composable:
    """Return an object as ALTER, GRANT and DROP name it."""
    if kind == "routine":
        return SQL("{}({})").format(Identifier(*names[:2]), served(names[2]))
    return Identifier(*names)


def _owned(kind: str, names: Sequence[str], owner: str) -> Composed:
    word = _ALTER.get(kind, kind.upper())
    return SQL("ALTER {} {} OWNER TO {}").format(
        served(word), _named(kind, names), Identifier(owner)
    )


def _grantee(name: str) -> Composable:
    return Identifier(name) if name else SQL("PUBLIC")


def _grant(each: Unlike) -> Iterator[Composable]:
    kind, names = each.names[0], each.names[1:-1]
    column = SQL("")
    if kind == "column":
        column, names = SQL(" ({})").format(Identifier(names[2])), names[:2]  # type: ignore[assignment]
    on = SQL("ON {} {}").format(served(_GRANT.get(kind, kind.upper())), _named(kind, names))
    grantee = _grantee(each.names[-1])
    here, there = _grantable(each.here), _grantable(each.there)
    for privilege, option in here.items():
        word = SQL("{}{}").format(served(privilege), column)
        if privilege not in there or (option and not there[privilege]):
            end = SQL(" WITH GRANT OPTION") if option else SQL("")
            yield SQL("GRANT {} {} TO {}{}").format(word, on, grantee, end)
        elif there[privilege] and not option:
            yield SQL("REVOKE GRANT OPTION FOR {} {} FROM {}").format(word, on, grantee)
    for privilege in there.keys() - here.keys():
        word = SQL("{}{}").format(served(privilege), column)
        yield SQL("REVOKE {} {} FROM {}").format(word, on, grantee)


def _grantable(made: Mapping[str, Any] | None) -> dict[str, bool]:
    """Return the privileges, each with whether it may be granted on."""
    words = (made or {}).get("privileges", ())
    return {word.rstrip("*"): word.endswith("*") for word in words}


def _preset(each: Unlike) -> Iterator[Composable]:
    role, schema, objects, grantee = each.names
    if objects == "LARGE OBJECTS":
        return
    inside = SQL(" IN SCHEMA {}").format(Identifier(schema)) if schema else SQL("")
    head = SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {}{} ").format(Identifier(role), inside)
    ours, theirs = ((made or {}).get("privileges", ()) for made in (each.here, each.there))
    # What was taken from the usual ones is given back where only the target has it, and so on.
    changes = [(word, word[0] == "+") for word in ours if word not in theirs]
    changes += [(word, word[0] == "-") for word in theirs if word not in ours]
    for word, gives in sorted(changes, key=lambda change: change[1]):
        what = SQL("{} ON {}").format(served(word[1:].rstrip("*")), served(objects))
        if gives:
            end = SQL(" WITH GRANT OPTION") if word.endswith("*") else SQL("")
            yield head + SQL("GRANT {} TO {}{}").format(what, _grantee(grantee), end)
        else:
            yield head + SQL("REVOKE {} FROM {}").format(what, _grantee(grantee))


def _object(each: Unlike) -> Iterator[Composable]:
    here, there = each.here, each.there
    replaced = each.kind in ("routine", "view")
    if there and not (here and replaced):
        yield SQL("DROP {} {}").format(served(each.kind.upper()), _named(each.kind, each.names))
    if here is None or "definition" not in here:
        return
    text = served(here["definition"].rstrip().rstrip(";"))
    if each.kind == "routine":
        # What a body names may be made after it.
        yield SQL("SET LOCAL check_function_bodies = off")
    if each.kind in ("view", "materialized view"):
        verb = SQL("CREATE OR REPLACE VIEW") if replaced else SQL("CREATE MATERIALIZED VIEW")
        columns = SQL(", ").join(map(Identifier, here["columns"]))
        options = served(f" WITH ({', '.join(here['options'])})") if here["options"] else SQL("")
        name = Identifier(*each.names)
        yield SQL("{} {} ({}){} AS {}").format(verb, name, columns, options, text)
    else:
        yield Composed([text])
    if each.owner and there is None:
        yield _owned(each.kind, each.names, each.owner)


def _index(each: Unlike) -> Iterator[Composable]:
    schema, _, index = each.names
    name = Identifier(schema, index)
    if each.former:
        yield SQL("ALTER INDEX {} RENAME TO {}").format(
            Identifier(schema, each.former), Identifier(index)
        )
        return
    if each.here is None or each.there is not None:
        yield SQL("DROP INDEX {}").format(name)
    if each.here is not None:
        if alone(each) and each.there is None:
            # One that failed before is there, invalid, and counts for none.
            yield SQL("DROP INDEX IF EXISTS {}").format(name)
        how = "CONCURRENTLY" if alone(each) else ""
        yield create_index(index, each.here["definition"], how=how)


def _firing(each: Unlike) -> Iterator[Composable]:
    here, there = each.here, each.there
    word = each.kind.upper()
    same = bool(here and there and here["definition"] == there["definition"])
    if there and not same:
        yield _drop(word, each.names)
    if here is None:
        return
    if not same:
        yield Composed([served(here["definition"].rstrip().rstrip(";"))])
    if same or here["enabled"] != "O":
        yield _fires(here["enabled"], word, each.names)


def _fires(enabled: str, word: str, names: Sequence[str]) -> Composed:
    return SQL("ALTER TABLE {} {} {} {}").format(
        Identifier(*names[:2]), served(_FIRES[enabled]), served(word), Identifier(names[2])
    )


def _drop(word: str, names: Sequence[str]) -> Composed:
    return SQL("DROP {} {} ON {}").format(
        served(word), Identifier(names[2]), Identifier(*names[:2])
    )


def _policy(names: Sequence[str], made: Mapping[str, Any]) -> Composed:
    ends: list[Composable] = []
    if made["using"]:
        ends.append(SQL(" USING ({})").format(served(made["using"])))
    if made["check"]:
        ends.append(SQL(" WITH CHECK ({})").format(served(made["check"])))
    return SQL("CREATE POLICY {} ON {} AS {} FOR {} TO {}{}").format(
        Identifier(names[2]),
        Identifier(*names[:2]),
        SQL("PERMISSIVE") if made["permissive"] else SQL("RESTRICTIVE"),
        served(_COMMANDS[made["command"]]),
        SQL(", ").join(map(_grantee, made["roles"])),
        Composed(ends),
    )


def _row_security(each: Unlike) -> Iterator[Composable]:
    off = {"enabled": False, "forced": False}
    here, there = each.here or off, each.there or off
    if here["forced"] and not there["forced"]:
        # Apply writes as the table's owner, and would be refused by it.
        return
    table = Identifier(*each.names)
    if here["forced"] != there["forced"]:
        yield SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(table)
    if here["enabled"] != there["enabled"]:
        verb = SQL("ENABLE") if here["enabled"] else SQL("DISABLE")
        yield SQL("ALTER TABLE {} {} ROW LEVEL SECURITY").format(table, verb)
