"""Every answer of the lab, held against botocore's own model of it.

An answer with a member that the model does not have, a status outside an enum or a text in place
of a date would be parsed by a client all the same, and a rehearsal would prove what AWS never says.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from rehearsal.aws.api_request import ApiRequest
from rehearsal.aws.constraints import broken
from rehearsal.aws.wire_values import ABSENT, JsonReader, XmlReader, local, xml_root

_log = logging.getLogger(__name__)

MISSHAPEN = "An answer breaks AWS's model"
HELD = "answers were held against AWS's model"
"""What the lines in the lab's log say."""

_COMMON_ERRORS = frozenset({
    "AccessDenied", "AccessDeniedException", "AuthFailure", "ExpiredToken", "ExpiredTokenException",
    "InternalFailure", "InvalidAction", "InvalidClientTokenId", "InvalidInput",
    "InvalidParameterCombination", "InvalidParameterValue", "MissingParameter",
    "ServiceUnavailable", "Throttling", "UnauthorizedOperation", "UnrecognizedClientException",
    "ValidationError", "ValidationException",
})  # fmt: skip
"""What any service may answer and no model lists.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/CommonErrors.html
"""


_LEFT_OUT = {"ListHostedZones": ["Marker"]}
"""What moto leaves out of an answer's first page, though the model requires it."""


class AnswerLog:
    """Counts the answers of one lab, and keeps what of them breaks the model."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._checked: Counter[str] = Counter()
        self._misshapen: list[str] = []

    def hold(self, request: ApiRequest, status: int, body: bytes) -> None:
        """Hold an answer, as it goes over the wire, against the model."""
        try:
            found = _refused(request, body) if status >= 400 else _answered(request, body)
        except (ElementTree.ParseError, ValueError) as error:
            found = [f"it cannot be read: {error}"]
        name = f"{request.service}:{request.action}"
        with self._lock:
            self._checked[name] += 1
        for words in found:
            self.note(name, words)

    def hold_result(self, service: str, operation: Any, result: Mapping[str, Any]) -> None:
        """Hold a result against the model before it is serialized, which drops what is unknown."""
        reader = JsonReader(native=True)
        if operation.output_shape is not None:
            reader.read(operation.output_shape, result, "")
        elif result:
            reader.found.append(f"the action answers nothing, not {sorted(result)}")
        for words in reader.found:
            self.note(f"{service}:{operation.name}", words)

    def note(self, name: str, words: str) -> None:
        """Keep what breaks the model, and write it to the lab's log."""
        _log.error("%s: %s: %s", MISSHAPEN, name, words)
        with self._lock:
            self._misshapen.append(f"{name}: {words}")

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._checked.clear()
            self._misshapen.clear()

    def told(self) -> dict[str, Any]:
        """Return the number of answers by action, and what of them broke the model."""
        with self._lock:
            return {"checked": dict(self._checked), "misshapen": list(self._misshapen)}


def _answered(request: ApiRequest, body: bytes) -> list[str]:
    shape = request.operation.output_shape
    if shape is None or not shape.members:
        return []
    if request.protocol == "json":
        reader = JsonReader()
        value = reader.read(shape, json.loads(body or b"{}"), "")
        return [*reader.found, *broken(shape, value, sizes=False)]
    root = xml_root(body)
    children = [child for child in root if local(child) not in ("ResponseMetadata", "requestId")]
    if wrapper := shape.serialization.get("resultWrapper"):
        inner = next((child for child in children if local(child) == wrapper), None)
        if inner is None:
            return [f"there is no {wrapper}"]
        children = list(inner)
    xml = XmlReader()
    value = xml.structure(shape, children, "")
    absent = [*_elsewhere(shape), *_LEFT_OUT.get(request.action, ())]
    return [
        *xml.found,
        *broken(shape, {**dict.fromkeys(absent, ABSENT), **value}, sizes=False),
    ]


def _elsewhere(shape: Any) -> list[str]:
    """Return the members of an answer that travel in its headers."""
    return [name for name, member in shape.members.items() if "location" in member.serialization]


def _refused(request: ApiRequest, body: bytes) -> list[str]:
    if request.protocol == "json":
        kind = json.loads(body or b"{}").get("__type")
        code = str(kind or "").rpartition("#")[2]
    else:
        elements = xml_root(body).iter()
        code = next((each.text or "" for each in elements if local(each) == "Code"), "")
    known = {shape.error_code for shape in request.operation.error_shapes}
    if code in known or code in _COMMON_ERRORS:
        return []
    return [f"the action has no error {code or 'without a code'}"]
