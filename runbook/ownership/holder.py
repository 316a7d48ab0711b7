"""Who acts on a run: a mark in AWS, which outlives every journal and every copy of one.

A journal can be copied, put back from a backup, or left behind on another machine, and then knows
less than the world. So the clusters of a run bear a tag that says which journal acted last: a
number that rises before a journal acts, and a claim that only this journal knows. A journal whose
own number is lower than the mark's was left behind.

Tags: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Tagging.html
"""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from runbook.aws import Call
from runbook.aws.errors import AccessDenied, AwsRefused
from runbook.aws.facts import Cluster, tag_rows
from runbook.base.context import RunContext
from runbook.failures import Ambiguous, Refused, StepFailed
from state.journal import Journal
from state.records import Json

HOLDER_TAG = "blueprime:holder"

FACT = "holder"
"""The fact that holds the latest mark that this journal has set, or taken over."""

LEFT_BEHIND = "left-behind"
"""The fact that says who went on with the run since this journal; empty while nobody did."""

_TEXT = re.compile(
    r"run=(?P<run>\S+) number=(?P<number>\d+) claim=(?P<claim>\S+) who=(?P<who>\S+)"
    r" machine=(?P<machine>\S+) at=(?P<at>\S+)(?P<ended> ended)?"
)
_NOT_IN_A_TAG = re.compile(r"[^\w.:/+@-]", re.ASCII)
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class HolderTag:
    """What the tag says: which run, the rising number, whose journal, from when on."""

    run: str
    number: int
    claim: str
    """Eight random hexadecimal digits: two journals of one number are told apart by it."""
    who: str
    machine: str
    at: datetime
    ended: bool = False
    """Whether the run is over: another one may begin."""

    def text(self) -> str:
        """Return the tag's value: at most 256 characters, of those that AWS takes."""
        words = (
            f"run={self.run} number={self.number} claim={self.claim} who={_plain(self.who)}"
            f" machine={_plain(self.machine)} at={self.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        )
        return words + " ended" * self.ended

    @classmethod
    def parse(cls, text: str) -> HolderTag | None:
        """Return the mark of a tag's value, or None where it is none of ours."""
        match = _TEXT.fullmatch(text)
        if match is None:
            return None
        try:
            at = datetime.strptime(match["at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(
            match["run"],
            int(match["number"]),
            match["claim"],
            match["who"],
            match["machine"],
            at,
            bool(match["ended"]),
        )

    def at_its_end(self) -> HolderTag:
        """Return the mark that says that the run is over."""
        return replace(self, ended=True)

    @property
    def words(self) -> str:
        """Return who holds the run, from where and since when."""
        since = f"{self.at:%Y-%m-%d %H:%M:%S} UTC"
        return f"{self.who} on {self.machine}, number {self.number}, {since}"


def _plain(name: str) -> str:
    """Return a name with only what a tag may hold, and no space."""
    return _NOT_IN_A_TAG.sub("-", name)[:_LONGEST_NAME] or "-"


def marks(clusters: Iterable[Cluster]) -> dict[str, HolderTag]:
    """Return the marks that clusters bear, by resource id; a text that is none of ours is none."""
    found = {c.resource_id: HolderTag.parse(c.tags.get(HOLDER_TAG, "")) for c in clusters}
    return {resource_id: mark for resource_id, mark in found.items() if mark is not None}


def latest(clusters: Iterable[Cluster], run: str) -> HolderTag | None:
    """Return the newest mark of a run: copies that AWS made of the tag are older ones."""
    own = [mark for mark in marks(clusters).values() if mark.run == run]
    return max(own, key=lambda mark: mark.number, default=None)


def left_behind(context: RunContext, clusters: Iterable[Cluster]) -> HolderTag | None:
    """Return the mark of the journal that has acted since this one, or None."""
    mark = latest(clusters, context.run)
    own = context.fact(FACT) or {}
    number = own.get("number", 0)
    if mark is None or mark.number < number:
        # AWS's describes trail its own changes, and tags may be taken away by others.
        return None
    return None if (mark.number, mark.claim) == (number, own.get("claim")) else mark


def keep_left_behind(
    context: RunContext, journal: Journal, clusters: Iterable[Cluster]
) -> HolderTag | None:
    """Look whether this journal was left behind, keep it where that is news, and return it."""
    mark = left_behind(context, clusters)
    words, known = mark.words if mark is not None else "", context.fact(LEFT_BEHIND) or ""
    if words != known:
        # Whoever holds it goes on from number to number: that it was left behind is told once.
        text = f"this journal was left behind: the run is held by {words}" * (not known)
        journal.evidence(context.run, FACT, text, key=LEFT_BEHIND, value=words)
    return mark


def refuse_if_known_left_behind(context: RunContext) -> None:
    """Raise `Refused` where the last look found that this journal was left behind."""
    if words := context.fact(LEFT_BEHIND):
        raise _left_behind(context, words)


def refuse_if_left_behind(
    context: RunContext, journal: Journal, clusters: Iterable[Cluster]
) -> None:
    """Raise `Refused` where another journal has acted on the run since this one."""
    mark = keep_left_behind(context, journal, clusters)
    if mark is not None:
        raise _left_behind(context, mark.words)


def _left_behind(context: RunContext, words: str) -> Refused:
    own = (context.fact(FACT) or {}).get("number", 0)
    return Refused(
        f"This journal is out of date: run {context.run} is held by {words}; this journal ends at "
        f"number {own}.",
        now="Nothing further was changed.",
        todo="Go on there. If nobody acts there any more, read the run again from the clusters: "
        f"blueprime adopt {context.plan.cluster.identifier}; from then on this machine holds it.",
    )


def refuse_if_anothers(context: RunContext, clusters: Sequence[Cluster]) -> None:
    """Raise `Refused` where a cluster of this run bears the mark of another run that goes on."""
    names = {cluster.resource_id: cluster for cluster in clusters}
    for resource_id, mark in marks(clusters).items():
        if mark.run == context.run or mark.ended:
            continue
        cluster = names[resource_id]
        remove = Call(
            "rds",
            "RemoveTagsFromResource",
            {"ResourceName": cluster.arn, "TagKeys": [HOLDER_TAG]},
        )
        raise Refused(
            f"{cluster.identifier} is in the hands of run {mark.run} of blueprime, held by "
            f"{mark.words}.",
            now="Nothing was changed.",
            todo="Join it there, or take it over: blueprime adopt "
            f"{context.plan.cluster.identifier} --run {mark.run}. If nobody goes on with it: "
            f"{remove.cli(context.aws.region)}",
        )


def next_mark(context: RunContext, clusters: Iterable[Cluster], *, who: str) -> HolderTag:
    """Return the mark with which this journal takes hold of the run."""
    seen = latest(clusters, context.run)
    own = context.fact(FACT) or {}
    number, claim = (seen.number if seen else 0) + 1, secrets.token_hex(4)
    kept = own.get("number", 0)
    if own.get("set", True):
        number = max(number, kept + 1)
    elif kept >= number:
        # It may be there or not. A number that no cluster bears would hide another journal's.
        number, claim = kept, own["claim"]
    return HolderTag(context.run, number, claim, who, socket.gethostname(), context.now())


def as_fact(mark: HolderTag, *, is_set: bool = True) -> Mapping[str, Json]:
    """Return a mark as the journal keeps it; `is_set`: whether AWS has said that it is there."""
    return {
        "set": is_set,
        "number": mark.number,
        "claim": mark.claim,
        "who": mark.who,
        "machine": mark.machine,
        "at": mark.at.isoformat(),
    }


def calls(mark: HolderTag, clusters: Iterable[Cluster]) -> dict[str, Call]:
    """Return the calls that put a mark on clusters, by their names."""
    return {
        cluster.identifier: Call(
            "rds",
            "AddTagsToResource",
            {"ResourceName": cluster.arn, "Tags": tag_rows({HOLDER_TAG: mark.text()})},
        )
        for cluster in clusters
        if cluster.status != "deleting"
    }


async def put(context: RunContext, made: Mapping[str, Call]) -> dict[str, str]:
    """Make calls that put a mark; return the clusters on which it may not be, with AWS's words.

    Production may be kept from being tagged, and a cluster may have gone just now. Raises what
    AWS says otherwise, and `StepFailed` where no clear answer came.
    """
    answers = await asyncio.gather(
        *(context.aws.perform(call) for call in made.values()), return_exceptions=True
    )
    refused = {}
    for name, answer in zip(made, answers, strict=True):
        if isinstance(answer, AccessDenied) or (
            isinstance(answer, AwsRefused) and "NotFound" in answer.code
        ):
            refused[name] = answer.what
        elif isinstance(answer, Ambiguous):
            raise StepFailed(
                f"It is unknown whether {name} bears the mark that this journal holds the run: "
                f"{answer}.",
                now="No change was made after it.",
                todo="Run the step again: the mark is put there anew.",
            ) from answer
        elif isinstance(answer, BaseException):
            raise answer
    return refused
