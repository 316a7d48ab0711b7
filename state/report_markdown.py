"""The report as Markdown, to be read at the post-mortem."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from state.rebasing import ADOPT
from state.remains import FACT, PRICES, kept
from state.times import from_text, to_text

_TOLD_ELSEWHERE = {"attempt", "effect", "evidence", "decision", "wait"}
"""Kinds of events that the other chapters tell, or that are only a wait's heartbeat."""

_VISIBLE_CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}


def markdown(report: dict[str, Any]) -> str:
    """Return the report's JSON object as a Markdown page."""
    lines = [
        *_head(report),
        *_open_questions(_present(report["tracks"])),
        *_warnings(report["warnings"]),
        *_remains(report["facts"].get(FACT)),
        *_timeline(report["tracks"]),
        *_handovers(report["handovers"]),
        *_decisions(report["decisions"], report["declined"]),
        *_changes(report["tracks"]),
        *_evidence(report["evidence"]),
        *_showed(report.get("showed", ())),
        *_measured(report["samples"]),
        *_events(report["events"]),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _present(tracks: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Return the stays since the run was last read anew from the clusters."""
    begins = [place for place, track in enumerate(tracks) if track["from_step"] == ADOPT]
    return tracks[begins[-1] :] if begins else tracks


def _head(report: dict[str, Any]) -> Iterator[str]:
    run = report["run"]
    result = _result(run)
    now = str(report["stands"]["now"]) if "stands" in report else ""
    title = f"open: {_plain(now)}" if now else result
    yield f"# Run {_plain(run['id'])}: {_plain(run['cluster'])}, {title}"
    yield ""
    if run["environment"] == "rehearsal":
        yield "**A rehearsal**: no cluster of AWS was touched."
        yield ""
    ended = _moment(run["closed_at"]) if run["closed_at"] else "open"
    if run["handed_over"]:
        words = _plain(report["handovers"][-1]["words"])
        yield f"**{words.capitalize()}**: what it did since then is told there."
        yield ""
    yield from _table(
        ("", ""),
        [
            ("cluster", f"{_plain(run['cluster'])} ({_plain(run['cluster_resource_id'])})"),
            ("where", f"{_plain(run['region'])}, account {_plain(run['account'])}"),
            ("started", _moment(run["started_at"])),
            ("ended", ended),
            ("result", result),
            *_downtimes(report),
            *_forced(report["forced"]),
            *((_plain(label), _plain(words)) for label, words in _stands(report)),
            ("plan", _plain(run["plan_path"])),
        ],
    )
    yield "Times are UTC."
    yield ""


def _result(run: dict[str, Any]) -> str:
    """Return how a run ended; of an open one where it rested last, which it may not do any more."""
    result = str(run["result"] or "").replace("_", " ")
    if run["closed_at"]:
        return result
    return f"open, last at rest as {result}" if result else "under way"


def _stands(report: dict[str, Any]) -> Sequence[Sequence[str]]:
    return report["stands"]["words"] if "stands" in report else ()


def _forced(forced: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield what was given up by force: nobody should have to look for it among the events."""
    for each in forced:
        at, lost = _moment(each["at"]), _plain(str(each["lost"]))
        if each["taken"]:
            who = _plain(str(each["cluster"]))
            yield "FORCED WAY", f"taken, as assessed at {at}; {who} was given up: {lost}"
        else:
            yield "forced way", f"decided at {at}, and not taken to its end; at stake: {lost}"


def _downtimes(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every downtime by its phase; of one that came to none, that it was not recorded."""
    for phase, latest in report["downtime"].items():
        all_of_it = [each for each in report["outages"] if each["phase"] == phase]
        for each in all_of_it or [latest]:
            yield f"downtime, {phase}", _downtime(each)


def _downtime(value: Any) -> str:
    if not isinstance(value, dict):
        return "not recorded"
    seconds, began, ended = (value.get(name) for name in ("seconds", "started_at", "ended_at"))
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return f"unknown, began {_moment(began)}" if isinstance(began, str) else "unknown"
    took = f"{'at least ' if value.get('at_least') else ''}{_took(seconds)}"
    if not isinstance(began, str) or not isinstance(ended, str):
        return took
    return f"{took} ({_moment(began)} to {_clock(ended)})"


def _open_questions(tracks: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Name first what is not known: it is never shown as good.

    What a later attempt found out about the same effect is known.
    """
    questions = []
    last = {
        effect["key"]: effect["intent_at"]
        for attempt in _attempts(tracks)
        for effect in attempt["effects"]
    }
    for attempt in _attempts(tracks):
        where = f"{_plain(attempt['step'])}, attempt {attempt['number']}"
        questions += [
            f"- {where}: whether “{_plain(effect['title'])}” happened."
            for effect in attempt["effects"]
            if effect["outcome"] in (None, "unknown") and effect["intent_at"] == last[effect["key"]]
        ]
        if attempt["status"] == "unknown" and not attempt["effects"]:
            questions.append(f"- {where}: how it ended.")
    if questions:
        yield from ("## Not known", "", *questions, "")


def _warnings(warnings: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Say what steps that are done did not do."""
    if warnings:
        told = [f"- {_plain(each['step'])}: {_plain(str(each['value']))}" for each in warnings]
        yield from ("## Done, but", "", *told, "")


def _remains(value: Any) -> Iterator[str]:
    """Yield what goes on costing money, and how it is removed."""
    found = kept(value)
    if found is None:
        return
    rows = [
        (_plain(f"{row.kind} {row.name}"), _plain(row.billed), _plain(row.remove))
        for row in found.found
    ]
    rows += [("**not known**", _plain(each), "") for each in found.unknown]
    title, seen = "What still exists because of this run", to_text(found.at)
    before = (f"As seen at {_moment(seen)}. What a unit costs: <{PRICES}>.", "")
    yield from _chapter(title, ("what", "billed", "removed by"), rows, *before)


def _timeline(tracks: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield from ("## Timeline", "")
    for track in tracks:
        variant = f" ({_plain(track['variant'])})" if track["variant"] else ""
        yield f"### {track['track']}{variant}, from {_moment(track['at'])}"
        yield ""
        if track["from_step"] == ADOPT:
            yield f"Read anew from the clusters: {_plain(track['reason'])}"
            yield "What stands above is what this journal knew before, and is history alone."
            yield ""
        elif track["from_step"] or track["reason"]:
            left = f"Branched at {_plain(track['from_step'])}" if track["from_step"] else "Branched"
            yield f"{left}: {_plain(track['reason'])}" if track["reason"] else f"{left}."
            yield ""
        if not track["attempts"]:
            yield from ("No step was tried.", "")
            continue
        yield from _table(
            ("step", "attempt", "status", "began", "took", "message"),
            [
                (
                    _plain(attempt["step"]),
                    str(attempt["number"]),
                    _status(attempt["status"], attempt["decided"]),
                    _clock(attempt["started_at"]),
                    _took(attempt["seconds"]),
                    _plain(attempt["message"]),
                )
                for attempt in track["attempts"]
            ],
        )


def _handovers(handovers: Sequence[dict[str, Any]]) -> Iterator[str]:
    return _chapter(
        "Handovers",
        ("at", "what", "fingerprint of the file"),
        [
            (_moment(each["at"]), _plain(each["words"]), each["fingerprint"][:12])
            for each in handovers
        ],
        "As this machine recorded them.",
        "",
    )


def _decisions(
    decisions: Sequence[dict[str, Any]], declined: Sequence[dict[str, Any]]
) -> Iterator[str]:
    """Tell what was decided at gates, in the order of time: what was typed, or that it was a no."""
    told = [*decisions, *({**each, "typed": "declined"} for each in declined)]
    yield from _chapter(
        "Decisions",
        ("at", "step", "gate", "who", "typed"),
        [
            (
                _moment(decision["at"]),
                *(_plain(decision[member]) for member in ("step", "gate", "who", "typed")),
            )
            for decision in sorted(told, key=lambda each: str(each["at"]))
        ],
    )
    for decision in decisions:
        first, *items = str(decision.get("asked", "")).splitlines() or [""]
        if items:
            # A list of things that were accepted, each by its name.
            yield from (
                f"{_plain(decision['gate'])}, {_moment(decision['at'])}: {_plain(first)}",
                "",
            )
            yield from (f"- {_plain(item.removeprefix('· '))}" for item in items)
            yield ""


def _changes(tracks: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield from ("## Changes", "")
    none = True
    for attempt in _attempts(tracks):
        for effect in attempt["effects"]:
            none = False
            yield from _change(attempt["step"], effect)
    if none:
        yield from ("None: nothing was touched.", "")


def _change(step: str, effect: dict[str, Any]) -> Iterator[str]:
    yield f"**{_plain(effect['title'])}**"
    yield ""
    status = _status(effect["outcome"] or "without outcome", effect["decided"])
    until = f" to {_clock(effect['outcome_at'])}" if effect["outcome_at"] else ""
    yield f"{status}; {_plain(step)}, {_clock(effect['intent_at'])}{until}; {_code(effect['key'])}"
    for member in ("error", "reason"):
        if said := effect["detail"].get(member):
            yield ""
            yield f"{member.capitalize()}: {_plain(str(said))}"
    yield ""
    if effect["preview"]:
        fence = "`" * max(3, 1 + _longest_backticks(effect["preview"]))
        yield from (fence, effect["preview"].translate(_VISIBLE_CONTROLS).rstrip("\n"), fence, "")


def _evidence(evidence: Sequence[dict[str, Any]]) -> Iterator[str]:
    return _chapter(
        "Evidence",
        ("at", "track", "step", "seen"),
        [
            (
                _clock(each["at"]),
                *(_plain(each[member]) for member in ("track", "step", "text")),
            )
            for each in evidence
            if each["text"]
        ],
    )


def _showed(assumptions: Sequence[dict[str, Any]]) -> Iterator[str]:
    return _chapter(
        "What this cluster showed",
        ("assumption", "verdict", "seen", "at"),
        [
            (
                f"{_plain(each['id'])}: {_plain(each['says'])}",
                _plain(each["verdict"]),
                _plain(each["seen"]),
                _moment(each["at"]) if each["at"] else "",
            )
            for each in assumptions
        ],
        "What blueprime takes for true of Aurora, and what this run saw of it (docs/aurora.md).",
        "",
    )


def _measured(samples: Sequence[dict[str, Any]]) -> Iterator[str]:
    rows = []
    for series in samples:
        known = [value for _, value in series["points"] if value is not None]
        rows.append(
            (
                _plain(series["kind"]),
                _plain(series["subject"]),
                f"{max(known):,.1f}" if known else "unknown",
                f"{len(known)}",
                f"{len(series['points']) - len(known)}",
            )
        )
    head = ("what", "of", "highest", "times known", "times unknown")
    return _chapter("Measured", head, rows)


def _events(events: Sequence[dict[str, Any]]) -> Iterator[str]:
    return _chapter(
        "Events",
        ("at", "kind", "event"),
        [
            (_moment(event["at"]), _plain(event["kind"]), _plain(event["text"]))
            for event in events
            if event["kind"] not in _TOLD_ELSEWHERE
        ],
    )


def _attempts(tracks: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for track in tracks:
        yield from track["attempts"]


def _chapter(
    title: str, head: Sequence[str], rows: Sequence[Sequence[str]], *before: str
) -> Iterator[str]:
    """Yield a chapter of one table, with some lines before it; nothing where it has no rows."""
    if rows:
        yield from (f"## {title}", "", *before, *_table(head, rows))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(cells)} |"
    yield ""


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is, in a table's cell too."""
    escaped = re.sub(r"([\\`*|<\[])", r"\\\1", text.translate(_VISIBLE_CONTROLS))
    return re.sub(r"\s*\n\s*", "<br>", escaped.strip())


def _code(text: str) -> str:
    """Return text as code, outside a table."""
    ticks = "`" * (1 + _longest_backticks(text))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{' '.join(text.split())}{pad}{ticks}"


def _longest_backticks(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _status(word: str, decided: str) -> str:
    return f"{word}, decided by {_plain(decided)}" if decided else word


def _moment(at: str) -> str:
    return _formatted(at, "%Y-%m-%d %H:%M:%S")


def _clock(at: str) -> str:
    return _formatted(at, "%H:%M:%S")


def _formatted(at: str, form: str) -> str:
    """Return a time in `form`; as it stands if it is none, which a fact's value may hold."""
    try:
        return from_text(at).strftime(form)
    except ValueError:
        return _plain(at)


def _took(seconds: float | None) -> str:
    """Return e.g. `0.4 s`, `21 s`, `11 min 02 s`, `1 h 05 min`."""
    if seconds is None:
        return "not ended"
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"
