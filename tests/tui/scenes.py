"""Moments of an invented night, as the screens must show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from runbook.base.downtime import Downtime
from runbook.base.offer import Pending
from runbook.base.step import Gate, Risk
from runbook.failures import Answer, Finding
from runbook.protection.dashboard import (
    ClusterView,
    Dashboard,
    Fence,
    LagView,
    Protection,
    TrafficView,
)
from runbook.run.branches import Branch
from state.enums import Outcome, Status, Track
from state.records import Effect, Event, Evidence, Holder, RunSummary
from tests.tui.fake import NOW, FakeRun, Script, Tried, ago, now, opener
from tests.tui.listed_runs import summaries
from tui.app import BlueprimeApp, RunSource

PIVOT = Gate(
    key="pivot",
    question="Stop the applications of orders and switch it over to version 18.4.",
    reversible="Until the switchover, abort undoes everything and loses nothing. After it, the way "
    "back is a rollback, which loses nothing either.",
    must_type="orders",
)

UPGRADE: tuple[Script, ...] = (
    Script("identify", "Identify the cluster", "Names move; resource ids never do."),
    Script(
        "preflight", "Check everything beforehand", "What fails now would fail inside the fence."
    ),
    Script(
        "create-deployment",
        "Create the blue/green deployment",
        "AWS copies blue and upgrades the copy.",
        Risk.REVERSIBLE,
        "abort deletes it; blue stays as it is.",
        (
            (
                "create deployment bp-k2f9qa",
                'rds.CreateBlueGreenDeployment(\n  BlueGreenDeploymentName="bp-k2f9qa",\n'
                '  Source="arn:aws:rds:us-east-1:471108150815:cluster:orders",\n'
                '  TargetEngineVersion="18.4",\n)',
            ),
        ),
    ),
    Script("await-green", "Wait for green", "Green must be available and caught up."),
    Script(
        "stop-traffic",
        "Stop the applications",
        "No write may land between freeze and capture.",
        Risk.REVERSIBLE,
        "resume-traffic lets them in again.",
    ),
    Script(
        "switchover",
        "Switch over",
        "Renames green to production; from here on undo means rollback.",
        Risk.PIVOT,
        "rollback: before traffic resumes, back to old blue; nothing is lost.",
        (
            (
                "switch over bgd-7m2k, giving up after 300 s",
                'rds.SwitchoverBlueGreenDeployment(\n  BlueGreenDeploymentIdentifier="bgd-7m2k",\n'
                "  SwitchoverTimeout=300,\n)",
            ),
        ),
        (PIVOT,),
    ),
    Script(
        "create-slots",
        "Create publications and slots",
        "The slots keep every later write; they must exist before the first of them.",
        Risk.REVERSIBLE,
        "Drop the slots and publications; the way back through blue prime ends with them.",
        (
            (
                "create publication bp_k2f9qa in orders",
                "CREATE PUBLICATION bp_k2f9qa FOR ALL TABLES",
            ),
            (
                "create slot bp_k2f9qa_1 in orders",
                "SELECT pg_create_logical_replication_slot('bp_k2f9qa_1', 'pgoutput')",
            ),
            (
                "create slot bp_k2f9qa_2 in billing",
                "SELECT pg_create_logical_replication_slot('bp_k2f9qa_2', 'pgoutput')",
            ),
        ),
    ),
    Script("resume-traffic", "Let the applications in", "The outage ends here.", Risk.REVERSIBLE),
    Script(
        "delete-deployment",
        "Delete the deployment",
        "Its lock would stop the clone.",
        Risk.REVERSIBLE,
    ),
    Script(
        "clone",
        "Clone old blue",
        "The clone is the rollback cluster; old blue stays as it is.",
        Risk.REVERSIBLE,
        "Delete the clone.",
        (
            (
                "clone orders-old1 as bp-k2f9qa-prime",
                'rds.RestoreDBClusterToPointInTime(\n  DBClusterIdentifier="bp-k2f9qa-prime",\n'
                '  RestoreType="copy-on-write",\n  SourceDBClusterIdentifier="orders-old1",\n)',
            ),
        ),
    ),
    Script(
        "clone-instances",
        "Give the clone its instances",
        "Without one nothing can be applied.",
        Risk.REVERSIBLE,
    ),
    Script("subscribe", "Subscribe blue prime", "From here it is kept in step.", Risk.REVERSIBLE),
    Script("verify-protection", "Prove the protection", "Protected is earned, never assumed."),
    Script("bake", "Watch", "The way back stays open as long as you wait."),
)

NO_DOWNTIME = Downtime()
LAGS = (
    LagView("orders", "bp_k2f9qa_1", 1_258_291, 0.8, True, "reserved", at=ago(1)),
    LagView("billing", "bp_k2f9qa_2", 20_480, 0.2, True, "reserved", at=ago(1)),
)
LAG_PAST: Mapping[tuple[str, str | None], Sequence[float | None]] = {
    ("lag_bytes", "orders"): (3, 5, 3, 4, None, None, 9, 5, 3, 4, 12, 6),
    ("lag_bytes", "billing"): (1, 1, 2, 1, None, None, 2, 1, 1, 3, 1, 1),
    ("writes_per_s", None): (210, 214, 190, 0, 0, 0, 180, 222, 217, 230, 204, 214),
}

WAYS = [
    Branch(Track.ROLLBACK, "old-blue", "Roll back to old blue",
        "nothing: no application has written to new blue",
        "minutes, the applications being down", True, "",
        ("assess", "stop-traffic", "close-new-blue", "delete-deployment", "open-old-blue",
         "switch-endpoint", "resume-traffic", "verify-end"), True),
    Branch(Track.ABORT, "", "Abort: delete green, blue stays as it is", "nothing",
        "minutes; the applications are let in first", False,
        "after the switchover there is nothing to abort", ("assess", "delete-green", "verify-end"),
        False),
    Branch(Track.ROLLBACK, "blue-prime", "Roll back to blue prime",
        "nothing: blue prime has every write", "a minute or so, the applications being down", False,
        "blue prime does not have every write",
        ("assess", "stop-traffic", "drain", "sync-sequences", "compare", "drop-subscriptions",
         "open-blue-prime", "switch-endpoint", "resume-traffic", "verify-end"), False),
    Branch(Track.COMMIT, "", "Commit: end the way back, stay on the new version",
        "the way back itself", "minutes; nothing stops", True, "",
        ("assess-commit", "drop-subscriptions", "drop-slots", "snapshot-old-blue",
         "delete-blue-prime", "verify-end"),
        False),
]  # fmt: skip


def done(*steps: str) -> dict[str, Tried]:
    """Return steps as having succeeded."""
    times = (0.4, 3.2, 662.0, 1204.0, 2.1, 21.0, 0.3, 1.1, 64.0, 310.0, 421.0, 2.2, 12.0)
    return {
        step: Tried(Status.SUCCEEDED, seconds) for step, seconds in zip(steps, times, strict=False)
    }


def events(*texts: tuple[str, str]) -> list[Event]:
    """Return a journal's tail, three seconds apart, the last one just now."""
    return [
        Event(index + 1, "k2f9qa", ago(3 * (len(texts) - index - 1)), kind, words)
        for index, (kind, words) in enumerate(texts)
    ]


def cluster(role: str, name: str, version: str, **more: object) -> ClusterView:
    """Return a cluster with two instances, seen just now."""
    values: dict[str, object] = {
        "status": "available", "instances": 2, "instances_available": 2, "at": ago(2), **more,
    }  # fmt: skip
    return ClusterView(role, name, version, **values)  # type: ignore[arg-type]


def before_switchover() -> FakeRun:
    """Green is there; the pivot is next."""
    steps = [script.key for script in UPGRADE[:5]]
    return FakeRun(
        UPGRADE,
        done(*steps),
        figures=Dashboard(
            clusters=(
                cluster("blue", "orders", "16.14", serves=True),
                cluster("green", "orders-green-k2f9qa", "18.4"),
            ),
            traffic=TrafficView(Fence.PROVED, ago(4), 0, 0.0, at=ago(1)),
            protection=Protection(False, "before the switchover blue is untouched", at=ago(1)),
            downtime=Downtime(ago(7.43)),
            deployment="AVAILABLE",
            at=ago(1),
        ),
        history=events(
            ("run", "run k2f9qa started from orders.toml"),
            ("effect", "create deployment bp-k2f9qa: succeeded"),
            ("wait", "green: AVAILABLE, 0 B behind"),
            ("traffic", "fence proved: no session, no transaction, counters stand still for 2 s"),
        ),
        seen={
            "identify": [Evidence(1, "k2f9qa", 1, "identify", "", "orders is cluster-ABCDEF, 16.14",
                                  None, ago(1790))],
        },
        offered=[replace(WAYS[1], available=True, recommended=True, why_not="")],
        measured=LAG_PAST,
    )  # fmt: skip


def during_downtime() -> FakeRun:
    """The switchover runs; the applications are down."""
    run = before_switchover()
    run.tried["switchover"] = Tried(
        Status.RUNNING, outcomes=(Outcome.SUCCEEDED,), started=ago(21.0)
    )
    run.figures = replace(
        run.figures,
        clusters=(
            cluster("blue", "orders", "16.14", serves=True, frozen=True),
            cluster("green", "orders-green-k2f9qa", "18.4", frozen=True),
        ),
        deployment="SWITCHOVER_IN_PROGRESS",
        protection=Protection(False, "switching over, writes are stopped", at=ago(1)),
        waiting="status SWITCHOVER_IN_PROGRESS; 1 of 3 databases drained",
        waiting_fraction=0.43,
    )
    run.seen["switchover"] = [
        Evidence(2, "k2f9qa", 1, "switchover", "", "guardrails passed", None, ago(20)),
        Evidence(
            3, "k2f9qa", 1, "switchover", "", "writes are stopped on both sides", None, ago(9)
        ),
    ]
    run._busy = "switchover"
    run.offered = WAYS
    return run


def protected() -> FakeRun:
    """Traffic is back and blue prime keeps up."""
    return FakeRun(
        UPGRADE,
        done(*(script.key for script in UPGRADE[:13])),
        figures=Dashboard(
            clusters=(
                cluster("new blue", "orders", "18.4", serves=True),
                cluster("old blue", "orders-old1", "16.14", frozen=True),
                cluster("blue prime", "bp-k2f9qa-prime", "16.14", frozen=True),
            ),
            lags=LAGS,
            traffic=TrafficView(Fence.OPEN, ago(900), 24, 214.0, at=ago(1)),
            protection=Protection(True, "a rollback now would lose nothing", at=ago(1)),
            downtime=Downtime(ago(900), ago(871.6)),
            at=ago(1),
        ),
        history=events(
            ("effect", "enable subscription bp_k2f9qa in orders: succeeded"),
            ("evidence", "confirmed past 0/5A3B1C8 in 2 of 2 databases"),
            ("protection", "PROTECTED: slots present, workers alive, lag under the limit"),
        ),
        offered=[replace(WAYS[2], available=True, recommended=True, why_not=""), WAYS[3]],
        measured=LAG_PAST,
    )


def failed() -> FakeRun:
    """The clone did not come up, at the second try."""
    run = protected()
    run.tried = done(*(script.key for script in UPGRADE[:9]))
    run.tried["clone"] = Tried(
        Status.FAILED,
        34.0,
        "AWS refused to clone orders-old1: the cluster is not in the available state.\n"
        "No clone was made; the slots keep every write.\n"
        "Wait until orders-old1 is available, then try the step again.",
        number=2,
        outcomes=(Outcome.FAILED,),
    )
    run.figures = replace(
        run.figures,
        clusters=run.figures.clusters[:2],
        lags=tuple(replace(lag, active=False, seconds=None) for lag in LAGS),
        protection=Protection(
            False, "capture held, no clone yet", ("there is no blue prime yet",), ago(1)
        ),
    )
    run.offered = [
        Branch(Track.ROLLBACK, "protect-then-blue-prime",
            "Finish protecting, then roll back to blue prime",
            "nothing: the slots keep every write",
            "the time of a clone and its instances", True, "", ("clone", "assess"), True),
        *WAYS[1:],
    ]  # fmt: skip
    return run


def unknown() -> FakeRun:
    """The answer to the switchover was lost, and nothing can be measured."""
    run = before_switchover()
    run.tried["switchover"] = Tried(
        Status.UNKNOWN,
        31.0,
        "It is unknown whether this happened: switch over bgd-7m2k (the connection was lost).\n"
        "Nothing further was tried.\n"
        "Look at the object, then adopt, retry or mark it failed on the resume screen.",
        outcomes=(Outcome.UNKNOWN,),
    )
    run.figures = Dashboard(
        clusters=(
            cluster("blue", "orders", "16.14", error="DescribeDBClusters: Throttling"),
            cluster("green", "orders-green-k2f9qa", "18.4", at=ago(94)),
        ),
        lags=(
            LagView("orders", "bp_k2f9qa_1", None, None, None, "unknown", "no answer for 30 s",
                    ago(94)),
        ),
        traffic=TrafficView(Fence.UNKNOWN, ago(94), None, None, "no connection to orders", ago(94)),
        protection=Protection(True, "a rollback now would lose nothing", at=ago(94)),
        downtime=Downtime(ago(101.27)),
        at=ago(94),
    )  # fmt: skip
    run.pending = [
        Pending(
            Effect(7, 3, "bgd-7m2k/switchover", "switch over bgd-7m2k, giving up after 300 s",
                   UPGRADE[5].effects[0][1], ago(101), Outcome.UNKNOWN, ago(94),
                   {"error": "the connection was lost"}, ""),
            "switchover",
            Finding(Answer.YES, "the deployment is SWITCHOVER_COMPLETED"),
            ("adopt", "failed", "branch"),
        )
    ]  # fmt: skip
    return run


def rolled_onto() -> FakeRun:
    """The run was branched onto the rollback track."""
    run = protected()
    keys = WAYS[2].steps
    run.before = [(Track.UPGRADE, UPGRADE, dict(run.tried))]
    run.track, run.variant = Track.ROLLBACK, "blue-prime"
    run.scripts = [
        Script(key, f"{key.replace('-', ' ').capitalize()}", "As agreed.") for key in keys
    ]
    run.tried = done(*keys[:2])
    return run


def hostile() -> FakeRun:
    """Names that try to be markup, control codes, or another direction of writing."""
    run = protected()
    name = "[red]x[/] \x1b[31m‮evil\nשלום 🦊[@click=app.quit]q[/]"
    run.cluster = name
    run.figures = replace(
        run.figures,
        clusters=tuple(replace(view, name=name, status="[b]odd") for view in run.figures.clusters),
        lags=tuple(replace(lag, database=name, reason="[/]\x07" + name) for lag in LAGS),
        protection=Protection(False, name, (name,), ago(1)),
    )
    run.history = events(("note", name), ("effect", "[blink]no[/blink]"))
    run.seen["bake"] = [Evidence(1, "k2f9qa", 1, "bake", "", name, None, ago(3))]
    return run


HOLDER = Holder("db-ops-3", 4711, "mira", ago(600))


def app(
    model: FakeRun | None = None,
    *,
    runs: Sequence[RunSummary] | None = None,
    at: str = "",
    home: Path = Path("/nonexistent"),
) -> BlueprimeApp:
    """Return the app over a run in memory, opened at once where `at` names it."""
    opened = model or protected()

    async def start_run(plan: Path) -> FakeRun:
        opened.calls.append(("start", str(plan)))
        return opened

    doors = RunSource(
        list_runs=lambda: list(summaries() if runs is None else runs),
        open_run=opener(opened),  # type: ignore[arg-type]
        start_run=start_run,  # type: ignore[arg-type]
    )
    return BlueprimeApp(doors, home=home, at=at, badge="REHEARSAL", now=now)


__all__ = ["NOW", "app"]
