"""What a journal still says of a run that was read anew: nothing of the past that it missed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook import recovery
from runbook.aws import Aws
from runbook.base import clocks, server_names
from runbook.base.context import RunContext
from runbook.base.downtime import downtime
from runbook.base.pair import locked_roles
from runbook.failures import Refused as NoTrace
from runbook.ownership import holder
from runbook.ownership.holder import HolderTag
from runbook.ownership.tags import Region
from runbook.plan.model import from_json
from runbook.preflight import plans
from runbook.procedure.steps.shared import checks
from runbook.recovery import Adoption, Ended, Standing, infer
from runbook.recovery.cluster_roles import ClusterRoles
from runbook.recovery.evidence import RecoveryEvidence
from runbook.recovery.found import Draft
from runbook.recovery.stays import Past, Stay, StayEvidence
from runbook.run import checklist
from runbook.watch.position import position, switchover_asked
from runbook.watch.position_table import RunPosition
from state.enums import Environment, Outcome, Result, Status, Track
from state.errors import HandedOver, Refused
from state.journal import Journal
from state.report import collect, report
from tests.recovery.test_who_is_who import cluster
from tests.runbook.told import PLAN

RUN = "k3f9qa"

OF_THE_CLUSTERS = (
    *("role.green", "role.blue-prime", "production", "databases", "parameters.made", "deployment"),
    *("preflight", "preflight.result", "preflight.changed", "traffic", "endpoint", "roles.able"),
    *("roles.locked", "serving.blue", "switchover", "switchover.returned", "fence", "fence.green"),
    *(
        "fence.unproved",
        "fence.slipped",
        "marks.blue",
        "marks.old-blue",
        "freeze.unproved",
        holder.LEFT_BEHIND,
    ),
    *("old-blue.written", "old-blue.lacks", "new-blue.written", "blue-prime.written"),
    *("closed.lost", "capture", "capture.new-blue", "slots", "subscribed", "detached", "conflicts"),
    *("schema", "drift", "compare.live", "compare.different", "compare.orders", "tables.differ"),
    *("tables.mended", "tables.given-up", "protection", "repair/recopy/orders", "left-behind"),
)
KEPT = {
    plans.FACT: PLAN,
    checks.ACCEPTED: ["sequences"],
    clocks.FACT: [],
    server_names.FACT: {"db-A": "orders-1"},
    "downtime.upgrade": {"seconds": 4.0, "started_at": "2026-05-02T23:14:05Z"},
}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.db") as opened:
        start(opened, RUN)
        yield opened


def start(journal: Journal, run: str, **other: str) -> None:
    cluster = {**PLAN["cluster"], **other}
    journal.start_run(
        run,
        cluster=cluster["identifier"],
        cluster_resource_id=cluster["resource_id"],
        account=cluster["account"],
        region=cluster["region"],
        environment=Environment.REHEARSAL,
        plan=PLAN,
        plan_path="/plans/orders.toml",
    )


def found(*stays: Stay, facts: dict[str, Any] | None = None) -> Adoption:
    """Return what an adoption has told of the run."""
    draft = Draft()
    for key, value in (facts or {}).items():
        draft.keep(key, value, key)
    aws = cast(Aws, SimpleNamespace(environment=Environment.REHEARSAL))
    plan = from_json(PLAN)
    context = RunContext(run=RUN, plan=plan, journal=draft, aws=aws)
    evidence = RecoveryEvidence(context, draft, cast(Any, None), {}, locks=True)
    return Adoption(RUN, plan, "", evidence, [*stays] or [Stay(Track.UPGRADE)], "identify")


def read_anew(journal: Journal, *stays: Stay, facts: dict[str, Any] | None = None) -> RunContext:
    """Read the run anew, and return the world as its journal tells it then."""
    standing = Standing(journal.run(RUN), "was left behind: ada on laptop-1 holds it")
    recovery.write(journal, found(*stays, facts=facts), Path("p"), standing, locked=(), who="ben")
    plan = from_json(PLAN)
    return RunContext(run=RUN, plan=plan, journal=journal, aws=cast(Aws, None))


def tried(journal: Journal, step: str, key: str = "", run: str = RUN) -> int:
    """Let a step have made a change, and return its attempt."""
    attempt = journal.begin_attempt(run, step).id
    effect = journal.intend(attempt, key or step, step, step)
    journal.settle(effect, Outcome.SUCCEEDED, {"called_at": "then"})
    journal.end_attempt(attempt, Status.SUCCEEDED)
    return attempt


def test_every_fact_that_speaks_of_the_clusters_is_emptied(journal: Journal) -> None:
    for key in OF_THE_CLUSTERS:
        journal.evidence(RUN, "a-step", "seen", key=key, value={"of": "the past"})
    for key, value in KEPT.items():
        journal.evidence(RUN, "a-step", "seen", key=key, value=value)
    context = read_anew(journal, facts={"endpoint": {"on": "blue prime"}})
    assert {key: context.fact(key) for key in KEPT} == KEPT
    left = {key: context.fact(key) for key in OF_THE_CLUSTERS if context.fact(key) is not None}
    assert left == {"endpoint": {"on": "blue prime"}}
    past = [each.value for each in journal.evidences(RUN, key="capture")]
    assert past == [{"of": "the past"}, None], "the history stays"


def test_what_was_done_before_says_nothing_of_the_present(journal: Journal) -> None:
    journal.evidence(RUN, "identify", "", key="roles.able", value=["app"])
    tried(journal, "stop-traffic")
    tried(journal, "switchover", "bgd-1/switchover")
    journal.begin_attempt(RUN, "create-slots")
    context = read_anew(journal)
    assert not context.begun("stop-traffic")
    assert context.done("bgd-1/switchover") is None
    assert locked_roles(context) == ()
    assert not switchover_asked(context, journal)
    assert position(context, journal) is RunPosition.BEFORE_SWITCHOVER
    listed = checklist.read(journal, RUN)
    assert [section.entry.track for section in listed.sections] == [Track.UPGRADE]
    assert listed.next is not None
    assert listed.next.step == "identify"
    (summary,) = journal.runs()
    assert (summary.step, summary.status) == ("", Status.PENDING)


def test_what_is_inferred_says_it(journal: Journal) -> None:
    tried(journal, "stop-traffic")
    effect = StayEvidence(
        "bgd-1/switchover", "switch over", "call", "it was made", {"called_at": "now"}
    )
    past = Past("switchover", Status.SUCCEEDED, "it was made", (effect,))
    context = read_anew(
        journal, Stay(Track.UPGRADE, past=[past]), Stay(Track.ROLLBACK, "blue-prime")
    )
    assert context.begun("switchover")
    assert not context.begun("stop-traffic")
    assert (context.done("bgd-1/switchover") or {})["called_at"] == "now"
    assert switchover_asked(context, journal)
    sections = checklist.read(journal, RUN).sections
    assert [section.entry.track for section in sections] == [Track.UPGRADE, Track.ROLLBACK]


def test_a_track_that_was_left_behind_has_ended_nothing(journal: Journal) -> None:
    journal.enter_track(RUN, Track.COMMIT)
    gone = Past(
        "drop-subscriptions", Status.SUCCEEDED, "it is gone", (StayEvidence("a", "a", "a", "seen"),)
    )
    context = read_anew(journal, Stay(Track.UPGRADE), Stay(Track.CLEANUP, past=[gone]))
    assert position(context, journal) is RunPosition.BEFORE_SWITCHOVER


def test_a_second_reading_leaves_the_first_behind(journal: Journal) -> None:
    past = Past("stop-traffic", Status.FAILED, "again", (StayEvidence("a", "a", "a", "seen"),))
    assert read_anew(journal, Stay(Track.UPGRADE, past=[past])).begun("stop-traffic")
    assert not read_anew(journal).begun("stop-traffic")
    assert len(checklist.read(journal, RUN).sections) == 1


def test_an_outage_that_went_on_then_is_given_no_end(journal: Journal) -> None:
    stopped = {"open": False, "on": ""}
    attempt = tried(journal, "stop-traffic")
    journal.evidence(RUN, "stop-traffic", "", key="traffic", value=stopped, attempt=attempt)
    assert downtime(journal, RUN).started_at is not None
    read_anew(journal, facts={"traffic": {"open": True, "on": "blue prime"}})
    assert downtime(journal, RUN).started_at is None
    read_anew(journal, facts={"traffic": stopped})
    clock = downtime(journal, RUN)
    assert clock.started_at == journal.evidences(RUN, key="traffic")[-1].at, "begins with it"
    assert (clock.ended_at, clock.earlier_s) == (None, 0.0)


def test_a_closed_run_is_open_again_and_its_report_tells_both(journal: Journal) -> None:
    tried(journal, "stop-traffic")
    journal.close_run(RUN, Result.ABORTED)
    journal.publish(RUN, {"protection": {"protected": True}})
    read_anew(journal)
    run = journal.run(RUN)
    assert (run.open, run.result) == (True, None)
    assert "protected" not in str(journal.live(RUN)).replace("'protected': None", "")
    told = collect(journal, RUN)["tracks"]
    assert [attempt["step"] for attempt in told[0]["attempts"]] == ["stop-traffic"]
    assert "Read anew from the clusters: this journal was left behind: ada" in report(
        journal, RUN, "md"
    )


@pytest.mark.parametrize(
    ("own", "seen", "kept"), [(None, 3, 3), (2, 3, 3), (5, 3, 5), (2, None, 2)]
)
def test_the_number_of_the_mark_never_falls(
    journal: Journal, own: int | None, seen: int | None, kept: int
) -> None:
    if own is not None:
        journal.evidence(RUN, "a", "", key=holder.FACT, value={"number": own, "claim": "aaaaaaaa"})
    facts = {} if seen is None else {holder.FACT: {"number": seen, "claim": "bbbbbbbb"}}
    assert (read_anew(journal, facts=facts).fact(holder.FACT) or {})["number"] == kept


async def stand(journal: Journal) -> Standing:
    """Return how a journal stands that has none of the run, but maybe another."""
    return await recovery.stand(journal, found())


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Journal]:
    """A second machine's journal, with an own run of the same cluster, at its preflight."""
    with Journal.open(tmp_path / "second.db") as opened:
        start(opened, "z9y8x7")
        opened.begin_attempt("z9y8x7", "preflight")
        yield opened


@pytest.mark.parametrize(
    ("number", "claim", "told"),
    [
        (3, "cccccccc", "was left behind: ada on laptop-1 ended it at 2026-05-03 01:00:00 UTC"),
        (4, "dddddddd", "was left behind: ada on laptop-1 ended it at 2026-05-03 01:00:00 UTC"),
        (4, "cccccccc", "was left behind: ben on laptop-2 holds it"),
    ],
    ids=["a lower number", "another claim", "told so before the marks were taken away"],
)
async def test_a_journal_that_was_left_behind_is_told_by_the_mark(
    journal: Journal, number: int, claim: str, told: str
) -> None:
    own = {"number": number, "claim": claim}
    journal.evidence(RUN, "a-step", "", key=holder.FACT, value=own)
    journal.evidence(RUN, "a-step", "", key=holder.LEFT_BEHIND, value="ben on laptop-2")
    seen = found()
    (blue,) = region_of(ENDED, "cluster-A").clusters
    seen.evidence.roles = ClusterRoles("orders", RUN, "cluster-A", blue, None, None, None)
    assert await recovery.stand(journal, seen) == Standing(journal.run(RUN), told)


async def test_an_idle_run_of_the_cluster_is_closed_with_words(second: Journal) -> None:
    standing = await stand(second)
    assert standing.idle is not None
    recovery.write(second, found(), Path("p"), standing, locked=(), who="ben")
    idle = second.run("z9y8x7")
    assert (idle.open, idle.result) == (False, Result.ABORTED)
    words = [event.text for event in second.events("z9y8x7")]
    assert f"run: it has changed nothing; run {RUN} of the same cluster is adopted instead" in words
    assert second.run(RUN).open


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.FAILED, None])
async def test_a_run_that_has_changed_something_or_may_have_is_in_the_way(
    second: Journal, outcome: Outcome | None
) -> None:
    effect = second.intend(1, "bp-z9y8x7-pg", "create the group bp-z9y8x7-pg", "call")
    if outcome is not None:
        second.settle(effect, outcome)
    with pytest.raises(Refused) as refused:
        await stand(second)
    assert "Run z9y8x7 of cluster orders is open in this journal" in str(refused.value)
    assert "create the group bp-z9y8x7-pg" in str(refused.value)
    assert "blueprime auto z9y8x7 --track abort" in str(refused.value)


async def test_a_run_that_has_marked_the_clusters_is_in_the_way(second: Journal) -> None:
    second.evidence("z9y8x7", "a", "", key=holder.FACT, value={"number": 1, "claim": "aaaaaaaa"})
    with pytest.raises(Refused, match="has taken hold of the clusters"):
        await stand(second)


async def test_a_run_of_another_cluster_is_not(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "other.db") as journal:
        start(journal, "z9y8x7", identifier="billing", resource_id="cluster-B")
        assert await stand(journal) == Standing()


async def test_a_run_that_is_with_another_machine_is_left_alone(journal: Journal) -> None:
    journal.give(RUN, to="ben")
    with pytest.raises(HandedOver):
        await stand(journal)


ENDED = HolderTag(
    RUN, 4, "cccccccc", "ada", "laptop-1", datetime(2026, 5, 3, 1, tzinfo=UTC), ended=True
)


def region_of(mark: HolderTag, resource_id: str) -> Region:
    """Return a region with production alone, which bears a mark."""
    tags = {holder.HOLDER_TAG: mark.text()}
    return Region((cluster("orders", resource_id, tags=tags),), (), {})


@pytest.mark.parametrize(
    ("production", "stands"),
    [("cluster-A", RunPosition.ABORTED), ("cluster-GREEN", RunPosition.COMMITTED)],
)
def test_a_run_that_ended_elsewhere_and_left_nothing_is_closed(
    journal: Journal, production: str, stands: RunPosition
) -> None:
    tried(journal, "switchover")
    journal.evidence(RUN, "a-step", "", key="protection", value={"protected": True})
    with pytest.raises(Ended, match="ada on laptop-1 ended it at 2026-05-03 01:00:00") as ended:
        infer._chosen(region_of(ENDED, production), "orders", "", None)
    recovery.close_ended(journal, journal.run(RUN), ended.value, who="ben")
    run = journal.run(RUN)
    assert (run.open, run.result) == (False, Result.CLEANED)
    context = RunContext(run=RUN, plan=from_json(PLAN), journal=journal, aws=cast(Aws, None))
    assert position(context, journal) is stands
    assert (context.fact(holder.FACT) or {})["claim"] == "cccccccc"


@pytest.mark.parametrize(("ended", "run"), [(False, ""), (True, "z9y8x7")])
def test_a_mark_of_another_run_or_of_one_that_goes_on_closes_nothing(ended: bool, run: str) -> None:
    region = region_of(replace(ENDED, ended=ended), "cluster-A")
    with pytest.raises(NoTrace, match="No trace of"):
        infer._chosen(region, "orders", run, None)
