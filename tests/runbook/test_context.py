"""Connections of a world: lent to one user at a time, and never closed under a query."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from runbook.aws import Aws
from runbook.base import server_names
from runbook.base.context import RunContext
from runbook.base.kept import EmptyJournal
from runbook.base.roles import Role
from runbook.base.step import Watch
from runbook.plan.model import Plan
from runbook.postgres import connect as pg


class FakeSession:
    """Stands in for `pg.Session`, and knows whether a connection was closed while in use."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.in_use: set[str] = set()
        self.closed_in_use = False

    async def on(self, database: str) -> str:
        return self.kept.setdefault(database, f"connection to {database}")

    @property
    def databases(self) -> list[str]:
        return list(self.kept)

    async def drop(self, database: str) -> None:
        self.closed_in_use |= database in self.in_use
        self.kept.pop(database, None)


def make_world(session: FakeSession) -> RunContext:
    plan = SimpleNamespace(
        credentials=SimpleNamespace(maintenance_database="postgres"),
        limits=SimpleNamespace(connect_s=1.0),
    )
    context = RunContext(
        run="k3f9qa", plan=cast(Plan, plan), journal=EmptyJournal(), aws=cast(Aws, None)
    )
    context._sessions[Role.BLUE] = cast(pg.Session, session)
    return context


async def test_a_connection_on_loan_is_closed_only_when_it_comes_back(tmp_path: Path) -> None:
    session = FakeSession()
    context = make_world(session)
    borrowed, give_back = asyncio.Event(), asyncio.Event()

    async def query() -> None:
        async with context.connect(Role.BLUE, "orders"):
            session.in_use.add("orders")
            borrowed.set()
            await give_back.wait()
            session.in_use.discard("orders")

    task = asyncio.create_task(query())
    await borrowed.wait()
    forgetting = asyncio.create_task(context.forget_connections())
    done, _ = await asyncio.wait({forgetting}, timeout=0.05)
    assert not done, "it waits for the loan"
    give_back.set()
    await asyncio.gather(task, forgetting)
    assert not session.closed_in_use
    assert session.kept == {}


async def test_one_connection_has_one_user_at_a_time() -> None:
    session = FakeSession()
    context = make_world(session)
    inside = 0
    most = 0

    async def query() -> None:
        nonlocal inside, most
        async with context.connect(Role.BLUE, "orders"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(query() for _ in range(20)))
    assert most == 1


def test_names_of_a_run_fit_where_they_are_used() -> None:
    context: Any = make_world(FakeSession())
    assert context.sql_name("1") == "blueprime_k3f9qa_1"


async def test_whoever_waited_for_a_connection_that_could_not_be_made_fails_with_it() -> None:
    tried: list[str] = []
    begun, answers = asyncio.Event(), asyncio.Event()

    class Dead(FakeSession):
        async def on(self, database: str) -> str:
            tried.append(database)
            begun.set()
            await answers.wait()
            raise pg.CannotConnect("no answer in time")

    context = make_world(Dead())

    async def look() -> str:
        try:
            async with context.connect(Role.BLUE, "orders"):
                return "connected"
        except pg.CannotConnect as error:
            return str(error)

    first = asyncio.create_task(look())
    await begun.wait()
    others = [asyncio.create_task(look()) for _ in range(3)]
    await asyncio.sleep(0)
    answers.set()
    assert await asyncio.gather(first, *others) == ["no answer in time"] * 4
    assert tried == ["orders"], "each would have waited for its own time"
    assert await look() == "no answer in time"
    assert tried == ["orders"] * 2, "whoever comes later asks anew"


async def test_a_cluster_is_known_by_the_names_that_its_own_instances_had_before() -> None:
    """What its instances are named changes; a name that another instance had is none of its own."""
    kept: dict[str, Any] = {}
    named = {Role.BLUE: {"db-a": "orders-1"}, Role.GREEN: {"db-b": "orders-1-green-x1"}}

    async def instances(role: Role) -> list[Any]:
        there = named[role.identity].items()
        return [SimpleNamespace(resource_id=each, identifier=name) for each, name in there]

    def evidence(text: str, *, key: str, value: Any) -> None:
        kept[key] = value

    context = cast(RunContext, SimpleNamespace(instances=instances, fact=kept.get))
    assert await server_names.of(context, Role.NEW_BLUE) == {"orders-1-green-x1"}
    await server_names.keep(context, cast(Watch, SimpleNamespace(evidence=evidence)))
    named[Role.BLUE] = {"db-a": "orders-1-old1"}
    named[Role.GREEN] = {"db-b": "orders-1", "db-c": "orders-2"}
    assert await server_names.of(context, Role.NEW_BLUE) == {
        "orders-1", "orders-2", "orders-1-green-x1",
    }  # fmt: skip
    assert await server_names.of(context, Role.OLD_BLUE) == {"orders-1-old1", "orders-1"}
    named[Role.GREEN] = {"db-c": "orders-2"}
    assert await server_names.of(context, Role.NEW_BLUE) == {"orders-2"}
