"""How items beside the rows are named: roles, grants, code."""

from __future__ import annotations

from collections.abc import Sequence

from runbook.postgres.statement import quoted


def named(kind: str, names: Sequence[str]) -> str:
    """Return an item in words, e.g. `the grant on table public.account to reporting`."""
    who = quoted(names[-1]) if names[-1] else "PUBLIC"
    match kind:
        case "grant":
            return f"the grant on {named(names[0], names[1:-1])} to {who}"
        case "owner":
            return f"the owner of {named(names[0], names[1:])}"
        case "membership":
            return f"the membership of {who} in {quoted(names[0])}"
        case "password":
            return f"the password of {quoted(names[0])}"
        case "limit":
            return f"the connection limit of database {quoted(names[0])}"
        case "setting":
            role = f" of role {quoted(names[0])}" if names[0] else ""
            inside = f" in database {quoted(names[1])}" if names[1] else ""
            return f"the setting {names[2]}{role}{inside}"
        case "default":
            inside = f" in schema {quoted(names[1])}" if names[1] else ""
            return f"the default privilege on {names[2]} of {quoted(names[0])}{inside} for {who}"
        case "routine":
            return f"function {'.'.join(map(quoted, names[:2]))}({names[2]})"
        case "cast" | "operator":
            return f"{kind} ({', '.join(names)})"
    return f"{kind} {'.'.join(map(quoted, names))}"
