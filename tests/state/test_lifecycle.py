"""The life of attempts and effects, walked at random against a plain model of it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from state.enums import Outcome, Result, Status, Track
from state.errors import Refused
from state.journal import Journal
from tests.state.invented import start

THERE = (Outcome.SUCCEEDED, Outcome.ADOPTED)
ENDED = [status for status in Status if status.ended]


@dataclass
class Try:
    """An attempt as the model knows it."""

    id: int
    step: str
    entry: int
    number: int
    status: Status = Status.RUNNING
    effects: dict[int, Outcome | None] = field(default_factory=dict)
    decided: set[int] = field(default_factory=set)

    @property
    def there(self) -> bool:
        return all(outcome in THERE for outcome in self.effects.values())


class Life(RuleBasedStateMachine):
    """One run, its branches, attempts, effects, crashes and closings."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.db"
        self.journal = Journal.open(self.path)
        start(self.journal)
        self.tries: list[Try] = []
        self.entry = 0
        self.closed = False

    def teardown(self) -> None:
        self.journal.close()
        self.folder.cleanup()

    @property
    def current(self) -> Try | None:
        last = self.tries[-1] if self.tries else None
        return last if last and last.status is Status.RUNNING else None

    def chosen(self, data: st.DataObject) -> tuple[Try, int]:
        every = [(each, effect) for each in self.tries for effect in each.effects]
        return data.draw(st.sampled_from(every))

    @rule(step=st.sampled_from(["create-slots", "clone"]))
    def begin(self, step: str) -> None:
        if self.current or self.closed:
            with pytest.raises(Refused):
                self.journal.begin_attempt("run1", step)
            return
        attempt = self.journal.begin_attempt("run1", step)
        earlier = [each for each in self.tries if (each.entry, each.step) == (self.entry, step)]
        assert attempt.number == len(earlier) + 1
        self.tries.append(Try(attempt.id, step, self.entry, attempt.number))

    @precondition(lambda self: self.tries)
    @rule(data=st.data())
    def intend(self, data: st.DataObject) -> None:
        of = data.draw(st.sampled_from(self.tries))
        if of is not self.current:
            with pytest.raises(Refused):
                self.journal.intend(of.id, "key", "Title", "")
            return
        of.effects[self.journal.intend(of.id, "key", "Title", "")] = None

    @precondition(lambda self: any(each.effects for each in self.tries))
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def settle(self, data: st.DataObject, outcome: Outcome) -> None:
        of, effect = self.chosen(data)
        if of.effects[effect] is not None:
            with pytest.raises(Refused):
                self.journal.settle(effect, outcome)
            return
        self.journal.settle(effect, outcome)
        of.effects[effect] = outcome

    @precondition(lambda self: any(each.effects for each in self.tries))
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def resolve(self, data: st.DataObject, outcome: Outcome) -> None:
        of, effect = self.chosen(data)
        if of.effects[effect] is not Outcome.UNKNOWN or outcome is Outcome.UNKNOWN:
            with pytest.raises(Refused):
                self.journal.resolve(effect, outcome, who="ann", reason="seen")
            return
        self.journal.resolve(effect, outcome, who="ann", reason="seen")
        of.effects[effect] = outcome
        of.decided.add(effect)

    @precondition(lambda self: self.tries)
    @rule(data=st.data(), status=st.sampled_from(ENDED))
    def end(self, data: st.DataObject, status: Status) -> None:
        of = data.draw(st.sampled_from(self.tries))
        if of is not self.current or (status.done and not of.there):
            with pytest.raises(Refused):
                self.journal.end_attempt(of.id, status)
            return
        self.journal.end_attempt(of.id, status)
        self._ended(of, status)

    @precondition(lambda self: self.tries)
    @rule(data=st.data(), status=st.sampled_from(Status))
    def resolve_attempt(self, data: st.DataObject, status: Status) -> None:
        of = data.draw(st.sampled_from(self.tries))
        known = status is Status.FAILED or (status is Status.SUCCEEDED and of.there)
        if of.status is not Status.UNKNOWN or not known:
            with pytest.raises(Refused):
                self.journal.resolve_attempt(of.id, status, who="ann", reason="seen")
            return
        self.journal.resolve_attempt(of.id, status, who="ann", reason="seen")
        of.status = status

    @rule(track=st.sampled_from(Track))
    def branch(self, track: Track) -> None:
        if self.current or self.closed:
            with pytest.raises(Refused):
                self.journal.enter_track("run1", track)
            return
        self.journal.enter_track("run1", track)
        self.entry += 1

    @rule()
    def close_or_reopen(self) -> None:
        if self.closed:
            self.journal.reopen_run("run1")
        elif self.current:
            with pytest.raises(Refused):
                self.journal.close_run("run1", Result.FAILED)
            return
        else:
            self.journal.close_run("run1", Result.FAILED)
        self.closed = not self.closed

    @rule()
    def open_again(self) -> None:
        self.journal.close()
        self.journal = Journal.open(self.path)
        marked = {effect.id for effect in self.journal.mark_unknown("run1")}
        of = self.current
        left = {effect for effect, outcome in of.effects.items() if not outcome} if of else set()
        assert marked == left
        if of:
            self._ended(of, Status.UNKNOWN)

    def _ended(self, of: Try, status: Status) -> None:
        of.status = status
        of.effects = {effect: was or Outcome.UNKNOWN for effect, was in of.effects.items()}

    @invariant()
    def the_journal_says_what_happened(self) -> None:
        attempts = self.journal.attempts("run1")
        assert [(each.id, each.step, each.number, each.status) for each in attempts] == [
            (each.id, each.step, each.number, each.status) for each in self.tries
        ]
        for attempt, of in zip(attempts, self.tries, strict=True):
            assert {each.id: each.outcome for each in attempt.effects} == of.effects
            assert {each.id for each in attempt.effects if each.decided} == of.decided
        assert self.journal.run("run1").open is not self.closed


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=25, stateful_step_count=30)
