"""Old blue between the freeze and the clone, and both sides of a rollback until one is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Step, Watch
from runbook.procedure.steps.protect.blue_prime import Clone, CloneInstances, FreezeOldBlue
from runbook.procedure.steps.rollback.counters import Compare
from runbook.procedure.steps.rollback.fail_back import CloseCluster
from runbook.procedure.steps.traffic import ResumeTraffic, StopTraffic
from runbook.proofs import cutover, write_fence
from state.enums import Status
from state.standing import standing
from tests.postgres.conftest import MASTER, Pair
from tests.postgres.fenced import CAPTURE, PRIME, Night, fenced_night, plan_for

INSERT = "INSERT INTO public.t VALUES (5)"
NAMED = "table public.t: 1 inserted, 0 updated, 0 deleted"


@pytest.fixture
async def night(
    pair: Pair, database: str, application: str, tmp_path: Path
) -> AsyncIterator[Night]:
    async with fenced_night(pair, tmp_path, database, plan_for(application)) as made:
        yield made


async def frozen(night: Night) -> None:
    """Go on until the capture is held and the applications are let in again."""
    await night.fenced()
    await night.succeeds(CAPTURE)
    night.keep("traffic", {"open": True, "on": "new blue"})


async def cloned(night: Night) -> None:
    await frozen(night)
    await night.succeeds(FreezeOldBlue())
    await night.succeeds(Clone())


async def before_the_lock_ends(night: Night) -> Step:
    await frozen(night)
    night.write(16, INSERT)
    return FreezeOldBlue()


async def between_hold_and_clone(night: Night) -> Step:
    await frozen(night)
    await night.succeeds(FreezeOldBlue())
    night.write(16, INSERT)
    return Clone()


async def during_the_clone(night: Night) -> Step:
    await frozen(night)
    await night.succeeds(FreezeOldBlue())
    states = iter(("creating", "available"))

    def looked() -> str:
        state = next(states, "available")
        if state == "creating":
            night.write(16, INSERT)
        return state

    night.rds.looked = looked
    return Clone()


@pytest.mark.parametrize("reach", [before_the_lock_ends, between_hold_and_clone, during_the_clone])
async def test_a_write_on_old_blue_until_it_is_cloned_is_named(
    night: Night, reach: Callable[[Night], Any]
) -> None:
    await night.fails(await reach(night), "Old blue has changed since the freeze", NAMED, "🐘")


async def test_a_write_on_old_blue_after_the_clone_is_named_and_stops_nothing(
    night: Night,
) -> None:
    await cloned(night)
    await night.succeeds(CloneInstances())
    assert not any("WRITTEN" in text for text in night.seen("clone-instances"))
    night.write(16, INSERT)
    await night.succeeds(CloneInstances())
    assert any("WRITTEN on old blue" in t and NAMED in t for t in night.seen("clone-instances"))


async def test_a_prepared_transaction_on_old_blue_is_a_change(night: Night) -> None:
    await frozen(night)
    night.write(16, f"BEGIN; {INSERT}; PREPARE TRANSACTION 'left'")
    await night.fails(FreezeOldBlue(), "has changed", "prepared transaction 'left' of")


async def test_upkeep_of_old_blue_is_no_write(night: Night) -> None:
    await frozen(night)
    for statement in (
        "ANALYZE",
        "VACUUM",
        "VACUUM FREEZE public.t",
        "CHECKPOINT",
        "SELECT count(*) FROM public.t",
        "SELECT pg_current_xact_id()",
    ):
        night.write(16, statement)
    await night.succeeds(FreezeOldBlue())


async def test_a_restart_of_old_blue_is_no_write_and_a_crash_cannot_be_told(night: Night) -> None:
    night.write(16, "SELECT nextval('public.s')")
    await frozen(night)
    server = night.pair.servers[16]
    server.stop()
    server.start()
    await night.succeeds(FreezeOldBlue())
    server.stop("immediate")
    server.start()
    night.write(16, "SELECT pg_current_xact_id()")
    await night.fails(
        FreezeOldBlue(), "cannot be proved unchanged", "statistics were reset or lost"
    )
    (gate,) = await FreezeOldBlue().gates(night.context)
    assert gate.must_type == "orders"


async def test_rows_prove_what_marks_cannot_while_the_applications_are_out(night: Night) -> None:
    await night.fenced()
    await night.succeeds(CAPTURE)
    night.write(16, "SELECT pg_stat_reset(), pg_current_xact_id()")
    await night.succeeds(FreezeOldBlue())
    assert any("every row equals new blue's" in text for text in night.seen("freeze-old-blue"))
    night.write(16, INSERT)
    await night.fails(FreezeOldBlue(), "cannot be proved unchanged")


# Going back to blue prime, for which the other server stands.


class Still(Step):
    """What the comparison ends with."""

    key = "compare"

    async def verify(self, context: RunContext, watch: Watch) -> None:
        await cutover.prove_equal_still(context, watch, Role.NEW_BLUE, Role.BLUE_PRIME)


CLOSE = CloseCluster(Role.NEW_BLUE, Role.BLUE_PRIME)
CLOSE_FOR_OLD_BLUE = CloseCluster(Role.NEW_BLUE, Role.OLD_BLUE)
RESUME = ResumeTraffic(
    on=Role.BLUE_PRIME,
    closed=(Role.NEW_BLUE,),
    captured=False,
    phase="rollback",
    leaves=Role.NEW_BLUE,
)
STOP = StopTraffic(on=Role.NEW_BLUE)


async def compared(night: Night) -> None:
    """Stop the traffic of new blue, and compare it with blue prime."""
    night.bind(Role.BLUE_PRIME, PRIME)
    await night.succeeds(STOP)
    databases = await night.context.databases(Role.NEW_BLUE)
    night.keep("capture", {"databases": databases, "publisher": "new blue", "slots": {}})
    await night.succeeds(Compare(Role.NEW_BLUE, Role.BLUE_PRIME))
    night.keep("detached", value=True)


async def test_a_rollback_of_two_sides_that_stand_still_is_proved(night: Night) -> None:
    await compared(night)
    night.write(18, "ANALYZE")
    await night.succeeds(CLOSE)
    assert any("nothing was written on new blue since" in t for t in night.seen("close-new-blue"))


async def test_a_write_on_new_blue_until_it_was_compared_is_named(night: Night) -> None:
    night.bind(Role.BLUE_PRIME, PRIME)
    await night.succeeds(STOP)
    for major in (16, 18):
        night.write(major, INSERT)
    await night.fails(Still(), "written while the applications were stopped", NAMED, "loses nothi")


async def test_a_session_of_monitoring_is_settled_by_the_rows_and_holds_nothing_up(
    night: Night,
) -> None:
    with night.pair.client(18, night.database, MASTER) as client:
        client.execute("SELECT 1")
        await compared(night)
        night.write(18, "SELECT pg_current_xact_id()")
        client.execute("SELECT 1")
        await night.succeeds(CLOSE)
        client.execute(INSERT)
        # By its rows while the session holds its counts back, else by the counts.
        message = await night.fails(CLOSE, "may differ since", "public.t: ")
        assert "3 rows here, 2 rows on the other" in message or "1 inserted" in message


@pytest.mark.parametrize(
    ("major", "words"), [(18, NAMED), (16, "public.t: 2 rows here, 3 rows on the other side")]
)
async def test_a_write_on_either_side_after_the_comparison_is_named_before_the_other_opens(
    night: Night, major: int, words: str
) -> None:
    await compared(night)
    night.write(major, INSERT)
    await night.fails(CLOSE, "may differ since they were compared", words)
    status, _ = await night.run(CLOSE, night.no)
    assert status is Status.READY
    assert words in night.asked[0].question
    assert night.asked[0].must_type == "orders"
    await night.succeeds(CLOSE)


async def test_a_write_on_new_blue_on_the_way_to_old_blue_is_named(night: Night) -> None:
    await night.fenced()
    await night.succeeds(CAPTURE)
    await night.succeeds(STOP)
    await night.succeeds(CLOSE_FOR_OLD_BLUE)
    night.write(18, f"SET default_transaction_read_only = off; {INSERT}")
    await night.fails(
        CLOSE_FOR_OLD_BLUE, "not proved that old blue has every write", "public.t: 3 rows here"
    )


async def test_a_write_on_new_blue_after_another_was_opened_is_named(night: Night) -> None:
    await compared(night)
    await night.succeeds(CLOSE)
    night.write(18, f"SET default_transaction_read_only = off; {INSERT}")
    await night.succeeds(RESUME)
    named = [text for text in night.seen("resume-traffic") if text.startswith("WRITTEN")]
    assert len(named) == 1
    assert "new blue behind the fence, and on no other cluster" in named[0]
    assert NAMED in named[0]


@pytest.mark.parametrize(
    ("lost", "major", "words"),
    [
        ("fence.new-blue", 18, "public.t: 3 rows here"),
        ("marks.new-blue", 18, "public.t: 3 rows here"),
        ("fence.blue-prime", 16, "public.t: 2 rows here, 3 rows on"),
    ],
)
async def test_without_a_kept_look_the_rows_of_both_sides_are_the_only_verdict(
    night: Night, lost: str, major: int, words: str
) -> None:
    await compared(night)
    night.keep(lost, None)
    await night.succeeds(CLOSE)
    told = [text for text in night.seen("close-new-blue") if "every row of" in text]
    assert told
    assert night.database in told[0]
    night.write(major, f"SET default_transaction_read_only = off; {INSERT}")
    message = await night.fails(CLOSE, "may differ since they were compared")
    assert words in message or NAMED in message


@pytest.mark.parametrize("lost", ["fence.new-blue", "marks.new-blue"])
async def test_what_cannot_be_told_of_the_closed_side_is_a_warning_not_silence(
    night: Night, lost: str
) -> None:
    await compared(night)
    await night.succeeds(CLOSE)
    night.keep(lost, None)
    status, message = await night.run(RESUME)
    assert status is Status.SUCCEEDED
    assert "behind the fence, and on no other cluster, cannot be told" in message
    assert [each.step for each in standing(night.journal, "k3f9qa")] == ["resume-traffic"]


async def test_a_closed_side_that_cannot_be_looked_at_is_not_said_to_take_no_write(
    night: Night,
) -> None:
    await compared(night)
    await night.succeeds(CLOSE)
    night.pair.servers[18].stop()
    try:
        status, message = await night.run(RESUME)
    finally:
        night.pair.servers[18].start()
    assert status is Status.SUCCEEDED, message
    assert "Whether anything was written on new blue behind the fence" in message
    assert "is not known: it could not be looked at" in message
    assert not any("takes no write" in text for text in night.seen("resume-traffic"))


async def test_old_blue_that_does_not_answer_holds_nothing_up(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_fence, "OLD_BLUE_S", 0.2)
    await night.fenced()
    night.pair.servers[16].stop()
    try:
        await night.succeeds(CAPTURE)
    finally:
        night.pair.servers[16].start()
    assert any("old blue does not answer" in text for text in night.seen("create-slots"))
    await night.succeeds(FreezeOldBlue())
