"""How an unattended run has ended, or where it rests: taken from a session once, and then told."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from runbook.base.variants import name
from runbook.procedure.tracks import steps_of
from runbook.protection.dashboard import Dashboard
from runbook.run.checklist import Checklist, durations
from runbook.run.session import Session
from state.enums import Result, Status
from state.records import Json, Run
from state.remains import FACT, kept, words
from tui.cli.goals import UnattendedPlan

STOPPED = "stopped"
"""The word for a run that was asked to stop after a step, did, and rests nowhere yet."""

NOT_PROTECTED = "not_protected"
"""The word for a run that rests with the way back held, and the watch does not say it holds."""

NOT_CLOSED = "not_closed"
"""The word for a run whose forced way is at its end, while the cluster that it has given up was not
closed: that one may take writes, and the run is not over before it is closed."""

_FACTS = (
    "production",
    "switchover",
    "downtime.upgrade",
    "downtime.rollback",
    "downtime.forward",
    FACT,
)


@dataclass(frozen=True, slots=True)
class Ending:
    """A run as it stands at one moment."""

    run: Run
    target_version: str
    checklist: Checklist
    dashboard: Dashboard
    way_back: str
    """The way from here and what it loses, in one sentence."""
    rests: Result | None
    """Where the run rests, told by the present stay alone: a rollback that was stopped half-way is
    not `protected`, though the upgrade before it was. None where it is under way."""
    unclosed: bool
    """Whether a forced way is at its end, and what it gave up may still take writes."""
    facts: Mapping[str, Json]

    @classmethod
    def of(cls, session: Session) -> Ending:
        """Return how a session stands now."""
        checklist = session.checklist()
        entry = checklist.current.entry
        steps = {step.key: step for step in steps_of(entry.track, session.plan, entry.variant)}
        lines = checklist.current.lines
        done = [line.step for line in lines if line.status.done and not line.repair]
        resting = bool(done) and steps[done[-1]].rests
        return cls(
            run=session.run,
            target_version=session.plan.upgrade.target_version,
            checklist=checklist,
            dashboard=session.dashboard(),
            way_back=session.way_back(),
            rests=session.result() if resting else None,
            unclosed=bool(session.run.open and resting and session.unclosed()),
            facts={key: value for key in _FACTS if (value := session.fact(key)) is not None},
        )

    def word(self, code: int) -> str:
        """Return how it ended with an exit code, in the words that scripts rely on."""
        if self.rests is Result.PROTECTED and self.dashboard.protection.protected is not True:
            return NOT_PROTECTED
        if code:
            return Result.FAILED.value
        if self.unclosed:
            return NOT_CLOSED
        return STOPPED if self.rests is None else self.rests.value

    @property
    def phases(self) -> list[str]:
        """The names of the phases whose downtime is reported."""
        forward = "downtime.forward" in self.facts
        return ["upgrade", "rollback", *(["forward"] if forward else [])]

    @property
    def switchover_s(self) -> float | None:
        """How long AWS's switchover took as seen from here, in seconds; None if there was none."""
        switchover = self.facts.get("switchover") or {}
        if not switchover.get("called_at"):
            return None
        if switchover.get("seconds") is not None:
            return float(switchover["seconds"])
        called = datetime.fromisoformat(switchover["called_at"])
        return (datetime.fromisoformat(switchover["completed_at"]) - called).total_seconds()

    @property
    def warnings(self) -> list[dict[str, Json]]:
        """What steps that are done did not do, as far as it stands."""
        return [
            {"track": line.track.value, "step": line.step, "text": text}
            for section in self.checklist.sections
            for line in section.lines
            for text in line.warnings
        ]

    def summary(self, code: int, course: UnattendedPlan) -> dict[str, Json]:
        """Return the object that ends an unattended run, less the ledger's verdict."""
        upgrade_s = (self.facts.get("downtime.upgrade") or {}).get("seconds")
        switchover_s = self.switchover_s
        added = None if upgrade_s is None or switchover_s is None else upgrade_s - switchover_s
        return {
            "run": self.run.id,
            "result": self.word(code),
            "engine": {
                "from": (self.facts.get("production") or {}).get("version"),
                "to": self.target_version,
            },
            "switchover_s": _rounded(switchover_s),
            "added_downtime_s": _rounded(added),
            "downtime_s": {
                phase: _rounded((self.facts.get(f"downtime.{phase}") or {}).get("seconds"))
                for phase in self.phases
            },
            "way_back": self.way_back,
            "production": self.dashboard.as_json()["production"],
            "protection": protection(self.dashboard),
            "steps": [
                {**step, "seconds": _rounded(step["seconds"])} for step in durations(self.checklist)
            ],
            "warnings": self.warnings,
            "remains": self.remains,
            **self._until(course),
        }

    @property
    def remains(self) -> Json:
        """What still exists because of the run, as its end has seen it; None: it is not over."""
        over = self.rests in (Result.ABORTED, Result.COMMITTED, Result.CLEANED)
        return self.facts.get(FACT) if over else None

    def say_what_remains(self) -> None:
        """Print what still exists because of the run, where it is over."""
        if found := kept(self.remains):
            sys.stdout.write("".join(f"{line}\n" for line in words(found)))

    def _until(self, course: UnattendedPlan) -> dict[str, Json]:
        """Return how the step stands after which to stop, on which stay; nothing without one."""
        if not course.until:
            return {}
        stay = self.checklist.current
        counts = course.until_on(stay.entry)
        lines = [line for line in stay.lines if line.step == counts]
        return {
            "until": {
                "step": course.until,
                "track": name(stay.entry.track, stay.entry.variant),
                "status": lines[0].status.value if lines else Status.PENDING.value,
                "already_done": course.already,
            }
        }

    def already_done(self, course: UnattendedPlan) -> str:
        """Return that there was nothing to perform, in words, or an empty text."""
        line = course.stops_at(self.checklist.current) if course.already else None
        if line is None or line.attempt is None:
            return ""
        at = line.attempt.ended_at
        skipped = f": {line.attempt.message}" if line.status is Status.SKIPPED else ""
        return (
            f"{line.step} is already done on this stay on the track {line.track.value} "
            f"({line.status.value}{f' at {at.astimezone():%H:%M:%S}' if at else ''}{skipped}). "
            "Nothing was performed."
        )

    def say_what_failed(self) -> None:
        """Print the step that did not succeed, with what is now true and what to do."""
        for line in self.checklist.current.lines:
            if line.repair:
                continue
            if line.attempt is not None and line.status.ended and not line.status.done:
                sys.stderr.write(f"{line.step} {line.status.value}:\n{line.attempt.message}\n")
        found = self.dashboard.protection
        if self.rests is Result.PROTECTED and found.protected is not True:
            said = "; ".join(found.reasons) or found.text
            sys.stderr.write(f"Every step is done, and the run is not protected: {said}.\n")

    def say_warnings(self) -> None:
        """Print what a person still has to see to, though each step is done."""
        for warning in self.warnings:
            sys.stderr.write(f"Done, but ({warning['step']}): {warning['text']}\n")


def protection(dashboard: Dashboard) -> dict[str, Json]:
    """Return the verdict of the watch, as of when it was made."""
    found = dashboard.protection
    return {
        "protected": found.protected,
        "text": found.text,
        "at": None if found.at is None else found.at.isoformat(),
    }


def say_what_is_unknown(run: str, changes: Sequence[Mapping[str, Json]]) -> None:
    """Print what a person must look at, and the commands that go on from there."""
    for change in changes:
        sys.stderr.write(
            f"Unknown: {change['change']} (step {change['step']}, sent at {change['sent_at']}).\n"
            f"  Looked: {change['looked']}: {change['seen']}\n"
            f"  It was: {change['by_hand']}\n"
        )
    sys.stderr.write(
        "Look at these objects. Then, if they happened: "
        f"blueprime auto {run} --yes --on-unknown adopt; if they did not: "
        f"blueprime auto {run} --yes --on-unknown retry.\n"
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
