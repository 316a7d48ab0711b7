"""Who acts on a run: a mark in AWS, which outlives every journal and every copy of one.

A journal can be copied, put back from a backup, or left behind on another machine, and then knows
less than the world. So the clusters of a run bear a tag that says which journal acted last: a
number that rises before a journal acts, and a claim that only this journal knows. A journal whose
own number is lower than the mark's was left behind.

Tags: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Tagging.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

HOLDER_TAG = "blueprime:holder"

_TEXT = re.compile(
    r"run=(?P<run>\S+) number=(?P<number>\d+) claim=(?P<claim>\S+) who=(?P<who>\S+)"
    r" machine=(?P<machine>\S+) at=(?P<at>\S+)(?P<ended> ended)?"
)
_NOT_IN_A_TAG = re.compile(r"[^\w.:/+@-]", re.ASCII)
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Mark:
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
    def parse(cls, text: str) -> Mark | None:
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

    @property
    def words(self) -> str:
        """Return who holds the run, from where and since when."""
        return f"{self.who} on {self.machine}, number {self.number}, {self.at:%Y-%m-%d %H:%M:%S} UTC"


def _plain(name: str) -> str:
    """Return a name with only what a tag may hold, and no space."""
    return _NOT_IN_A_TAG.sub("-", name)[:_LONGEST_NAME] or "-"
