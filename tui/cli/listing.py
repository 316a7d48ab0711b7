"""The runs of a workspace, and one of them, as text and as JSON."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runbook.aws import Aws
from runbook.base.context import RunContext
from runbook.base.downtime import downtime
from runbook.base.variants import name
from runbook.preflight import plans
from runbook.protection import dashboard as boards
from runbook.protection import verdicts
from runbook.protection.dashboard import Dashboard
from runbook.protection.urgent import Urgent, of_run, urgent
from runbook.run import checklist as checklists
from runbook.run.checklist import Checklist, Line
from runbook.watch.position import position, rollback_path
from state.home import journal_path
from state.journal import Journal
from state.journal_files import touched
from state.records import Handover, Holder, RunSummary
from state.remains import FACT, Remains, kept, words
from tui.cli.workspace import lab_gone, list_runs, read_journal
from tui.text import ago, as_seen, clean, elapsed

PROTECTED = {True: "yes", False: "no", None: "?"}


def _summaries() -> list[RunSummary]:
    warn_if_touched()
    return list_runs()


def warn_if_touched() -> None:
    """Say on standard error that what is shown may not be what was written."""
    if touched(journal_path()):
        click.echo(
            f"! {journal_path()} is not as blueprime left it: bytes in it have changed since, and "
            "what is shown from it may be untrue. See: blueprime journal check",
            err=True,
        )


def runs_json() -> list[dict[str, Any]]:
    """Return the runs as scripts rely on them, newest first."""
    return [
        {
            "run": row.run,
            "cluster": row.cluster,
            "track": row.track.value,
            "variant": row.variant,
            "step": row.step,
            "status": row.status.value,
            "protected": row.protected,
            "protected_seen": {
                "protected": row.last_protected,
                "at": None
                if row.protection_seen_at is None
                else row.protection_seen_at.isoformat(),
            },
            "started_at": row.started_at.isoformat(),
            "environment": row.environment.value,
            "result": None if row.result is None else row.result.value,
            "open": row.open,
            "slots_held": row.slots_held,
            "handed_over": handed_over(row.away),
            "urgent": [
                {"word": each.word, "text": each.text, "at": each.at and each.at.isoformat()}
                for each in _urgent(row)
            ],
        }
        for row in _summaries()
    ]


def handed_over(away: Handover | None) -> dict[str, Any] | None:
    """Return to whom a run was handed over, when and by whom, or None."""
    if away is None:
        return None
    return {
        "to": away.peer,
        "at": away.at.isoformat(),
        "who": away.who,
        "host": away.host,
        "fingerprint": away.fingerprint,
    }


def held(holder: Holder | None) -> dict[str, Any] | None:
    """Return whose process holds the journal, and since when, or None."""
    if holder is None:
        return None
    return {
        "host": holder.host,
        "pid": holder.pid,
        "user": holder.user,
        "since": holder.since.isoformat(),
    }


def runs_text() -> str:
    """Return the runs as a table, with a warning for slots that an open run holds."""
    rows = _summaries()
    if not rows:
        return (
            "No runs yet. Begin with: blueprime rehearse, or: blueprime plan CLUSTER. "
            "If there was a run and its journal is lost: blueprime adopt CLUSTER\n"
        )
    table = Table(box=None, pad_edge=False)
    for heading in ("run", "cluster", "track", "step", "status", "protected", "started", "where"):
        table.add_column(heading)
    for row in rows:
        table.add_row(
            row.run,
            Text(clean(row.cluster)),
            name(row.track, row.variant),
            row.step,
            _status(row),
            _protected(row),
            f"{row.started_at.astimezone():%Y-%m-%d %H:%M}",
            row.environment.value,
        )
    warnings = [
        f"! run {row.run} of {clean(row.cluster)} is open and its slots keep WAL: end it or go on"
        for row in rows
        if row.open and row.slots_held and row.away is None and not lab_gone(row)
    ]
    warnings += [f"! run {row.run} was {clean(row.away.words)}" for row in rows if row.away]
    warnings += [f"! run {row.run}: {_as_seen(each)}" for row in rows for each in _urgent(row)]
    return _printed(table) + "".join(f"{warning}\n" for warning in warnings)


def _protected(row: RunSummary) -> str:
    """Return whether it is protected; what was seen last, and when, where nobody watches now."""
    if not row.open or lab_gone(row):
        return "-"
    if found := _urgent(row):
        return found[0].word
    if row.protected is not None or row.protection_seen_at is None:
        return PROTECTED[row.protected]
    seen_s = elapsed(row.protection_seen_at, datetime.now(UTC))
    return f"as seen {ago(seen_s)}: {PROTECTED[row.last_protected]}"


def _urgent(row: RunSummary) -> tuple[Urgent, ...]:
    found = of_run(row)
    return () if found and lab_gone(row) else found


def _as_seen(found: Urgent) -> str:
    return f"{found.word}, {as_seen(found.at, datetime.now(UTC))}: {clean(found.text)}"


def _status(row: RunSummary) -> str:
    if row.away:
        return "handed over"
    if row.open and lab_gone(row):
        return "lab gone"
    return row.status.value if row.open else f"ended: {row.result.value if row.result else '?'}"


def _printed(table: Table) -> str:
    plain = io.StringIO()
    Console(width=120, file=plain).print(table)
    return plain.getvalue()


@dataclass(frozen=True, slots=True)
class _Shown:
    """Where a run stands, as the journal tells it."""

    listed: Checklist
    back: str
    """The sentence on the way back."""
    dashboard: Dashboard | None
    """The last figures that were put up, with the verdict as it stands now."""
    holder: Holder | None
    """Whose process writes this journal now."""
    remains: Remains | None
    """What still exists because of the run, as its end has seen it."""

    def ends(self) -> list[str]:
        """Return what is said last: the way back, the verdict, and whether anybody watches."""
        return [*_way_and_protection(self), *_watched(self)]


def _read(run: str) -> _Shown:
    warn_if_touched()
    with read_journal() as journal:
        listed = checklists.read(journal, run)
        context = _context(journal, listed)
        holder = journal.holder()
        dashboard = verdicts.board_as_seen(context, watched=holder is not None)
        return _Shown(
            listed,
            way_back_of(journal, listed),
            dashboard,
            holder,
            kept(journal.fact(listed.run.id, FACT)),
        )


def _context(journal: Journal, listed: Checklist) -> RunContext:
    plan = plans.of_run(journal, listed.run)
    return RunContext(
        run=listed.run.id, plan=plan, journal=journal, aws=Aws(plan.cluster.region, plan.aws.access)
    )


def way_back_of(journal: Journal, listed: Checklist) -> str:
    """Return the sentence on the way back from where a run stands."""
    context = _context(journal, listed)
    return rollback_path(context, position(context, journal), fresh=False)


def show_json(run: str) -> dict[str, Any]:
    """Return where a run stands."""
    shown = _read(run)
    listed, back = shown.listed, shown.back
    following = listed.next
    return {
        "run": listed.run.id,
        "cluster": listed.run.cluster,
        "environment": listed.run.environment.value,
        "open": listed.run.open,
        "result": None if listed.run.result is None else listed.run.result.value,
        "handed_over": handed_over(listed.run.away),
        "holder": held(shown.holder),
        "way_back": back,
        "remains": None if shown.remains is None else shown.remains.as_json(),
        "next": None if following is None else following.step,
        "tracks": [
            {
                "track": section.entry.track.value,
                "variant": section.entry.variant,
                "steps": [
                    {
                        "step": line.step,
                        "status": line.status.value,
                        "seconds": line.seconds,
                        "attempts": line.attempts,
                        "message": line.attempt.message if line.attempt else "",
                        "warnings": list(line.warnings),
                        "goes_on": line.lasts,
                    }
                    for line in section.lines
                ],
            }
            for section in listed.sections
        ],
        "board": None if shown.dashboard is None else shown.dashboard.as_json(),
    }


def stands(run: str) -> dict[str, Any]:
    """Return where a run stands for its report: the way back, the verdict, and what is true now."""
    shown = _read(run)
    found = None if shown.dashboard is None else shown.dashboard.as_json()["protection"]
    words = [line.split(": ", 1) for line in shown.ends()]
    return {"way_back": shown.back, "protection": found, "now": _now(shown), "words": words}


def _now(shown: _Shown) -> str:
    """Return what is true of an open run in a few words, as of when; empty of one that is over."""
    run, dashboard = shown.listed.run, shown.dashboard
    if not run.open or run.away is not None:
        return "handed over" if run.open else ""
    if dashboard is None:
        return "nothing was looked at yet"
    if found := urgent(dashboard):
        return f"{found[0].word}{_at(found[0].at)}"
    verdict = dashboard.protection
    if verdict.before_at is None:
        return f"{verdict.word}{_at(verdict.at)}"
    before = replace(verdict, protected=verdict.before)
    return f"{verdict.word} now, {before.word}{_at(verdict.before_at)}"


def _at(moment: datetime | None) -> str:
    return "" if moment is None else f" as seen at {moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _at_once(run: str) -> list[str]:
    """Return what must be known first: whether applications are down, and whether it runs on."""
    lines = []
    with read_journal() as journal:
        record = journal.run(run)
        down = downtime(journal, record.id)
        if record.open and down.started_at is not None and down.ended_at is None:
            lines.append(f"APPLICATIONS DOWN since {down.started_at.astimezone():%H:%M:%S}")
        if record.open and down.asked_at is not None:
            lines.append(f"APPLICATIONS MAY BE DOWN since {down.asked_at.astimezone():%H:%M:%S}")
        live = journal.live(record.id)
        dashboard = boards.Dashboard() if live is None else boards.from_json(live)
        lines += [_as_seen(each) for each in urgent(dashboard) if record.open]
        at_work = any(attempt.ended_at is None for attempt in journal.attempts(record.id))
        if at_work and journal.holder() is None:
            lines.append(
                "The process that ran it has ended; what it left is looked at by: "
                f"blueprime resume {record.id}"
            )
    return lines


def show_text(run: str) -> str:
    """Return where a run stands, for a person."""
    shown = _read(run)
    listed = shown.listed
    lines = [f"run {listed.run.id}  {clean(listed.run.cluster)}  {listed.run.environment.value}"]
    if listed.run.away:
        lines.append(f"{clean(listed.run.away.words)}: this is what was known here then")
    for section in listed.sections:
        entry = section.entry
        called = name(entry.track, entry.variant)
        lines.append(called if entry.variant in ("", called) else f"{called} {entry.variant}")
        for line in section.lines:
            lines.append(f"  {_word(line):<10} {line.step:<24} {_time(line)}".rstrip())
            if line.attempt is not None and line.attempt.message and not line.status.done:
                lines += [f"    {clean(each)}" for each in line.attempt.message.splitlines()]
            lines += [f"    ! {clean(each)}" for each in line.warnings]
    if shown.dashboard is not None and shown.dashboard.to_do and listed.run.open:
        seen = shown.dashboard.protection.before_at
        when = f", as seen {ago(elapsed(seen, datetime.now(UTC)))}" if seen else " NOW"
        lines.append(f"TO DO{when}: {clean(shown.dashboard.to_do)}")
    lines += _at_once(run)
    left = [] if shown.remains is None else [clean(line) for line in words(shown.remains)]
    return "\n".join([*lines, *shown.ends(), *left]) + "\n"


def _word(line: Line) -> str:
    """Return how a step stands; of what lasts, that it has begun and goes on."""
    return "goes on" if line.lasts else line.status.value


def _time(line: Line) -> str:
    if line.lasts and line.attempt is not None:
        return f"since {line.attempt.started_at.astimezone():%Y-%m-%d %H:%M:%S}"
    return "" if line.seconds is None else f"{line.seconds:.1f}s"


def _way_and_protection(shown: _Shown) -> list[str]:
    """Return the way back and the verdict, each as of when it was seen where nobody watches now."""
    if shown.dashboard is None:
        return [f"way back from here: {shown.back}"]
    found = shown.dashboard.protection
    words = clean(found.text)
    if found.before_at is None or not shown.listed.run.open:
        lines = [f"way back from here: {shown.back}"]
        if shown.listed.run.open:
            lines.append(f"protected: {PROTECTED[found.protected]} ({words})")
        return lines
    age = ago(elapsed(found.before_at, datetime.now(UTC)))
    return [
        f"way back as last known, {age}: {shown.back}",
        f"protected: not known now; as seen {found.before_at.astimezone():%Y-%m-%d %H:%M:%S} "
        f"({age}): {PROTECTED[found.before]} ({words})",
    ]


def _watched(shown: _Shown) -> list[str]:
    """Return whether a process watches the run, and how one begins to."""
    run, holder = shown.listed.run, shown.holder
    if not run.open or run.away:
        return []
    if holder is not None:
        by = f"{clean(holder.user)} on {clean(holder.host)} (pid {holder.pid})"
        return [f"held by: {by} since {holder.since.astimezone():%Y-%m-%d %H:%M:%S}"]
    if lab_gone(run):
        return ["held by: nobody; the lab of this rehearsal is gone, and its clusters with it"]
    return [
        "held by: nobody, so nobody watches the run; to watch it again, and perform nothing by "
        f"itself: blueprime resume {run.id}"
    ]
