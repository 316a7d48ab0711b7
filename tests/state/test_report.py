"""The report of an invented night, and of runs at their oddest."""

import json
from pathlib import Path

import pytest

from state.enums import Outcome, Result, Status, Track
from state.errors import NoSuchRun
from state.journal import Journal
from state.report import Format, report
from tests.state import night
from tests.state.invented import start

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("fmt", ["md", "json"])
def test_the_report_of_a_night(journal: Journal, tmp_path: Path, fmt: Format) -> None:
    night.live_through(journal)
    told = report(journal, "k2", fmt)
    actual = tmp_path / f"night.{fmt}"
    actual.write_text(told)
    golden = GOLDEN / actual.name
    assert told == golden.read_text(), f"if this is as it should be: cp {actual} {golden}"


def test_what_steps_did_not_do_is_told_until_it_is_repaired(journal: Journal) -> None:
    run = start(journal, "k2f9", cluster="orders").id
    for words in ("2 tables of `orders` were not analyzed: a | b", ""):
        journal.evidence(run, "validate-green", words, key="warning.repaired", value=words)
    words = "2 views of orders were not refreshed: public.| `v`"
    journal.evidence(run, "open-blue-prime", words, key="warning.refresh", value=words)
    (told,) = json.loads(report(journal, run, "json"))["warnings"]
    assert (told["step"], told["value"]) == ("open-blue-prime", words)
    page = report(journal, run, "md")
    chapter = page.split("## Done, but\n")[1].split("##")[0]
    assert chapter.strip() == (
        "- open-blue-prime: 2 views of orders were not refreshed: public.\\| \\`v\\`"
    )


def test_the_report_is_the_same_from_a_journal_that_is_watched(
    journal: Journal, path: Path
) -> None:
    night.live_through(journal)
    with Journal.open(path, writer=False) as watching:
        assert report(watching, "", "md") == report(journal, "k2f9", "md")


@pytest.mark.parametrize("fmt", ["md", "json"])
def test_no_secret_is_told(journal: Journal, fmt: Format) -> None:
    night.live_through(journal)
    assert "hunter2" not in report(journal, "k2f9", fmt)


def test_each_row_of_a_table_has_the_cells_of_its_head(journal: Journal) -> None:
    night.live_through(journal)
    tables = 0
    cells = 0
    for line in report(journal, "k2f9", "md").splitlines():
        if not line.startswith("| "):
            cells = 0
            continue
        found = line.replace("\\|", "").count("|")
        tables += not cells
        cells = cells or found
        assert found == cells, line
    assert tables


def test_a_run_without_a_step_is_told(journal: Journal) -> None:
    start(journal)
    told = report(journal, "run1", "md")
    assert "No step was tried." in told
    assert "nothing was touched" in told
    assert "under way" in told
    assert json.loads(report(journal, "run1", "json"))["downtime"] == {
        "upgrade": None,
        "rollback": None,
    }


def test_of_an_open_run_it_is_told_where_it_rested_last_and_not_that_it_does(
    journal: Journal,
) -> None:
    run = start(journal, "k2f9", cluster="orders").id
    journal.set_result(run, Result.PROTECTED)
    told = report(journal, run, "md")
    assert told.startswith("# Run k2f9: orders, open, last at rest as protected\n")
    journal.close_run(run, Result.COMMITTED)
    assert report(journal, run, "md").startswith("# Run k2f9: orders, committed\n")


def test_what_is_not_known_comes_first_and_is_not_called_good(journal: Journal) -> None:
    start(journal)
    attempt = journal.begin_attempt("run1", "switchover").id
    journal.intend(attempt, "k", "Switch over", "rds.SwitchoverBlueGreenDeployment()")
    journal.mark_unknown("run1")
    attempt = journal.begin_attempt("run1", "await-green").id
    journal.mark_unknown("run1")
    journal.close_run("run1", Result.FAILED)
    told = report(journal, "run1", "md")
    assert told.index("## Not known") < told.index("## Timeline")
    assert "- switchover, attempt 1: whether “Switch over” happened." in told
    assert "- await-green, attempt 1: how it ended." in told
    assert Status.SUCCEEDED not in told


def test_what_a_later_attempt_found_out_is_known(journal: Journal) -> None:
    start(journal)
    first = journal.begin_attempt("run1", "drop-subscriptions").id
    journal.intend(first, "slot", "Drop slot", "")
    journal.intend(first, "other", "Drop other", "")
    journal.mark_unknown("run1")
    second = journal.begin_attempt("run1", "drop-subscriptions").id
    journal.settle(journal.intend(second, "slot", "Drop slot", ""), Outcome.ADOPTED)
    told = report(journal, "run1", "md")
    assert "whether “Drop other” happened" in told
    assert "whether “Drop slot” happened" not in told


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"seconds": 7.44}, "7.4 s"),
        ({"seconds": 32.0, "at_least": True}, "at least 32 s"),
        ({"seconds": 59.7}, "1 min 00 s"),
        ({"seconds": 9.97}, "10 s"),
        ({"seconds": 3599.6}, "1 h 00 min"),
        ({"seconds": None, "started_at": "2026-05-02T23:00:00Z"}, "unknown, began 2026-05-02"),
        ({"seconds": True}, "unknown"),
        ({"seconds": 2, "started_at": "noon", "ended_at": "one"}, "2.0 s (noon to one)"),
        ("long", "not recorded"),
        (None, "not recorded"),
    ],
)
def test_downtime_is_told_or_said_to_be_unknown(
    journal: Journal, value: object, expected: str
) -> None:
    start(journal)
    journal.evidence("run1", "resume-traffic", "", key="downtime.upgrade", value=value)
    assert f"| downtime, upgrade | {expected}" in report(journal, "run1", "md")


def test_each_time_the_applications_were_down_is_told(journal: Journal) -> None:
    """A rollback that was called off, and one that was not; the latter was measured twice."""
    start(journal)
    outages = [
        ("rollback", {"started_at": "2026-05-02T01:00:00Z", "seconds": 40.0}),
        ("upgrade", {"started_at": "2026-05-02T00:00:00Z", "seconds": 3.0}),
        ("rollback", {"started_at": "2026-05-02T02:00:00Z", "seconds": 7.0}),
        ("rollback", {"started_at": "2026-05-02T02:00:00Z", "seconds": 8.0}),
    ]
    for phase, value in outages:
        journal.evidence("run1", "resume-traffic", "", key=f"downtime.{phase}", value=value)
    told = json.loads(report(journal, "run1", "json"))
    assert [(each["phase"], each["seconds"]) for each in told["outages"]] == [
        ("rollback", 40.0),
        ("upgrade", 3.0),
        ("rollback", 8.0),
    ]
    assert told["downtime"]["rollback"]["seconds"] == 8.0
    page = report(journal, "run1", "md")
    assert page.index("| downtime, rollback | 40 s") < page.index("| downtime, rollback | 8.0 s")


def test_a_forced_way_and_what_it_gave_up_are_told_at_the_head(journal: Journal) -> None:
    start(journal)
    assert json.loads(report(journal, "run1", "json"))["forced"] == []
    journal.enter_track("run1", Track.ROLLBACK, variant="forced")
    attempt = journal.begin_attempt("run1", "assess-forced").id
    lost = "shop: 4,096 bytes and 2.0 s behind"
    journal.evidence("run1", "assess-forced", "", key="forced.loss", value=lost, attempt=attempt)
    head, _, _ = report(journal, "run1", "md").partition("## ")
    assert "not taken to its end; at stake: shop: 4,096 bytes" in head
    journal.evidence("run1", "open", "", key="given-up", value="new blue", attempt=attempt)
    head, _, _ = report(journal, "run1", "md").partition("## ")
    assert "| FORCED WAY | taken, as assessed at " in head
    assert "; new blue was given up: shop" in head
    assert lost in head
    journal.evidence("run1", "shut", "", key="given-up", value="", attempt=attempt)
    (told,) = json.loads(report(journal, "run1", "json"))["forced"]
    assert (told["taken"], told["cluster"], told["lost"]) == (True, "new blue", lost)


def test_no_run_no_report(journal: Journal) -> None:
    with pytest.raises(NoSuchRun):
        report(journal, "x", "md")
