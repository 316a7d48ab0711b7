"""Who goes on after another process leaves no subscription with a password that nobody knows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from runbook.base.roles import Role
from runbook.base.step import Effect
from runbook.failures import Answer, StepFailed
from runbook.postgres import replication
from runbook.procedure.steps.protect.subscribe import PasswordEffect, SubscriptionEffect
from tests.postgres.conftest import Open, Pair
from tests.postgres.test_replication import until

NAME, SLOT = "blueprime_y8", "blueprime_y8_1"
PUBLISHER, SUBSCRIBER = Role.NEW_BLUE, Role.BLUE_PRIME


class Machine:
    """As much of a world as both effects need; `kept` is the journal, which is handed over."""

    run = "y8"
    plan = SimpleNamespace(credentials=SimpleNamespace(sslmode="disable"))

    def __init__(
        self,
        pair: Pair,
        connections: dict[Role, AsyncConnection],
        database: str,
        kept: dict[str, Any],
        password: str,
    ) -> None:
        self.replication_password = password
        self._pair, self._connections, self.kept = pair, connections, kept
        context: Any = self
        self.password = PasswordEffect(context, PUBLISHER, SUBSCRIBER, [database])
        self.subscription = SubscriptionEffect(
            context, PUBLISHER, SUBSCRIBER, database, self.password
        )

    def sql_name(self, suffix: str = "") -> str:
        return "_".join(filter(None, ("blueprime", self.run, suffix)))

    def done(self, key: str) -> Any:
        return self.kept.get(key)

    @asynccontextmanager
    async def connect(self, role: Role, database: str = "") -> AsyncIterator[AsyncConnection]:
        yield self._connections[role]

    async def target(self, role: Role) -> Any:
        return self._pair.target(18)

    async def perform(self, effect: Effect) -> None:
        self.kept[effect.key] = await effect.perform()


@pytest.fixture
async def captured(
    pair: Pair, opened: Open, database: str
) -> AsyncIterator[Callable[[str], Machine]]:
    """A publication, its slot and its role; and machines that know one password each."""
    connections = {PUBLISHER: await opened(18, database), SUBSCRIBER: await opened(16, database)}
    publisher = connections[PUBLISHER]
    await replication.create_replication_role(NAME).execute(publisher)
    await replication.create_publication(NAME).execute(publisher)
    await replication.create_slot(publisher, SLOT, deadline_s=10)
    kept: dict[str, Any] = {}
    yield lambda password: Machine(pair, connections, database, kept, password)
    await replication.disable_subscription(NAME).execute(connections[SUBSCRIBER])
    await replication.drop_owned(NAME).execute(publisher)
    await replication.drop_role(NAME).execute(publisher)


async def test_the_workers_walsender_waits_for_a_long_transaction(
    pair: Pair, captured: Callable[[str], Machine], database: str
) -> None:
    first = captured("the first one's")
    await first.perform(first.password)
    await first.perform(first.subscription)
    await until(answers(first.subscription, Answer.YES), "it runs")
    with psycopg.connect(
        host="127.0.0.1",
        port=pair.servers[18].port,
        user=NAME,
        password="the first one's",
        dbname=database,
        replication="database",
        autocommit=True,
    ) as walsender:
        assert walsender.execute("SHOW wal_sender_timeout").fetchone() == ("0",)


def answers(effect: Effect, wanted: Answer) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        return (await effect.probe()).answer is wanted

    return asked


async def test_another_machine_renews_what_a_new_password_left_behind(
    captured: Callable[[str], Machine],
) -> None:
    first = captured("the first one's")
    assert (await first.password.probe()).answer is Answer.NO
    await first.perform(first.password)
    await first.perform(first.subscription)
    await until(answers(first.subscription, Answer.YES), "it runs")

    second = captured("the second one's")
    for effect in (second.password, second.subscription):
        assert (await effect.probe()).answer is Answer.YES
    with pytest.raises(StepFailed, match="stopped running just now"):
        await second.subscription.perform()

    await second.perform(second.password)
    running = await second.subscription.probe()
    assert running.answer is Answer.NO
    assert "former password" in running.seen
    assert (await captured("a third one's").password.probe()).answer is Answer.NO
    await second.perform(second.subscription)
    await until(answers(second.subscription, Answer.YES), "it runs with the new password")
    async with second.connect(PUBLISHER) as publisher:
        await replication.terminate_slot_user(SLOT).execute(publisher)
    await until(answers(second.password, Answer.YES), "its worker comes back")
