"""The command line in a process whose connections are lost at each change that it makes by SQL.

Run as `python -m tests.faults.severed MOMENT RECORD ARGUMENTS…`. Which changes there are is not
written down anywhere: whatever effect the runner performs, the words of SQL in its preview that
change something are the points at which the connection is lost, each once. RECORD is a file with
one JSON line for each point that has had its turn; see `Point`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rehearsal import lab
from runbook.base.roles import Role
from runbook.base.step import Effect
from runbook.procedure.runner import Runner

_PLACE = re.compile(r"-- on (?P<role>[a-z ]+)")
_CHANGE = re.compile(
    r"\b(?:CREATE|ALTER|DROP) [A-Z]+|\bREFRESH MATERIALIZED VIEW|\bANALYZE\b"
    r"|\bpg_(?:create|drop|terminate|logical_emit)\w+(?=\()|\bsetval\b"
)


@dataclass(frozen=True, slots=True)
class Point:
    """One place of one effect at which a connection was to be lost."""

    track: str
    step: str
    key: str
    text: str
    moment: str
    intent: int = 0
    """The journal's number of the try."""
    struck: bool = False
    """False: no message of this try had the text."""

    @property
    def place(self) -> tuple[str, ...]:
        return self.track, self.step, self.key, self.text


def points(effect: Effect) -> list[str]:
    """Return the words of an effect's SQL that change something; none for what is no SQL."""
    place, _, sql = effect.preview().partition("\n")
    return list(dict.fromkeys(_CHANGE.findall(sql))) if _PLACE.match(place) else []


class Severer:
    """Orders the loss of a connection for each point in turn, just before it is come to."""

    def __init__(self, moment: str, record: Path) -> None:
        self._moment = moment
        self._record = record
        self._done = {point.place for point in read(record)}

    def stand_by(self) -> None:
        """Stand beside the runner."""
        perform = Runner._perform
        severer = self

        async def performing(self: Runner, intent: int, effect: Effect) -> None:
            place = _place(self, intent, effect)
            text = next((t for t in points(effect) if (*place, t) not in severer._done), None)
            if text is None:
                await perform(self, intent, effect)
                return
            target = await self.context.cluster(_role(effect))
            database: str = getattr(effect, "_database", "")
            lab.fault("lose-connection", target.identifier, severer._moment, text, database)
            try:
                await perform(self, intent, effect)
            finally:
                struck = _waits(text, database) == 0
                if not struck:
                    lab.fault("spare-connections", text, database)
                severer._keep(Point(*place, text, severer._moment, intent, struck))

        Runner._perform = performing  # type: ignore[method-assign]

    def _keep(self, point: Point) -> None:
        self._done.add(point.place)
        with self._record.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(point)) + "\n")


def read(record: Path) -> list[Point]:
    """Return the points that have had their turn, oldest first."""
    lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    return [Point(**json.loads(line)) for line in lines]


def _place(runner: Runner, intent: int, effect: Effect) -> tuple[str, str, str]:
    for attempt in reversed(runner.journal.attempts(runner.context.run)):
        if any(record.id == intent for record in attempt.effects):
            return attempt.track.value, attempt.step, effect.key
    raise AssertionError(f"no attempt has the intent {intent}")


def _role(effect: Effect) -> Role:
    found = _PLACE.match(effect.preview())
    assert found is not None
    return Role(found["role"].strip())


def _waits(text: str, database: str) -> int:
    wanted = [text, database or "*"]
    waiting: Sequence[dict[str, Any]] = lab.fault("list")["waiting"]
    return sum(
        fault["kind"] == "lose-connection" and all(word in fault["action"] for word in wanted)
        for fault in waiting
    )


def main() -> None:
    """Run the command line with its connections lost."""
    moment, record, *arguments = sys.argv[1:]
    Severer(moment, Path(record)).stand_by()
    from tui.cli import main as command

    command.main(args=arguments, prog_name="blueprime")


if __name__ == "__main__":
    main()
