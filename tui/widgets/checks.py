"""The last preflight of a step: how many checks passed, and each that did not, with its remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from textual.content import Content

from runbook.procedure.steps.shared.checks import FACT, RESULT
from state.records import Evidence
from tui import glyphs, text
from tui.widgets.pane import hanging, heading, indented, line

Row = Mapping[str, Any]


def shown(evidence: Sequence[Evidence], cells: int) -> Iterable[Content]:
    """Draw the last preflight among what a step saw; nothing where there was none."""
    kept = [seen.value for seen in evidence if seen.key == FACT]
    if not kept:
        return
    rows: list[Row] = kept[-1]
    counts = Counter(row["level"] for row in rows)
    words = [
        f"{counts[level]} {mark.word}" for level, mark in glyphs.CHECK.items() if counts[level]
    ]
    yield from heading("Checks", " · ".join(words))
    for level, mark in glyphs.CHECK.items():
        if level == "pass":
            continue
        for row in sorted(rows, key=lambda row: bool(row.get("accepted"))):
            if row["level"] == level:
                yield from _result(row, mark, cells)


def others(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Return what a step saw but the results, which `shown` draws."""
    return [seen for seen in evidence if seen.key != RESULT]


def _result(row: Row, mark: glyphs.Sign, cells: int) -> Iterable[Content]:
    said = f"{mark.word} {text.clean(row['subject'])}: {text.clean(row['text'])}"
    yield from hanging(line("  ", (mark.glyph, mark.style), " "), said, cells)
    accepted, remedy = row.get("accepted", ""), row.get("remedy", "")
    if accepted:
        words, style = text.clean(accepted), "$foreground-muted"
    elif remedy:
        words, style = f"do: {text.clean(remedy)}", "$text-accent"
    else:
        return
    yield from indented(words, cells, style, by=4)
