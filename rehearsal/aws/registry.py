"""The table of RDS actions that the lab imitates: name on the wire -> function.

A module of actions registers its functions by decorator; importing `rehearsal.aws.actions` fills
the table. A function gets the control plane and the request's parameters as botocore's model
names them, and returns the answer in the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rehearsal.aws.errors import invalid_value, missing_parameter

if TYPE_CHECKING:
    from rehearsal.aws.control import Control

Shape = dict[str, Any]
Params = Mapping[str, Any]
Action = Callable[["Control", Params], Shape]

ACTIONS: dict[str, Action] = {}

_PAGE = 100
_MOST_TAGS = 50
_SIGNS = "_.:/=+-@"


def action(name: str) -> Callable[[Action], Action]:
    """Register the function as the RDS action `name`."""

    def register(function: Action) -> Action:
        ACTIONS[name] = function
        return function

    return register


def required(params: Params, name: str) -> Any:
    """Return a parameter, or refuse as AWS does when it is missing."""
    if params.get(name) is None:
        raise missing_parameter(name)
    return params[name]


def filters(params: Params, *allowed: str) -> dict[str, list[str]]:
    """Return the request's `Filters` as name -> values; an unknown name is refused."""
    found: dict[str, list[str]] = {}
    for entry in params.get("Filters") or ():
        if entry["Name"] not in allowed:
            raise invalid_value(f"Unrecognized filter name: {entry['Name']}")
        if not entry.get("Values"):
            raise invalid_value(f"Filter {entry['Name']} must have at least one value")
        found[entry["Name"]] = list(entry["Values"])
    return found


def matches(wanted: Mapping[str, list[str]], name: str, *values: str | None) -> bool:
    """Tell whether one of the values passes the filter `name` (absent: everything passes)."""
    return name not in wanted or any(value in wanted[name] for value in values)


def page(params: Params, member: str, rows: Sequence[Shape]) -> Shape:
    """Return one page of rows; `Marker` is present when there are more.

    `MaxRecords` is 20 to 100 on AWS.
    """
    size = params.get("MaxRecords") or _PAGE
    if not 20 <= size <= 100:
        raise invalid_value("Invalid value for max records. Must be between 20 and 100")
    marker = params.get("Marker") or "0"
    if not marker.isdigit():
        raise invalid_value("Invalid marker")
    start = int(marker)
    answer: Shape = {member: list(rows[start : start + size])}
    if start + size < len(rows):
        answer["Marker"] = str(start + size)
    return answer


def tag_map(params: Params) -> dict[str, str]:
    """Return a request's tags as a mapping; what AWS keeps to itself or forbids is refused.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Tagging.html
    """
    tags = {tag["Key"]: tag.get("Value") or "" for tag in params.get("Tags") or ()}
    for key, value in tags.items():
        if key.lower().startswith(("aws:", "rds:")):
            raise invalid_value(f"Tag keys beginning with a reserved prefix are invalid: {key}")
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise invalid_value(f"Tag {key} is too long: 128 characters a key, 256 a value.")
        for text in (key, value):
            if not all(letter.isalnum() or letter.isspace() or letter in _SIGNS for letter in text):
                raise invalid_value(f"Tag {key} has characters that are not allowed: {text}")
    if len(tags) > _MOST_TAGS:
        raise invalid_value(f"A resource can have {_MOST_TAGS} tags at most.")
    return tags


def tag_list(tags: Mapping[str, str]) -> list[Shape]:
    """Return tags as AWS's `TagList`."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
