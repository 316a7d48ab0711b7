"""A cluster that a forced way has left behind comes back: it is told of, and closed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import psycopg
import pytest
from psycopg.sql import Identifier

from runbook.aws.facts import Cluster
from runbook.base.pair import DETACHED
from runbook.base.roles import Role
from runbook.base.step import Step
from runbook.ownership.permission import Permission
from runbook.procedure.runner import Runner
from runbook.procedure.steps.rollback.forced import VerifyForced
from runbook.procedure.steps.rollback.given_up import CloseGivenUp
from runbook.protection import given_up
from runbook.protection.dashboard import ClusterView
from runbook.repair import returned
from runbook.repair.gather import Offered
from state.enums import Result, Status
from state.standing import standing
from tests.watch.held import NAMES, RUN, Held

PASSWORD = "of the applications"


class _Agreed:
    """Lets changes be made: AWS, which holds the marks, is stood in for here."""

    def begin(self) -> None: ...
    async def before(self, step: object) -> None: ...
    async def ask(self, attempt: object, effects: object) -> None: ...
    def done(self, attempt: object, effects: object) -> None: ...


def given_up_by_force(held: Held) -> None:
    """Let the journal say that blue prime has taken over, and new blue was not closed."""
    for key, value in (
        ("traffic", {"open": True, "on": Role.BLUE_PRIME.value}),
        (DETACHED, [Role.BLUE_PRIME.value]),
        (given_up.FACT, Role.NEW_BLUE.value),
    ):
        held.journal.evidence(RUN, "for-the-test", "", key=key, value=value)


def view(held: Held) -> ClusterView:
    """Return new blue as the list of clusters has it."""
    return next(each for each in held.dashboard.clusters if each.role == Role.NEW_BLUE.value)


async def nobody(gate: object) -> None:
    """Decline: closing asks nobody."""


def application(held: Held) -> psycopg.Connection[Any]:
    """Open a session of the applications on new blue, as a pool does that found it again."""
    place = held.pair.target(18)
    return psycopg.connect(
        host="127.0.0.1",
        port=place.port,
        user="app",
        password=PASSWORD,
        dbname=held.database,
        sslmode="disable",
        autocommit=True,
    )


async def run(held: Held, step: Step) -> Status:
    runner = Runner(
        held.context,
        held.journal,
        who="ana",
        notice=lambda *_, **__: None,
        permission=cast(Permission, _Agreed()),
    )
    return await runner.run_step(step, nobody)


@pytest.mark.parametrize("lock_roles", [True, False])
async def test_it_is_told_of_and_closed_by_a_repair_under_the_sessions_that_write_there(
    held: Held, lock_roles: bool
) -> None:
    # All of the server's, as on a cluster: one that stays writable is not closed.
    del held.context.databases  # type: ignore[method-assign]
    databases = await held.context.databases(Role.NEW_BLUE)
    held.context.plan = held.context.plan.model_copy(
        update={"traffic": held.context.plan.traffic.model_copy(update={"lock_roles": lock_roles})}
    )
    await held.new("DROP ROLE IF EXISTS app", f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")
    await held.new(
        "GRANT USAGE ON SCHEMA public TO app", "GRANT ALL ON ALL TABLES IN SCHEMA public TO app"
    )
    try:
        given_up_by_force(held)
        inside = application(held)
        held.kept.append(inside)
        await held.until(lambda: held.dashboard.returned, "it is back, and open")
        said = held.dashboard.returned
        assert said is not None
        assert "orders (new blue), which was given up, answers again, and is open" in said.words
        assert f"blueprime repair {RUN} all" in said.words
        assert any("answers again" in e.text for e in held.journal.evidences(RUN, "monitor"))
        await held.until(lambda: view(held).given_up, "the list of clusters says so, too")
        assert not view(held).frozen, "nobody has closed it"

        offered = Offered()
        await returned.offer(held.context, offered)
        (repair,) = offered.repairs
        assert await run(held, repair) is Status.SUCCEEDED
        with pytest.raises(psycopg.OperationalError):
            inside.execute("INSERT INTO public.customer (id) VALUES (4711)")
        if lock_roles:
            with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
                application(held)
        else:
            with application(held) as late, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                late.execute("INSERT INTO public.customer (id) VALUES (4711)")
        assert given_up.of(held.context) is None
        await held.until(lambda: held.dashboard.returned is None, "nothing is open any more")
        await held.until(lambda: view(held).frozen, "it is closed")
        assert not view(held).given_up
    finally:
        names = [Identifier(each).as_string() for each in databases]
        await held.new("DROP OWNED BY app", "DROP ROLE app")
        await held.new(*(f"ALTER DATABASE {n} RESET default_transaction_read_only" for n in names))


async def test_one_that_does_not_answer_is_said_not_to_be_closed_and_gone_it_is_not_looked_for(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up_by_force(held)
    clusters = cast(Any, held.context.rds)
    there = clusters.cluster_by_resource_id

    async def nowhere(resource_id: str) -> Cluster | None:
        found: Cluster | None = await there(resource_id)
        silent = found is not None and found.identifier == NAMES[Role.NEW_BLUE]
        return replace(found, port=1) if found is not None and silent else found

    async def gone(resource_id: str) -> Cluster | None:
        found: Cluster | None = await there(resource_id)
        return None if found is None or found.identifier == NAMES[Role.NEW_BLUE] else found

    monkeypatch.setattr(clusters, "cluster_by_resource_id", nowhere)
    await held.context.forget_connections()
    assert await run(held, CloseGivenUp(Role.NEW_BLUE)) is Status.SUCCEEDED
    (warning,) = standing(held.journal, RUN)
    assert "is NOT closed. If it comes back, it takes writes" in str(warning.value)
    assert given_up.of(held.context) is Role.NEW_BLUE
    settled = VerifyForced(Role.NEW_BLUE, Role.BLUE_PRIME)
    held.journal.set_result(RUN, Result.PROTECTED)
    assert await run(held, settled) is Status.SUCCEEDED
    assert held.journal.run(RUN).result is None, "it may take writes: nothing has ended"

    monkeypatch.setattr(clusters, "cluster_by_resource_id", gone)
    assert await run(held, CloseGivenUp(Role.NEW_BLUE)) is Status.SUCCEEDED
    assert standing(held.journal, RUN) == []
    assert given_up.of(held.context) is None
    assert await run(held, settled) is Status.SUCCEEDED
    assert held.journal.run(RUN).result is Result.ROLLED_BACK
