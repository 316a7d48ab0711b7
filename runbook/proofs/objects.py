"""What applications need beside their rows and is not alike: named, counted, accepted.

Logical replication carries no role, no grant and no code. What the serving side has gained, lost or
changed is missed by the applications once the other one serves; what was revoked would come back.

The fact `objects.known` holds the pairs that count as alike although they are not: text that two
versions print differently, as it stood before the switchover, and what a person accepted by name.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from runbook import amounts
from runbook.base.alert import Cause
from runbook.base.context import RunContext
from runbook.base.pair import locked_roles
from runbook.base.roles import Role
from runbook.postgres import dependencies, objects
from runbook.postgres.dependencies import Rests, below, in_order
from runbook.postgres.gather_all import together
from runbook.postgres.objects import Item, Key, ServerItems, digest
from runbook.postgres.schema_ddl import around_name
from runbook.postgres.statement import quoted
from runbook.proofs.object_names import named

KNOWN = "objects.known"
"""The pairs of digests that count as alike, by the item's key: of the new side and of the old."""

NO_PASSWORDS = (
    "passwords cannot be compared here, since pg_authid is not readable: one that was changed on "
    "{source} has to be changed on {target} too"
)

_CAUSES = {
    **dict.fromkeys(("role", "password", "membership", "setting", "limit"), Cause.ROLE),
    **dict.fromkeys(("owner", "grant", "default"), Cause.GRANT),
}

_NOUNS = {
    "routine": ("function", "functions"),
    "index": ("index", "indexes"),
    "policy": ("policy", "policies"),
    "default": ("default privilege", "default privileges"),
    "row security": ("row security setting", "row security settings"),
    "operator class": ("operator class", "operator classes"),
    "statistics": ("statistics object", "statistics objects"),
    "text search dictionary": ("text search dictionary", "text search dictionaries"),
    "limit": ("connection limit", "connection limits"),
}

_OF_TABLES = ("index", "trigger", "partition trigger", "rule", "policy", "row security")
"""Kinds whose names begin with the relation that they belong to."""

_RELATIONS = ("table", "view", "materialized view", "foreign table")


@dataclass(frozen=True, slots=True)
class Unlike:
    """One item that is not alike. `here` and `there` are how it is made, None: it is not there."""

    database: str
    """Empty: of the whole server."""
    kind: str
    names: tuple[str, ...]
    source: Role
    """The side that has it as it should be: the one that serves, or is about to be left."""
    target: Role
    here: Mapping[str, Any] | None
    there: Mapping[str, Any] | None
    exact: bool
    owner: str = ""
    """Who owns it on the source, where it has an owner of its own."""
    waits: bool = False
    """Whether it rests on a table or a type that the target lacks."""

    @property
    def key(self) -> str:
        """What it is, as the journal and alarms have it."""
        return json.dumps([self.database, self.kind, *self.names], ensure_ascii=False)

    @property
    def cause(self) -> Cause:
        """Return the cause of its alert."""
        return _CAUSES.get(self.kind, Cause.CODE)

    @property
    def name(self) -> str:
        """The item in words, e.g. `grant of SELECT on table public.account to reporting`."""
        return named(self.kind, self.names)

    @property
    def words(self) -> str:
        """Say it in one line."""
        where = f" in {quoted(self.database)}" if self.database else ""
        return f"{self.name}{where} {self._how()}"

    def _how(self) -> str:
        here, there = self.source.value, self.target.value
        if self.kind == "password":
            return (
                f"was set anew on one side: whether {there} takes the same one as {here} cannot be "
                "told"
            )
        if self.kind in ("grant", "default"):
            return self._privileges()
        if self.kind == "partition trigger":
            return self._firing()
        if self.former:
            return f"is named {quoted(self.former)} on {there}"
        if self.there is None:
            return f"is only on {here}"
        if self.here is None:
            return f"is only on {there}"
        if self.kind in ("role", "membership", "limit", "owner", "extension"):
            left, right = self.here, self.there
            parts = [
                f"{name}: {_value(left[name])} on {here}, {_value(right[name])} on {there}"
                for name in left
                if left[name] != right[name]
            ]
            return f"is not the same: {'; '.join(parts)}"
        return f"is another one on {there} than on {here}"

    @property
    def former(self) -> str:
        """Return the name that an index has on the target, where nothing else of it differs."""
        return str((self.there or {}).get("name", ""))

    def _firing(self) -> str:
        """Say where it fires otherwise than the trigger of the table that is partitioned."""
        parts = [
            f"{'enabled' if made['enabled'] == 'O' else 'disabled'} on {side.value}, "
            "unlike its parent table's"
            for side, made in ((self.source, self.here), (self.target, self.there))
            if made is not None
        ]
        return f"is {' and '.join(parts)}"

    def _privileges(self) -> str:
        left, right = missing(self), surplus(self)
        parts = []
        if left:
            parts.append(f"{', '.join(left)} only on {self.source.value}")
        if right:
            parts.append(f"{', '.join(right)} only on {self.target.value}, and would come back")
        return f"is not the same: {'; '.join(parts)}"

    def pair(self) -> list[str]:
        """Return how it is made on the new side and on the old one, as digests."""
        sides = digest(_dict(self.here)), digest(_dict(self.there))
        new_first = self.source.identity is Role.GREEN
        return list(sides if new_first else sides[::-1])


def missing(each: Unlike) -> list[str]:
    """Return the privileges that only the source grants."""
    return [word for word in _privileges(each.here) if word not in _privileges(each.there)]


def surplus(each: Unlike) -> list[str]:
    """Return the privileges that only the target grants."""
    return [word for word in _privileges(each.there) if word not in _privileges(each.here)]


def _privileges(made: Mapping[str, Any] | None) -> list[str]:
    return list((made or {}).get("privileges", ()))


def _dict(made: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if made is None else dict(made)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def counted(found: Iterable[Unlike]) -> str:
    """Return how many there are of each kind, e.g. `2 roles, 1 function`."""
    counts = Counter(each.kind for each in found)
    return ", ".join(f"{count} {noun(kind, count)}" for kind, count in counts.items())


def noun(kind: str, count: int) -> str:
    """Return the word for so many items of a kind."""
    return _NOUNS.get(kind, (kind, f"{kind}s"))[count != 1]


def known(context: RunContext) -> dict[str, list[str]] | None:
    """Return the pairs that count as alike, or None where nobody has looked yet."""
    found: dict[str, list[str]] | None = context.fact(KNOWN)
    return found


def printed(found: Iterable[Unlike]) -> dict[str, list[str]]:
    """Return the pairs that are taken for the same thing in the words of two versions."""
    return {
        each.key: each.pair()
        for each in found
        if not each.exact and each.here is not None and each.there is not None
    }


def taken(alike: Mapping[str, Sequence[str]]) -> str:
    """Say which pairs count as alike from now on."""
    objects = amounts.counted(len(alike), "object is", "objects are")
    return f"{objects} printed differently by the two versions: taken for alike"


def fresh(found: Iterable[Unlike], alike: Mapping[str, Sequence[str]]) -> list[Unlike]:
    """Return those that do not count as alike."""
    return [each for each in found if list(alike.get(each.key, ())) != each.pair()]


class ObjectsSurvey:
    """Compares the items of two clusters, database by database, as cheaply as it can.

    A database is read again only where the stamp of its catalogs has moved on either side.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._of: tuple[Role, Role] | None = None
        self._seen: dict[str, tuple[tuple[str, ...], list[Unlike]]] = {}
        self.passwords = True
        """Whether the passwords of both could be compared, at the last look."""
        self.compared_s = 0.0
        """How long reading and comparing took, at the last look."""

    async def look(self, source: Role, target: Role, databases: Sequence[str]) -> list[Unlike]:
        """Return every item of the server and of the databases that is not alike now."""
        if self._of != (source, target):
            self._of, self._seen = (source, target), {}
        began = monotonic()
        found = await self._servers(source, target)
        for database in databases:
            found += await self._database(source, target, database)
        self.compared_s = monotonic() - began
        return found

    async def _servers(self, source: Role, target: Role) -> list[Unlike]:
        async with self._context.connect(source) as here, self._context.connect(target) as there:
            common = _common(here.info.server_version, there.info.server_version)
            left, right = await together(
                objects.of_server(here, common=common), objects.of_server(there, common=common)
            )
        self.passwords = left.passwords and right.passwords
        locked = set(locked_roles(self._context))
        opened = (self._context.fact("traffic") or {}).get("open", True)
        return _compared(
            "",
            (source, target),
            _let_in(_comparable(left, self.passwords), set() if opened else locked),
            _let_in(_comparable(right, self.passwords), locked),
        )

    async def _database(self, source: Role, target: Role, database: str) -> list[Unlike]:
        async with (
            self._context.connect(source, database) as here,
            self._context.connect(target, database) as there,
        ):
            stamps = tuple(await together(objects.stamp(here), objects.stamp(there)))
            if (kept := self._seen.get(database)) is not None and kept[0] == stamps:
                return kept[1]
            common = _common(here.info.server_version, there.info.server_version)
            left, right = await together(
                objects.of_database(here, common=common), objects.of_database(there, common=common)
            )
            found = _compared(database, (source, target), left, right)
            if any(each.kind in _CODE for each in found):
                ours, theirs = await together(
                    dependencies.rests_on(here), dependencies.rests_on(there)
                )
                missing = {item.key for item in left} - {item.key for item in right}
                found = _rested(found, ours, theirs, missing)
        self._seen[database] = (stamps, found)
        return found


def _common(*versions: int) -> int:
    return min(versions) // 10000


def _comparable(server: ServerItems, passwords: bool) -> list[Item]:
    return [item for item in server.items if passwords or item.kind != "password"]


def _let_in(items: Iterable[Item], locked: set[str]) -> list[Item]:
    """Return the items as they are once the run has given LOGIN back to whom it took it from."""
    return [
        Item(item.kind, item.names, {**item.made, "LOGIN": True}, item.exact)
        if item.kind == "role" and item.names[0] in locked
        else item
        for item in items
    ]


def _compared(
    database: str, sides: tuple[Role, Role], ours: Sequence[Item], theirs: Sequence[Item]
) -> list[Unlike]:
    left, right = ({item.key: item for item in items} for items in (ours, theirs))
    found = []
    for key in sorted(left.keys() | right.keys(), key=_order):
        here, there = left.get(key), right.get(key)
        if here and there and here.made == there.made:
            continue
        made = (here.made if here else None, there.made if there else None)
        exact = all(item.exact for item in (here, there) if item)
        if _of_its_own(key, left, right):
            owner = left.get(("owner", (key[0], *key[1])))
            owned = str(owner.made["owner"]) if owner else ""
            found.append(Unlike(database, *key, *sides, *made, exact, owned))
    return _renamed(found)


_CODE = ("routine", "view", "materialized view")

_FIRST = (
    *("role", "password", "membership", "setting", "limit", *_CODE, "index", "statistics", "rule"),
    *("trigger", "partition trigger", "policy", "row security", "owner", "default", "grant"),
)
"""The order in which they are told, and repaired: what others need comes first."""


def _order(key: Key) -> tuple[int, Key]:
    return (_FIRST.index(key[0]) if key[0] in _FIRST else len(_FIRST)), key


def _rested(
    found: Sequence[Unlike], ours: Rests, theirs: Rests, missing: Collection[Key]
) -> list[Unlike]:
    """Return them with each function and view after those that it rests on.

    `missing` are the items that only the source has.
    """
    code = {(each.kind, each.names): each for each in found if each.kind in _CODE}
    rests = {**theirs, **{key: ours[key] for key in ours if key not in code or code[key].here}}
    rested = [
        replace(code[key], waits=any(each in missing for each in below(key, rests)[:-1]))
        for key in in_order(code, rests)
    ]
    first = [each for each in found if _order((each.kind, each.names))[0] < _FIRST.index(_CODE[0])]
    return [*first, *rested, *found[len(first) + len(rested) :]]


def _renamed(found: Sequence[Unlike]) -> list[Unlike]:
    """Return them with an index that only has another name on the target as one, not as two."""
    spare = {
        (each.names[:2], around_name(each.names[2], each.there["definition"])): each
        for each in reversed(found)
        if each.kind == "index" and each.there is not None and each.here is None
    }
    one, gone = {}, set()
    for each in found:
        if each.kind == "index" and each.here is not None and each.there is None:
            made = (each.names[:2], around_name(each.names[2], each.here["definition"]))
            if (other := spare.pop(made, None)) is not None and other.there is not None:
                one[each.key] = replace(each, there={**other.there, "name": other.names[2]})
                gone.add(other.key)
    return [one.get(each.key, each) for each in found if each.key not in gone]


def _of_its_own(key: Key, left: Mapping[Key, Item], right: Mapping[Key, Item]) -> bool:
    """Return whether it is not told by what it belongs to, which one side lacks as a whole."""
    kind, names = key
    if kind == "password":
        # Of a role that one side lacks, the role is told.
        return all(("role", names) in side for side in (left, right))
    if kind == "membership":
        member = ("role", names[1:])
        return (member in left) == (member in right) or member in left
    if kind == "owner":
        return key in left and key in right
    if kind in _OF_TABLES:
        parents: list[Key] = [("owner", (word, *names[:2])) for word in _RELATIONS]
    elif kind == "limit":
        parents = [("owner", ("database", *names))]
    elif kind == "setting" and names[1]:
        parents = [("owner", ("database", names[1]))]
    elif kind == "grant" and names[0] == "column":
        parents = [("owner", (word, *names[1:3])) for word in _RELATIONS]
    elif kind == "grant":
        parents = [("owner", names[:-1])]
    else:
        return True
    there = [any(parent in side for parent in parents) for side in (left, right)]
    # What belongs to the server or to an extension has no owner here, on neither side.
    return there[0] == there[1]
