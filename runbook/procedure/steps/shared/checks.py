"""The preflight within a run: its results as evidence, what changed since, and what a person knows.

It runs before anything is made and once more right before the pivot; weeks may lie between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

from runbook import preflight
from runbook.amounts import counted
from runbook.base.context import RunContext
from runbook.base.step import Gate, Watch
from runbook.failures import Refused
from runbook.preflight import Level, Result
from runbook.preflight.acceptance import unused, way_through
from runbook.preflight.result import grouped
from state.records import Json

FACT = "preflight"
"""Every result of the last preflight."""

RESULT = "preflight.result"
"""One result that did not pass, in words."""

CHANGED = "preflight.changed"
"""What is new, gone or another one since the preflight before."""

ACCEPTED = "preflight.accepted"
"""The warnings that a person has accepted in this run, by name."""

_ORDER = (Level.BLOCK, Level.UNKNOWN, Level.WARN)
_ASKED = 10
"""So many warnings of one check stand in the question whether to accept them."""

_NAMED = 5
"""So many results are named in a sentence."""


async def check(context: RunContext, watch: Watch) -> None:
    """Run the preflight, keep every result, and refuse on a block or an unknown.

    Warnings that neither the plan nor a person has acknowledged in this run are asked for.

    Raises `Refused`.
    """
    before = context.fact(FACT)
    results = await preflight.run(context, progress=lambda text: watch.progress(text))
    watch.evidence(by_level(results), key=FACT, value=[result.as_json() for result in results])
    for result in in_order(results):
        watch.evidence(words(result), key=RESULT)
    for waiver in unused(results, context.plan):
        watch.evidence(f"the waiver of {waiver.check}: {waiver.subject} matches no result: drop it")
    if before is not None:
        _tell_changes(before, results, watch)
    if stopping := [result for result in in_order(results) if result.stops]:
        raise Refused(
            f"{len(stopping)} of {len(results)} checks do not let the upgrade begin: "
            + _list(f"{result.subject}: {result.text}" for result in stopping),
            todo=f"First: {stopping[0].remedy} Then run the step again.",
        )
    await _ask(context, watch, results)


def by_level(results: Iterable[Result]) -> str:
    """Return how many results there are of each level."""
    counts = Counter(result.level for result in results)
    return (
        f"{counts[Level.PASS]} ok, {counts[Level.WARN]} warn, {counts[Level.BLOCK]} block, "
        f"{counts[Level.UNKNOWN]} unknown"
    )


def in_order(results: Iterable[Result]) -> list[Result]:
    """Return what did not pass, the gravest first."""
    found = [result for result in results if result.level in _ORDER]
    return sorted(found, key=lambda result: (bool(result.accepted), _ORDER.index(result.level)))


def words(result: Result) -> str:
    """Return a result that did not pass, on lines: what, how it is let through, and the remedy."""
    lines = [f"{result.level.value}: {result.subject}: {result.text}"]
    if result.accepted:
        lines.append(f"  {result.accepted} ({result.key})")
    elif result.remedy:
        lines.append(f"  do: {result.remedy}")
    if through := way_through(result):
        lines.append(f"  or {through}")
    return "\n".join(lines)


def changes(before: Sequence[Mapping[str, Json]], results: Iterable[Result]) -> dict[str, Json]:
    """Return what did not pass and is new, gone or said otherwise, against an earlier preflight."""
    then = {f"{row['key']}:{row['subject']}": row for row in before if row["level"] != "pass"}
    now = {result.name: result.as_json() for result in results if result.level is not Level.PASS}
    return {
        "new": [row for name, row in now.items() if name not in then],
        "gone": [row for name, row in then.items() if name not in now],
        "changed": [
            {"then": then[name], "now": row}
            for name, row in now.items()
            if name in then and _said(then[name]) != _said(row)
        ],
    }


def _said(row: Mapping[str, Json]) -> tuple[Json, ...]:
    return (row["level"], row["text"], row.get("accepted", ""))


def _tell_changes(
    before: Sequence[Mapping[str, Json]], results: Iterable[Result], watch: Watch
) -> None:
    found = changes(before, results)
    counts = ", ".join(f"{len(rows)} {kind}" for kind, rows in found.items())
    watch.evidence(f"since the last preflight: {counts}", key=CHANGED, value=found)
    for row in found["new"]:
        watch.evidence(f"new: {row['level']}: {row['subject']}: {row['text']}")
    for row in found["gone"]:
        watch.evidence(f"gone: {row['level']}: {row['subject']}: {row['text']}")
    for pair in found["changed"]:
        was, is_now = pair["then"], pair["now"]
        watch.evidence(
            f"changed: {is_now['subject']}: {was['level']}: {was['text']} -> "
            f"{is_now['level']}: {is_now['text']}"
        )


async def _ask(context: RunContext, watch: Watch, results: Sequence[Result]) -> None:
    """Have a person accept the warnings that are new to this run, or refuse."""
    known = set(context.fact(ACCEPTED) or ())
    asking = [result for result in results if result.asks and result.name not in known]
    if not asking:
        return
    names = sorted(known | {result.name for result in asking})
    gate = Gate(
        key=f"accept-warnings/{sha256(' '.join(names).encode()).hexdigest()[:8]}",
        question="\n".join(
            [
                f"Accept {counted(len(asking), 'warning')} of the preflight:",
                *_bullets(asking),
            ]
        ),
        reversible="Nothing is changed by it. The plan's acknowledge accepts them for good.",
        yes="Accept",
    )
    if not await watch.passes(gate):
        raise Refused(
            f"{counted(len(asking), 'warning was', 'warnings were')} not accepted: "
            + _list(f"{result.subject}: {result.text}" for result in asking),
            todo="Fix them, or add them to acknowledge in the plan (e.g. "
            f'"{asking[0].name}"); then run the step again.',
        )
    watch.evidence(
        f"{counted(len(asking), 'warning was', 'warnings were')} accepted: "
        f"{_list(result.name for result in asking)}",
        key=ACCEPTED,
        value=names,
    )


def _bullets(results: Sequence[Result]) -> Iterator[str]:
    """Yield a line for each result, and for many of one check how many more there are."""
    for group in grouped(results):
        for result in group[:_ASKED]:
            yield f"· {result.subject}: {result.text}"
        if len(group) > _ASKED:
            yield f"· and {len(group) - _ASKED} more of {group[0].key}, each in the evidence"


def _list(items: Iterable[str]) -> str:
    found = list(items)
    return "; ".join(found[:_NAMED]) + ("; …" if len(found) > _NAMED else "")
