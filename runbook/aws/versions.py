"""Which Aurora PostgreSQL versions a blue/green deployment takes."""

from __future__ import annotations

_SINCE = {11: 21, 12: 16, 13: 12, 14: 9, 15: 4, 16: 1, 17: 4}
"""Major -> the first minor that the Aurora User Guide lists; later majors are not listed yet."""

OLDEST = 13
"""The oldest major that blueprime takes: it asks the servers for what older ones do not have."""


def numbers(version: str) -> tuple[int, int]:
    """Return major and minor of a version such as `16.14` or `16.4-limitless`."""
    major, _, minor = version.partition(".")
    digits = minor.partition("-")[0].partition(".")[0]
    return int(major), int(digits) if digits.isdigit() else 0


def blue_green_support(version: str) -> bool | None:
    """Tell whether a version can take part in a blue/green deployment; None: not documented.

    No API says it. The guide's list ends at 17; for newer majors AWS's own answer decides.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Concepts.Aurora_Fea_Regions_DB-eng.Feature.BlueGreenDeployments.html
    """
    major, minor = numbers(version)
    if major > max(_SINCE):
        return None
    return major in _SINCE and minor >= _SINCE[major]


def blue_green_since(version: str) -> str:
    """Return the first version of the same major that can, or of the oldest major that can."""
    major, _ = numbers(version)
    return f"{major}.{_SINCE[major]}" if major in _SINCE else f"{min(_SINCE)}.{_SINCE[min(_SINCE)]}"
