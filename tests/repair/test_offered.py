"""A repair as a step beside the track: kept, shown where it was taken, never in the track's way."""

from __future__ import annotations

import pytest

from runbook.base.roles import Role
from runbook.failures import Answer, StepFailed
from runbook.procedure.steps.rollback.counters import Compare
from runbook.run.session import Busy, Session
from state.enums import Outcome, Status
from state.report import report
from tests.repair.conftest import Bench, yes


def cut_off(bench: Bench, key: str, effect: str) -> Session:
    """Leave what a process leaves that is killed between intent and outcome; open it again."""
    attempt = bench.journal.begin_attempt(bench.run, key)
    bench.journal.intend(attempt.id, effect, "make it so", "SELECT 1;")
    return Session.open(bench.journal, bench.run, who="ben")


async def kept(bench: Bench) -> tuple[str, str]:
    """Fail a repair, so that the journal knows it; return its key and its effect's."""
    bench.there("CREATE TABLE in_the_way (id int)")
    key = (await bench.offer("recopy")).key
    with pytest.MonkeyPatch.context() as patch:

        async def refused(effect: object) -> dict[str, object]:
            raise StepFailed("No.", now="Nothing.", todo="Again.")

        patch.setattr("runbook.repair.recopy_rows.RowsEffect.perform", refused)
        assert await bench.session.repair(key, yes) is Status.FAILED
    return key, bench.journal.attempts(bench.run)[-1].effects[0].key


@pytest.fixture
def differing(bench: Bench) -> Bench:
    bench.follow(prepare="CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
    bench.there("DELETE FROM t WHERE id = 1")
    bench.differ("t")
    return bench


async def test_what_was_cut_off_is_offered_on_coming_back(differing: Bench) -> None:
    bench = differing
    key, effect = await kept(bench)
    session = cut_off(bench, key, effect)
    (pending,) = await session.findings()
    assert (pending.step, pending.effect.key) == (key, effect)
    assert pending.finding.answer is Answer.NO
    assert "retry" in pending.offers
    await session.resolve(pending.effect.id, "retry", "")
    assert await session.findings() == []
    assert key in {offer.key for offer in await session.repairs()}
    assert await session.repair(key, yes) is Status.SUCCEEDED
    assert bench.rows("t")[0] == bench.rows("t")[1]
    await session.close()


async def test_what_had_happened_is_adopted_on_coming_back(differing: Bench) -> None:
    bench = differing
    key, effect = await kept(bench)
    bench.there("INSERT INTO t VALUES (1)")
    session = cut_off(bench, key, effect)
    (pending,) = await session.findings()
    assert pending.finding.answer is Answer.YES
    assert await session.repair(key, yes) is Status.SUCCEEDED
    last = bench.journal.attempts(bench.run)[-1]
    assert [each.outcome for each in last.effects] == [Outcome.ADOPTED]
    assert await session.findings() == []
    await session.close()


async def test_it_stands_where_it_was_taken_and_the_track_goes_past_it(differing: Bench) -> None:
    bench = differing
    attempt = bench.journal.begin_attempt(bench.run, "identify")
    bench.journal.end_attempt(attempt.id, Status.SUCCEEDED)
    key, _ = await kept(bench)
    attempt = bench.journal.begin_attempt(bench.run, "preflight")
    bench.journal.end_attempt(attempt.id, Status.SUCCEEDED)
    listed = bench.session.checklist()
    assert [line.step for line in listed.current.lines][:3] == ["identify", key, "preflight"]
    line = listed.line(key)
    assert line.repair
    assert line.status is Status.FAILED
    assert line.title == "Copy the differing rows of public.t again"
    assert listed.next is not None
    assert listed.next.step == "prepare-parameters"
    (summary,) = bench.journal.runs()
    assert (summary.step, summary.status) == ("preflight", Status.SUCCEEDED)


async def test_nothing_that_is_not_offered_is_performed(differing: Bench) -> None:
    with pytest.raises(StepFailed, match="is not offered now"):
        await differing.session.repair("repair/recopy/else", yes)
    differing.session._busy = "bake"
    with pytest.raises(Busy):
        await differing.session.repair((await differing.offer("recopy")).key, yes)
    differing.session._busy = ""


async def test_the_report_names_what_was_given_up_and_by_whom(differing: Bench) -> None:
    bench = differing
    await bench.repair("give-up")
    words = report(bench.journal, bench.run, "md")
    assert "accepted by name" in words
    assert "public.t" in words
    assert "ada" in words


async def test_a_side_that_cannot_be_asked_is_said_and_hides_nothing_else(
    differing: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*arguments: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("runbook.repair.schemas_offered.both", broken)
    offers = await differing.session.repairs()
    assert [offer.why for offer in offers if not offer.key] == [
        "it could not be looked at: no route to host"
    ]
    assert any(offer.key.startswith("repair/recopy/") for offer in offers)


async def test_the_comparison_names_what_differs_and_lets_pass_what_was_given_up(
    bench: Bench,
) -> None:
    bench.follow(
        prepare="CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY);"
        " INSERT INTO t VALUES (1); INSERT INTO u VALUES (1)"
    )
    bench.there("DELETE FROM t; DELETE FROM u")
    step = Compare(publisher=Role.NEW_BLUE, subscriber=Role.BLUE_PRIME)
    runner = bench.session._runner
    assert await runner.run_step(step, yes) is Status.FAILED
    assert {each["table"] for each in bench.session.fact("tables.differ")} == {"t", "u"}
    keys = {offer.key for offer in await bench.session.repairs()}
    give_up = next(key for key in keys if key.startswith("repair/give-up/") and '"t"' in key)
    recopy = next(key for key in keys if key.startswith("repair/recopy/") and '"u"' in key)
    assert await bench.session.repair(give_up, yes) is Status.SUCCEEDED
    assert await runner.run_step(step, yes) is Status.FAILED
    assert {each["table"] for each in bench.session.fact("tables.differ")} == {"u"}
    assert await bench.session.repair(recopy, yes) is Status.SUCCEEDED
    assert bench.session.fact("tables.differ") == bench.session.fact("compare.different") == []
    assert await runner.run_step(step, yes) is Status.SUCCEEDED
    said = [each.text for each in bench.session.evidences("compare")]
    assert any("given up by name, and unlike: public.t" in text for text in said)
