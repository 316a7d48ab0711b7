"""What the journal refuses, each in words that a person can act on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from state.records import Attempt, Handover, Holder, Run


class JournalError(Exception):
    """Anything the journal refuses."""


class JournalUnusable(JournalError):
    """A journal that cannot be read or written.

    `what` happened, to which `path`; what is `now` true; what to do next (`todo`).
    """

    def __init__(self, path: Path, what: str, *, now: str, todo: str) -> None:
        super().__init__(f"{path}: {what} {now} {todo}")
        self.path = path
        self.what = what
        self.now = now
        self.todo = todo


class JournalOutdated(JournalUnusable):
    """A journal that an older blueprime wrote, opened only to look at it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            "It was written by an older blueprime.",
            now="It is as it was; looking at it cannot bring it up to date.",
            todo="Opening it to act does: blueprime, blueprime resume, or blueprime auto RUN.",
        )


class NoJournal(JournalUnusable):
    """There is no journal yet: nothing was ever run in this workspace."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            "There is no journal here.",
            now="No run was started in this workspace, or its journal is lost.",
            todo="Start a run, set BLUEPRIME_HOME to the workspace that you mean, or rebuild a "
            "lost one from the clusters: blueprime adopt CLUSTER.",
        )


class JournalHeld(JournalError):
    """Another process writes the journal; it may be watched read-only meanwhile."""

    def __init__(self, path: Path, holder: Holder, *, elsewhere: bool = False) -> None:
        advice = (
            "Whether it still lives cannot be seen from this host: make sure that it does not, "
            "then take the journal over (resume or auto, with --take-over)."
            if elsewhere
            else "Watch it read-only, or leave that process first."
        )
        super().__init__(
            f"{path} is held by process {holder.pid} of {holder.user} on {holder.host}, since "
            f"{holder.since:%Y-%m-%d %H:%M:%S} UTC. Nothing was changed. {advice}"
        )
        self.path = path
        self.holder = holder
        self.elsewhere = elsewhere


class NoSuchRun(JournalError):
    """No run, or more than one, answers to that name; `known` are the ids there are."""

    def __init__(self, wanted: str, known: Sequence[str], *, ambiguous: bool = False) -> None:
        if not known:
            text = "There is no run in this journal."
        elif ambiguous:
            text = f"More than one run begins with {wanted!r}: {', '.join(known)}."
        else:
            text = f"There is no run {wanted!r}. There are: {', '.join(known)}."
        super().__init__(text)
        self.known = tuple(known)
        self.ambiguous = ambiguous


class Refused(JournalError):
    """A write that would break a rule of the journal; nothing was written."""


class RunIsOpen(Refused):
    """A cluster has one open run at most."""

    def __init__(self, run: Run) -> None:
        advice = (
            f"It was {run.away.words}: it is to be ended there."
            if run.away
            else f"Go on with it (blueprime resume {run.id}, or auto {run.id}), or bring it to its "
            f"end first (auto {run.id} --track abort, rollback or commit)."
        )
        super().__init__(
            f"Run {run.id} is open for cluster {run.cluster} ({run.cluster_resource_id}). {advice}"
        )
        self.run = run


class HandedOver(Refused):
    """Another machine acts on the run; here it may only be looked at."""

    def __init__(self, run: Run, handover: Handover) -> None:
        super().__init__(
            f"Run {run.id} of cluster {run.cluster} was {handover.words}. Nothing was changed; "
            "here it can only be looked at (show, report, watch). To act on it here again, accept "
            f"the file that is handed back; if the file never arrived: blueprime handover {run.id} "
            "--take-back."
        )


class BadHandover(JournalError):
    """A handover file that cannot be accepted; nothing was taken over."""


class AttemptIsOpen(Refused):
    """A run has one open attempt at most."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(
            f"Step {attempt.step} of run {attempt.run} is being tried (attempt "
            f"{attempt.number}); it must end first."
        )
        self.attempt = attempt
