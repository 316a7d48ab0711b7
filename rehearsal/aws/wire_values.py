"""Values off the wire, read by a botocore shape: query strings, XML and JSON.

moto's own parsers pass over what they do not expect and turn what they can into the wanted type.
Here whatever does not fit the shape is noted, in the words that AWS's services use.

Sources: https://smithy.io/2.0/aws/protocols/aws-query-protocol.html,
https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html,
https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from botocore.model import Shape
from botocore.utils import parse_timestamp

ABSENT = object()
"""What stands for a value that could not be read; it is noted already."""

_WHOLE = re.compile(r"[+-]?[0-9]+")


class Reader(Protocol):
    """Reads one value of a shape; what does not fit is added to `found`."""

    found: list[str]

    def read(self, shape: Any, raw: Any, path: str) -> Any:
        """Return the value as botocore's model names and types it, or `ABSENT`."""


def at(path: str, name: str) -> str:
    """Return the path of a member, as AWS writes it: each name begins with a small letter."""
    small = name[:1].lower() + name[1:]
    return f"{path}.{small}" if path else small


def failed(value: Any, path: str, constraint: str) -> str:
    """Return AWS's words for a value that is not as its shape demands."""
    shown = "" if value is None else f"{value} "[:120].strip()
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: {constraint}"


def unknown(path: str) -> str:
    """Return the words for a member that the shape does not have."""
    return f"Unknown member at '{path}'"


def tree(values: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return a query's `Tags.Tag.1.Key=a` as nested dicts; a text beside members stands at ""."""
    root: dict[str, Any] = {}
    for name, text in values:
        *parents, last = name.split(".")
        node = root
        for parent in parents:
            below = node.setdefault(parent, {})
            node = below if isinstance(below, dict) else node.setdefault(parent, {"": below})
            if not isinstance(below, dict):
                node[""] = below
        node[last] = text
    return root


class TextReader:
    """Reads the scalars of the forms in which everything is text."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def scalar(self, shape: Shape, text: Any, path: str) -> Any:
        """Return a text as the shape's type."""
        if not isinstance(text, str):
            self.found.append(failed("", path, f"Member must be a {shape.type_name}"))
            return ABSENT
        try:
            return _typed(shape.type_name, text)
        except ValueError:
            self.found.append(failed(text, path, f"Member must be a {shape.type_name}"))
            return ABSENT


def _typed(kind: str, text: str) -> Any:
    match kind:
        case "integer" | "long":
            if not _WHOLE.fullmatch(text):
                raise ValueError(text)
            return int(text)
        case "float" | "double":
            return float(text)
        case "boolean":
            if text.lower() not in ("true", "false"):
                raise ValueError(text)
            return text.lower() == "true"
        case "timestamp":
            return parse_timestamp(text)
        case "blob":
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error as error:
                raise ValueError(text) from error
    return text


class QueryReader(TextReader):
    """Reads what `tree` makes of a query; `ec2` names its members in its own way."""

    def __init__(self, *, ec2: bool = False) -> None:
        super().__init__()
        self._ec2 = ec2

    def read(self, shape: Any, raw: Any, path: str) -> Any:
        """Return the value as botocore's model names and types it, or `ABSENT`."""
        match shape.type_name:
            case "structure":
                return self._structure(shape, raw, path)
            case "list":
                return self._list(shape, raw, path)
            case "map":
                return self._map(shape, raw, path)
        return self.scalar(shape, raw, path)

    def _structure(self, shape: Any, raw: Any, path: str) -> Any:
        names = {self._name(member, name): name for name, member in shape.members.items()}
        value = {}
        for key, below in _members(raw).items():
            if key not in names:
                self.found.append(unknown(at(path, key)))
                continue
            name = names[key]
            value[name] = self.read(shape.members[name], below, at(path, name))
        return value

    def _name(self, member: Shape, name: str) -> str:
        serialization: Mapping[str, Any] = member.serialization
        if not self._ec2:
            if member.type_name == "list" and serialization.get("flattened"):
                return str(member.member.serialization.get("name", name))  # type: ignore[attr-defined]
            return str(serialization.get("name", name))
        if "queryName" in serialization:
            return str(serialization["queryName"])
        given = str(serialization.get("name", name))
        return given[0].upper() + given[1:]

    def _list(self, shape: Any, raw: Any, path: str) -> Any:
        if raw == "":
            return []
        if not self._ec2 and not shape.serialization.get("flattened"):
            wrapper = shape.member.serialization.get("name", "member")
            for key in _members(raw):
                if key != wrapper:
                    self.found.append(unknown(f"{path}.{key}"))
            raw = _members(raw).get(wrapper, {})
        return [
            self.read(shape.member, below, f"{path}.{number}.member")
            for number, below in sorted(_members(raw).items(), key=lambda item: item[0].zfill(9))
        ]

    def _map(self, shape: Any, raw: Any, path: str) -> Any:
        entries = raw if shape.serialization.get("flattened") else _members(raw).get("entry", {})
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        return {
            str(entry.get(key_name)): self.read(
                shape.value, entry.get(value_name), f"{path}.{number}.value"
            )
            for number, entry in _members(entries).items()
        }


def _members(raw: Any) -> dict[str, Any]:
    return raw if isinstance(raw, dict) else {"": raw}


class XmlReader(TextReader):
    """Reads XML of the query, EC2 and REST protocols; namespaces are passed over."""

    def read(self, shape: Any, raw: Element, path: str) -> Any:
        """Return the value as botocore's model names and types it, or `ABSENT`."""
        match shape.type_name:
            case "structure":
                return self.structure(shape, list(raw), path)
            case "list":
                return self._list(shape, raw, path)
            case "map":
                return self._map(shape, list(raw), path)
        return self.scalar(shape, raw.text or "", path)

    def structure(self, shape: Any, children: list[Element], path: str) -> Any:
        """Return a structure whose members are these elements."""
        flat, names = {}, {}
        for name, member in shape.members.items():
            if member.type_name == "list" and member.serialization.get("flattened"):
                flat[member.member.serialization.get("name") or _element(member, name)] = name
            else:
                names[_element(member, name)] = name
        value: dict[str, Any] = {}
        for child in children:
            tag = local(child)
            if tag in flat:
                name = flat[tag]
                items = value.setdefault(name, [])
                where = f"{at(path, name)}.{len(items) + 1}.member"
                items.append(self.read(shape.members[name].member, child, where))
            elif tag in names:
                name = names[tag]
                value[name] = self.read(shape.members[name], child, at(path, name))
            else:
                self.found.append(unknown(at(path, tag)))
        return value

    def _list(self, shape: Any, raw: Element, path: str) -> Any:
        wrapper = shape.member.serialization.get("name", "member")
        items = []
        for number, child in enumerate(raw, 1):
            if local(child) == wrapper:
                items.append(self.read(shape.member, child, f"{path}.{number}.member"))
            else:
                self.found.append(unknown(f"{path}.{local(child)}"))
        return items

    def _map(self, shape: Any, entries: list[Element], path: str) -> Any:
        value = {}
        for number, entry in enumerate(entries, 1):
            parts = {local(child): child for child in entry}
            key = parts.get(shape.key.serialization.get("name", "key"))
            below = parts.get(shape.value.serialization.get("name", "value"))
            if key is None or below is None:
                self.found.append(unknown(f"{path}.{number}"))
                continue
            value[key.text or ""] = self.read(shape.value, below, f"{path}.{number}.value")
        return value


def xml_root(body: bytes) -> Element:
    """Return the root of a document; raise `ParseError` where it is none."""
    return ElementTree.fromstring(body)  # noqa: S314 - it comes from a client on this machine


def local(element: Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def _element(member: Shape, name: str) -> str:
    return str(member.serialization.get("name", name))


_NATIVE: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "blob": (str, bytes),
}


class JsonReader:
    """Reads what JSON has made; `native` takes dates as dates, and members by the model's names."""

    def __init__(self, *, native: bool = False) -> None:
        self.found: list[str] = []
        self._native = native

    def read(self, shape: Any, raw: Any, path: str) -> Any:
        """Return the value as botocore's model names and types it, or `ABSENT`."""
        if raw is None:
            return None
        match shape.type_name:
            case "structure" if isinstance(raw, Mapping):
                return self._structure(shape, raw, path)
            case "list" if isinstance(raw, list | tuple):
                return [
                    self.read(shape.member, below, f"{path}.{number}.member")
                    for number, below in enumerate(raw, 1)
                ]
            case "map" if isinstance(raw, Mapping):
                return {key: self.read(shape.value, raw[key], f"{path}.{key}") for key in raw}
        if not self._fits(shape.type_name, raw):
            self.found.append(failed(raw, path, f"Member must be a {shape.type_name}"))
            return ABSENT
        return raw

    def _structure(self, shape: Any, raw: Mapping[str, Any], path: str) -> Any:
        if getattr(shape, "is_document_type", False):
            return raw
        names = {
            name if self._native else member.serialization.get("name", name): name
            for name, member in shape.members.items()
        }
        for key in raw:
            if key not in names:
                self.found.append(unknown(at(path, str(key))))
        return {
            name: self.read(shape.members[name], raw[key], at(path, name))
            for key, name in names.items()
            if key in raw
        }

    def _fits(self, kind: str, raw: Any) -> bool:
        if kind == "timestamp":
            return isinstance(raw, datetime if self._native else int | float)
        if isinstance(raw, bool) and kind != "boolean":
            return False
        return isinstance(raw, _NATIVE.get(kind, ()))
