"""Production that does not answer: down, or only not seen from here; and what is left then."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from runbook.aws.facts import Cluster
from runbook.base.alert import ProbeResult as Found
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Gate
from runbook.failures import Refused, StepFailed
from runbook.ownership import serving
from runbook.ownership.serving import ClusterUse
from runbook.postgres.connect import CannotConnect, WrongServer
from runbook.procedure.steps.rollback import forced
from runbook.protection.dashboard import (
    ClusterView,
    Dashboard,
    LagView,
    Production,
    Serving,
    Silent,
)
from runbook.watch.monitor import Monitor
from runbook.watch.probes.production import Asked, Witness, does_not, news
from runbook.watch.probes.workers import WorkersProbe
from tui.cli.deciding import gives_up, yes_to_all

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
VIEW = ClusterView("new blue", "orders", "18.4", "available", 1, 1, at=NOW)
REFUSED = "connection failed: connection to server at 10.0.0.1 failed: Connection refused"
NO_NAME = "failed to resolve host 'orders.cluster-x.rds.amazonaws.com'"
HEARS, DEAF = Witness(True, "blue prime", NOW), Witness(False, "blue prime", NOW)


@pytest.mark.parametrize(
    ("view", "error", "witness", "state", "words"),
    [
        (VIEW, REFUSED, DEAF, Serving.DOWN, "blue prime hears nothing of it either"),
        (VIEW, REFUSED, None, Serving.DOWN, "takes no connections"),
        (VIEW, NO_NAME, HEARS, Serving.CUT, "not certain that production is down"),
        (VIEW, REFUSED, HEARS, Serving.CUT, "not certain that production is down"),
        (VIEW, NO_NAME, DEAF, Serving.SILENT, "whether production is down is not certain"),
        (VIEW, "no answer in time", None, Serving.SILENT, "cannot be reached from here"),
        (replace(VIEW, status="failed"), NO_NAME, HEARS, Serving.DOWN, "AWS calls it failed"),
        (replace(VIEW, instances_available=0), NO_NAME, DEAF, Serving.DOWN, "AWS lists no"),
        (replace(VIEW, status="failed", error="old"), NO_NAME, None, Serving.SILENT, "cannot"),
        (None, NO_NAME, DEAF, Serving.SILENT, "not certain"),
    ],
)
def test_it_is_called_down_by_who_can_tell_and_else_unseen(
    view: ClusterView | None, error: str, witness: Witness | None, state: Serving, words: str
) -> None:
    found = does_not(Production(), view, "new blue", error, witness, NOW)
    assert found.state is state
    assert words in found.text
    assert found.since == NOW


@pytest.mark.parametrize(
    "error",
    [
        'connection to server at "10.0.0.1", port 5432 failed: FATAL:  password authentication '
        'failed for user "postgres"',
        "connection failed: FATAL:  sorry, too many clients already",
        "connection failed: FATAL:  no pg_hba.conf entry for host",
    ],
)
@pytest.mark.parametrize("witness", [HEARS, DEAF, None])
def test_a_server_that_refuses_one_connection_in_its_own_words_answers(
    error: str, witness: Witness | None
) -> None:
    down = does_not(Production(), VIEW, "new blue", REFUSED, DEAF, NOW)
    found = does_not(down, VIEW, "new blue", error, witness, NOW)
    assert found.state is Serving.ANSWERS
    assert not found.unreached
    starts = does_not(
        down, VIEW, "new blue", "FATAL:  the database system is starting up", DEAF, NOW
    )
    assert starts.state is Serving.DOWN


def test_since_when_stays_and_each_change_is_news_once() -> None:
    well = Asked(Role.NEW_BLUE, Dashboard((VIEW,)), None, NOW, 10.0).answers()
    down = does_not(well, VIEW, "new blue", REFUSED, DEAF, NOW)
    later = does_not(down, VIEW, "new blue", REFUSED, DEAF, NOW + timedelta(seconds=9))
    assert (down.since, later.since) == (NOW, NOW)
    assert news(well, down).startswith("production: orders (new blue) takes no connections")
    assert news(down, later) == ""
    assert "answers again" in news(later, well)
    assert news(Production(), well) == ""
    assert not later.at_least, "it was seen to answer until then"
    left = replace(well, at=None)
    for before in (Production(), left):
        first = does_not(before, VIEW, "new blue", REFUSED, DEAF, NOW)
        assert does_not(first, VIEW, "new blue", REFUSED, DEAF, NOW).at_least


def test_a_witness_that_is_old_or_the_cluster_itself_says_nothing() -> None:
    old = replace(HEARS, at=NOW - timedelta(seconds=11))
    for witness in (old, replace(HEARS, role="new blue")):
        found = Asked(Role.NEW_BLUE, Dashboard((VIEW,)), witness, NOW, 10.0).does_not(NO_NAME)
        assert found.state is Serving.SILENT
    heard = Asked(Role.NEW_BLUE, Dashboard((VIEW,)), HEARS, NOW, 10.0).does_not(NO_NAME)
    assert heard.state is Serving.CUT


def context(
    admission: object = None, dashboard: Dashboard | None = None, *, refuses: bool = False
) -> RunContext:
    plan = SimpleNamespace(cluster=SimpleNamespace(identifier="orders"))
    live = None if dashboard is None else dashboard.as_json()
    plan.protection = SimpleNamespace(fresh_s=10.0)
    made = SimpleNamespace(
        run="k2f9qa", plan=plan, now=lambda: NOW, live=lambda: live, fact=lambda key: None
    )
    made.admission, made.refuses = admission, refuses
    return cast(RunContext, made)


@pytest.fixture(autouse=True)
def _asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look(context: Any) -> dict[Role, Any]:
        cluster = cast(Cluster, SimpleNamespace(identifier="orders"))
        admission, refuses = context.admission, context.refuses
        roles = (Role.NEW_BLUE, Role.BLUE_PRIME)
        return {role: ClusterUse(role, cluster, admission, refuses=refuses) for role in roles}

    monkeypatch.setattr(serving, "look", look)


LAG = LagView("orders", "s", 4096, 0.8, True, "reserved", at=NOW - timedelta(seconds=40))


BACK, FORWARD = (Role.NEW_BLUE, Role.BLUE_PRIME), (Role.BLUE_PRIME, Role.NEW_BLUE)


def not_answering(state: Serving) -> Dashboard:
    """Return figures of a new blue that was looked for in vain just now."""
    text = "orders (new blue) cannot be reached from here"
    found = Production(state, text, "new blue", "orders", NOW - timedelta(seconds=35), NOW)
    return Dashboard(last_lags=(LAG,), production=found)


@pytest.mark.parametrize("sides", [BACK, FORWARD])
async def test_the_forced_way_says_what_it_gives_up_by_times_that_stay_true(
    sides: tuple[Role, Role],
) -> None:
    away, to = sides
    (gate,) = await forced.AssessForced(*sides).gates(
        context(dashboard=not_answering(Serving.DOWN))
    )
    assert "orders: 4,096 bytes and 0.8 s behind at 2026-11-23 02:59:20 UTC" in gate.question
    assert (
        f"Give up {away.value}, which does not answer since 2026-11-23 02:59:25 UTC ("
        in gate.question
    )
    assert f"take orders to {to.value}?" in gate.question
    (blind,) = await forced.AssessForced(*sides).gates(context())
    assert "how far it was behind is not known" in blind.question
    assert (gate.must_type, gate.by_person) == ("orders", True)


@pytest.mark.parametrize("sides", [BACK, FORWARD])
async def test_where_it_answers_nothing_is_given_up(sides: tuple[Role, Role]) -> None:
    track = "rollback" if sides == BACK else "forward"
    with pytest.raises(Refused, match=rf"answers.* --track {track}"):
        await forced.AssessForced(*sides).gates(context(admission=object()))
    with pytest.raises(Refused, match="answers"):
        await forced.StopTrafficForced(on=sides[0]).effects(context(admission=object()))
    with pytest.raises(Refused, match="answers"):
        await forced.OpenForced(*sides).effects(context(admission=object()))
    # It may take writes, whatever it thinks of this one's password.
    with pytest.raises(Refused, match="answers"):
        await forced.refuse_if_back(context(refuses=True), sides[0])
    await forced.refuse_if_back(context(), sides[0])


async def test_nothing_is_given_up_while_only_the_view_from_here_is_cut() -> None:
    for state in (Serving.DOWN, Serving.SILENT):
        await forced.refuse_if_back(context(dashboard=not_answering(state)), Role.NEW_BLUE)
    with pytest.raises(Refused, match=r"cannot be reached from here.*machine that reaches it"):
        await forced.refuse_if_back(context(dashboard=not_answering(Serving.CUT)), Role.NEW_BLUE)


def test_one_that_has_just_come_to_serve_is_looked_for_again_before_it_is_called_down() -> None:
    served = Asked(Role.NEW_BLUE, Dashboard((VIEW,)), None, NOW, 10.0).answers()
    first = does_not(served, VIEW, "blue prime", REFUSED, None, NOW)
    assert (first.state, first.unreached) == (Serving.UNKNOWN, False)
    assert does_not(first, VIEW, "blue prime", REFUSED, None, NOW).state is Serving.DOWN


async def test_yes_never_gives_writes_up_and_a_typed_name_gives_up_nothing_else() -> None:
    gate = Gate(forced.GATE, "?", "no", must_type="orders", by_person=True)
    other = replace(gate, key="another")
    assert await yes_to_all(gate) is None
    assert await gives_up("", yes_to_all)(gate) is None
    assert await gives_up("orders", yes_to_all)(gate) == "orders"
    assert await gives_up("orders", yes_to_all)(other) is None


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (CannotConnect(REFUSED), True),
        (StepFailed("AWS does not answer.", now="Nothing was changed.", todo="Wait."), False),
        (WrongServer("the name leads elsewhere"), False),
        (psycopg.errors.QueryCanceled("canceling statement due to statement timeout"), False),
        (
            psycopg.errors.AdminShutdown("terminating connection due to administrator command"),
            False,
        ),
        (ZeroDivisionError(), False),
    ],
)
async def test_production_is_called_unreached_for_a_connection_alone_that_fails(
    error: Exception, told: bool
) -> None:
    said: list[str] = []

    async def forget() -> None:
        pass

    watch: Any = SimpleNamespace(
        dashboard=Dashboard(),
        context=SimpleNamespace(forget_connections=forget),
        _unseen=set(),
        _seen={},
        _serving=lambda: SimpleNamespace(does_not=said.append),
        _production=lambda found: None,
        _wake=lambda *_: None,
    )
    await Monitor._failed(watch, "traffic", error)
    assert bool(said) is told


def test_before_the_one_that_follows_was_asked_nobody_is_called_down() -> None:
    down = does_not(Production(), VIEW, "new blue", REFUSED, None, NOW)
    journal = SimpleNamespace(evidence=lambda *_, **__: None, attempts=lambda _: [])
    watch: Any = SimpleNamespace(
        dashboard=Dashboard((VIEW,)),
        context=SimpleNamespace(run="k2f9qa"),
        _unseen={"workers"},
        _journal=journal,
        _wake=lambda *_: None,
    )
    Monitor._production(watch, down)
    assert watch.dashboard.production.state is Serving.UNKNOWN
    watch._unseen.clear()
    Monitor._production(watch, down)
    assert watch.dashboard.production.state is Serving.DOWN


async def test_what_the_workers_told_last_stands_while_they_are_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look = WorkersProbe(context())
    look.witness = HEARS

    async def unanswered(dashboard: Dashboard) -> None:
        assert look.witness is HEARS
        raise CannotConnect("no answer in time")

    monkeypatch.setattr(look, "_look", unanswered)
    with pytest.raises(CannotConnect):
        await look.look(Dashboard())
    assert look.witness is HEARS, "how old it is tells whether it counts"


async def test_a_subscriber_is_said_to_be_silent_from_its_first_silence_until_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = iter((NOW, NOW + timedelta(seconds=5), NOW + timedelta(seconds=9)))
    made = context()
    cast(Any, made).now = lambda: next(moments)
    look = WorkersProbe(made)
    answers: list[Exception | None] = [
        CannotConnect(REFUSED),
        CannotConnect(REFUSED),
        CannotConnect('FATAL: role "x" is not permitted to log in'),
        CannotConnect(REFUSED),
        None,
    ]

    async def asked(dashboard: Dashboard) -> object:
        if error := answers.pop(0):
            raise error
        return Found(NOW), True, HEARS

    monkeypatch.setattr(look, "_look", asked)
    said = []
    while answers:
        with suppress(CannotConnect):
            await look.look(Dashboard())
        said.append(look.silent)
    first, later = Silent("blue prime", NOW), Silent("blue prime", NOW + timedelta(seconds=5))
    assert said == [first, first, None, later, None]
