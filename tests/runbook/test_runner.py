"""The runner: intent before effect, one attempt, and the truth about what is not known."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest

from runbook.base.context import RunContext
from runbook.base.effect_state import seen_there
from runbook.base.step import Gate, Watch
from runbook.failures import Ambiguous, Answer, Refused, StepFailed
from runbook.postgres.connect import CannotConnect
from runbook.procedure import runner as runners
from runbook.procedure.runner import Runner
from state.enums import Outcome, Status
from state.journal import Journal
from state.records import Effect
from state.standing import standing
from tests.runbook.conftest import FakeEffect, FakeStep


async def yes(gate: Gate) -> str | None:
    return gate.must_type or "yes"


async def declined(gate: Gate) -> str | None:
    return None


def effects(journal: Journal) -> list[Effect]:
    return [effect for attempt in journal.attempts("k3f9qa") for effect in attempt.effects]


async def test_the_intent_is_on_disk_before_the_effect_happens(
    runner: Runner, journal: Journal
) -> None:
    seen: list[tuple[str, str | None]] = []

    async def look_at_the_disk() -> None:
        with sqlite3.connect(journal.path) as other:
            seen.extend(other.execute("SELECT key, outcome FROM effect").fetchall())

    effect = FakeEffect("bgd", set(), act=look_at_the_disk)
    assert await runner.run_step(FakeStep(waves=[[effect]]), yes) is Status.SUCCEEDED
    assert seen == [("bgd", None)]
    assert [(e.key, e.outcome) for e in effects(journal)] == [("bgd", Outcome.SUCCEEDED)]


async def test_a_step_that_left_something_undone_is_done_but_and_says_so_until_it_is_repaired(
    runner: Runner, journal: Journal
) -> None:
    said = ["17 tables were skipped", "", ""]

    async def verify(context: RunContext, watch: Watch) -> None:
        watch.warning(said.pop(0), key="green/analyze")

    step = FakeStep("validate-green", verify=verify)
    assert await runner.run_step(step, yes) is Status.SUCCEEDED
    attempt = journal.attempts("k3f9qa")[-1]
    assert attempt.message == "Done, but: 17 tables were skipped"
    assert [(each.step, each.value) for each in standing(journal, "k3f9qa")] == [
        ("validate-green", "17 tables were skipped")
    ]
    for _ in said.copy():
        assert await runner.run_step(step, yes) is Status.SUCCEEDED
        assert journal.attempts("k3f9qa")[-1].message == ""
    assert standing(journal, "k3f9qa") == []
    told = [each.text for each in journal.evidences("k3f9qa", "validate-green")]
    assert told == ["17 tables were skipped", "repaired meanwhile"]


async def test_what_has_happened_already_is_adopted_and_not_done_twice(
    runner: Runner, journal: Journal
) -> None:
    effect = FakeEffect("bgd", {"bgd"})
    assert await runner.run_step(FakeStep(waves=[[effect]]), yes) is Status.SUCCEEDED
    assert effect.performed == 0
    assert effects(journal)[0].outcome is Outcome.ADOPTED


async def test_what_would_be_adopted_is_told_before_the_key_is_pressed() -> None:
    """Of a wave behind one that is still to be made nothing is told: that may turn it over."""
    context = {"a", "c", "d"}
    a, b, c, d = (FakeEffect(key, context) for key in "abcd")
    assert await seen_there([[a], [c]]) == {"a": "looked", "c": "looked"}
    assert await seen_there([[a], [b, c], [d]]) == {"a": "looked", "c": "looked"}
    unclear = FakeEffect("a", context, findings=[Answer.UNKNOWN])
    assert await seen_there([[unclear], [d]]) == {}


async def test_a_probe_that_cannot_tell_stops_before_anything_is_done(
    runner: Runner, journal: Journal
) -> None:
    effect = FakeEffect("bgd", set(), findings=[Answer.UNKNOWN])
    later = FakeEffect("later", set())
    status = await runner.run_step(FakeStep(waves=[[effect], [later]]), yes)
    assert status is Status.UNKNOWN
    assert effect.performed == later.performed == 0
    assert effects(journal)[0].outcome is Outcome.UNKNOWN


async def test_a_lost_answer_is_looked_after_and_found_to_have_happened(
    runner: Runner, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "LOST_ANSWER_PROBES_S", (0.0,))
    context: set[str] = set()

    async def happen_and_lose_the_answer() -> None:
        context.add("bgd")
        raise Ambiguous("the response was lost")

    effect = FakeEffect("bgd", context, act=happen_and_lose_the_answer)
    assert await runner.run_step(FakeStep(waves=[[effect]]), yes) is Status.SUCCEEDED
    assert effect.performed == 1
    assert effects(journal)[0].detail["answer_lost"] == "the response was lost"


async def test_a_lost_answer_that_shows_no_effect_is_unknown_not_failed(
    runner: Runner, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "LOST_ANSWER_PROBES_S", (0.0, 0.0))

    async def lose() -> None:
        raise Ambiguous("timed out")

    effect = FakeEffect("bgd", set(), act=lose)
    assert await runner.run_step(FakeStep(waves=[[effect]]), yes) is Status.UNKNOWN
    assert effect.performed == 1, "a change whose answer was lost is never tried again by itself"
    assert effects(journal)[0].outcome is Outcome.UNKNOWN


async def test_one_failing_effect_leaves_the_outcomes_of_its_wave_on_record(
    runner: Runner, journal: Journal
) -> None:
    async def refuse() -> None:
        raise StepFailed("It was refused.", now="Nothing changed.", todo="Try again.")

    good = FakeEffect("good", set())
    bad = FakeEffect("bad", set(), act=refuse)
    later = FakeEffect("later", set())
    status = await runner.run_step(FakeStep(waves=[[bad, good], [later]]), yes)
    assert status is Status.FAILED
    outcomes = {effect.key: effect.outcome for effect in effects(journal)}
    assert outcomes == {"good": Outcome.SUCCEEDED, "bad": Outcome.FAILED}
    assert journal.attempts("k3f9qa")[-1].message == "It was refused.\nNothing changed.\nTry again."


async def test_a_failed_step_may_be_tried_again_and_adopts_what_is_there(
    runner: Runner, journal: Journal
) -> None:
    context: set[str] = set()
    fails = True

    async def once() -> None:
        nonlocal fails
        if fails:
            fails = False
            raise StepFailed("No.", now="Nothing.", todo="Again.")

    first, second = FakeEffect("first", context), FakeEffect("second", context, act=once)
    step = FakeStep(waves=[[first], [second]])
    assert await runner.run_step(step, yes) is Status.FAILED
    assert await runner.run_step(step, yes) is Status.SUCCEEDED
    assert (first.performed, second.performed) == (1, 2)
    assert [attempt.number for attempt in journal.attempts("k3f9qa")] == [1, 2]


async def test_a_declined_gate_leaves_no_attempt(runner: Runner, journal: Journal) -> None:
    effect = FakeEffect("bgd", set())
    gate = Gate("pivot", "Switch over.", "It cannot be undone.", must_type="orders")
    step = FakeStep(waves=[[effect]], gates=[gate])
    assert await runner.run_step(step, declined) is Status.READY
    assert effect.performed == 0
    assert journal.attempts("k3f9qa") == []


async def test_the_wrong_word_does_not_pass_a_gate(runner: Runner, journal: Journal) -> None:
    async def almost(gate: Gate) -> str | None:
        return "Orders"

    gate = Gate("pivot", "Switch over.", "It cannot be undone.", must_type="orders")
    assert await runner.run_step(FakeStep(gates=[gate]), almost) is Status.READY
    assert journal.decisions("k3f9qa") == []


async def test_a_decision_stands_for_the_next_step_that_asks_the_same(
    runner: Runner, journal: Journal
) -> None:
    gate = Gate("pivot", "Switch over.", "It cannot be undone.", must_type="orders")
    assert await runner.run_step(FakeStep("one", gates=[gate]), yes) is Status.SUCCEEDED
    assert await runner.run_step(FakeStep("two", gates=[gate]), declined) is Status.SUCCEEDED
    stale = Gate("pivot", "Switch over.", "It cannot be undone.", must_type="orders", valid_s=0)
    assert await runner.run_step(FakeStep("three", gates=[stale]), declined) is Status.READY
    assert [(d.who, d.typed) for d in journal.decisions("k3f9qa")] == [("ada", "orders")]


async def test_evidence_is_kept_as_a_fact(runner: Runner, journal: Journal) -> None:
    async def verify(context: RunContext, watch: Watch) -> None:
        watch.evidence("three databases", key="databases", value=["a", "b", "c"])

    assert await runner.run_step(FakeStep(verify=verify), yes) is Status.SUCCEEDED
    assert journal.fact("k3f9qa", "databases") == ["a", "b", "c"]


async def test_a_refusal_is_told_from_a_failure(runner: Runner) -> None:
    async def refuse(context: RunContext, watch: Watch) -> None:
        raise Refused("Blocked.", now="Nothing.", todo="Fix it.")

    assert await runner.run_step(FakeStep(verify=refuse), yes) is Status.FAILED
    assert runner.refused
    assert await runner.run_step(FakeStep("fine"), yes) is Status.SUCCEEDED
    assert not runner.refused


async def test_a_fault_of_our_own_is_said_and_leaves_no_attempt_open(
    runner: Runner, journal: Journal
) -> None:
    async def stumble(context: RunContext, watch: Watch) -> None:
        raise KeyError("no such thing")

    assert await runner.run_step(FakeStep(verify=stumble), yes) is Status.FAILED
    assert "blueprime itself failed: KeyError" in journal.attempts("k3f9qa")[-1].message


async def test_a_skipped_step_says_why(runner: Runner, journal: Journal) -> None:
    assert await runner.run_step(FakeStep(skip="the plan keeps it"), yes) is Status.SKIPPED
    assert journal.attempts("k3f9qa")[-1].message == "the plan keeps it"


async def left_unknown(runner: Runner, effect: FakeEffect) -> None:
    """Let a process end between an intent and its outcome."""
    attempt = runner.journal.begin_attempt("k3f9qa", "a-step")
    runner.journal.intend(attempt.id, effect.key, effect.title, effect.preview())
    runner.journal.mark_unknown("k3f9qa")


async def test_what_was_left_unknown_and_is_seen_is_adopted_and_closed(
    runner: Runner, journal: Journal
) -> None:
    effect = FakeEffect("bgd", {"bgd"})
    await left_unknown(runner, effect)
    assert await runner.run_step(FakeStep(waves=[[effect]]), yes) is Status.SUCCEEDED
    assert effect.performed == 0
    assert [(e.outcome, e.decided) for e in effects(journal)] == [
        (Outcome.ADOPTED, "probe"),
        (Outcome.ADOPTED, ""),
    ]


async def test_what_was_left_unknown_and_is_not_there_is_done_and_closed(
    runner: Runner, journal: Journal
) -> None:
    effect = FakeEffect("bgd", set())
    await left_unknown(runner, effect)
    assert await runner.run_step(FakeStep(waves=[[effect]]), yes) is Status.SUCCEEDED
    assert effect.performed == 1
    assert [(e.outcome, e.decided) for e in effects(journal)] == [
        (Outcome.FAILED, "probe"),
        (Outcome.SUCCEEDED, ""),
    ]


async def test_a_change_that_appears_late_is_waited_for_and_not_doubled(
    runner: Runner, journal: Journal
) -> None:
    effect = FakeEffect("bgd", set(), findings=[Answer.NO, Answer.NO, Answer.YES])
    effect.trails = True
    await left_unknown(runner, effect)
    assert await runner.run_step(FakeStep(waves=[[effect]]), yes) is Status.SUCCEEDED
    assert effect.performed == 0


@pytest.mark.parametrize(
    ("choice", "performed", "last"),
    [(Outcome.ADOPTED, 0, Outcome.ADOPTED), (Outcome.FAILED, 1, Outcome.SUCCEEDED)],
)
async def test_where_no_look_can_tell_a_person_decides(
    runner: Runner, journal: Journal, choice: Outcome, performed: int, last: Outcome
) -> None:
    effect = FakeEffect("bgd", set(), findings=[Answer.UNKNOWN, Answer.UNKNOWN])
    await left_unknown(runner, effect)
    step = FakeStep(waves=[[effect]])
    assert await runner.run_step(step, yes) is Status.UNKNOWN
    for record in effects(journal):
        journal.resolve(record.id, choice, who="ada", reason="looked in the console")
    assert await runner.run_step(step, yes) is Status.SUCCEEDED
    assert effect.performed == performed
    assert effects(journal)[-1].outcome is last


async def test_what_a_person_decided_stands_for_one_try_only(
    runner: Runner, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "LOST_ANSWER_PROBES_S", (0.0,))

    async def lose() -> None:
        raise Ambiguous("lost again")

    effect = FakeEffect("bgd", set(), act=lose, findings=[Answer.UNKNOWN] * 9)
    await left_unknown(runner, effect)
    journal.resolve(effects(journal)[0].id, Outcome.FAILED, who="ada", reason="not there")
    step = FakeStep(waves=[[effect]])
    assert await runner.run_step(step, yes) is Status.UNKNOWN
    assert await runner.run_step(step, yes) is Status.UNKNOWN
    assert effect.performed == 1


async def test_a_step_that_has_begun_is_not_skipped_because_its_object_is_gone(
    runner: Runner, journal: Journal
) -> None:
    await left_unknown(runner, FakeEffect("bgd/delete", set()))
    status = await runner.run_step(FakeStep(skip="there is no bgd"), yes)
    assert status is Status.SUCCEEDED
    assert [(e.outcome, e.decided) for e in effects(journal)] == [(Outcome.ADOPTED, "probe")]


@pytest.mark.parametrize("error", [CannotConnect("no way"), OSError("no route")])
async def test_a_look_that_fails_is_said_in_words_and_changes_nothing(
    runner: Runner, journal: Journal, error: Exception
) -> None:
    async def fail(context: RunContext, watch: Watch) -> None:
        raise error

    assert await runner.run_step(FakeStep(verify=fail), yes) is Status.FAILED
    assert journal.attempts("k3f9qa")[-1].message.startswith("Looking at the database failed: no")


async def test_a_look_whose_connection_is_lost_is_looked_again(
    runner: Runner, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "LOST_LOOK_PAUSES_S", (0.0, 0.0))
    tries: list[int] = []

    async def lose_twice(context: RunContext, watch: Watch) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    assert await runner.run_step(FakeStep(verify=lose_twice), yes) is Status.SUCCEEDED
    assert len(tries) == 3


async def test_a_look_that_the_server_answers_with_an_error_is_not_repeated(
    runner: Runner, journal: Journal
) -> None:
    tries: list[int] = []

    async def refuse(context: RunContext, watch: Watch) -> None:
        tries.append(1)
        raise psycopg.errors.InsufficientPrivilege("permission denied")

    assert await runner.run_step(FakeStep(verify=refuse), yes) is Status.FAILED
    assert len(tries) == 1
