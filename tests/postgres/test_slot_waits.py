"""The slot waits for every open write transaction: who holds it up is named, and asked about."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from psycopg import errors

from runbook.proofs import diverged
from state.enums import Outcome, Status
from tests.postgres.conftest import Pair
from tests.postgres.fenced import CAPTURE, INSERT, Night, fenced_night, plan_for


@pytest.fixture
async def night(
    pair: Pair, database: str, application: str, tmp_path: Path
) -> AsyncIterator[Night]:
    async with fenced_night(pair, tmp_path, database, plan_for(application)) as made:
        yield made


async def test_who_holds_up_the_slot_is_named_and_ended_by_a_decision(
    night: Night, job: str
) -> None:
    await night.fenced()
    with night.pair.client(18, "postgres", job, application_name="nightly") as client:
        client.execute("BEGIN")
        client.execute("INSERT INTO public.t VALUES (5) -- password = 'hunter2'")
        pid = client.info.backend_pid
        with night.hurried():
            message = await night.fails(
                *(CAPTURE, f"pid {pid} ", "in database postgres"),
                *("open for ", "INSERT INTO public.t"),
            )
        assert job in message
        assert "hunter2" not in message

        status, _ = await night.run(CAPTURE, night.no)
        assert status is Status.READY
        (gate,) = night.asked
        assert f"pid {pid} " in gate.question
        assert "hunter2" not in gate.question
        assert client.execute("SELECT 1").fetchone() == (1,)

        await night.succeeds(CAPTURE)
        with pytest.raises(errors.AdminShutdown):
            client.execute("SELECT 1")
    ended = [
        effect
        for attempt in night.journal.attempts("k3f9qa")
        for effect in attempt.effects
        if effect.key.startswith(f"new-blue/end/{pid}@")
    ]
    assert [effect.outcome for effect in ended] == [Outcome.SUCCEEDED]
    assert diverged.left(night.context) == []


async def test_one_that_ends_by_itself_is_not_asked_about_and_its_write_is_found(
    night: Night, job: str
) -> None:
    await night.fenced()
    with night.pair.client(18, "postgres", job) as client:
        client.execute("BEGIN")
        client.execute(INSERT)
        with night.hurried():
            await night.fails(CAPTURE, "it waits for open write transactions: pid ")
        client.execute("COMMIT")
    await night.fails(CAPTURE, "postgres: public.t: 3 rows here, 2 rows on the other side")
    assert night.asked == []


async def test_a_prepared_transaction_is_left_to_whoever_prepared_it(
    night: Night, job: str
) -> None:
    await night.fenced()
    with night.pair.client(18, night.database, job) as client:
        client.execute("BEGIN")
        client.execute(INSERT)
        client.execute("PREPARE TRANSACTION 'later'")
    with night.hurried():
        await night.fails(CAPTURE, "prepared transaction 'later'", "committed or rolled back by")
    assert await CAPTURE.gates(night.context) == []
    night.write(18, "COMMIT PREPARED 'later'")
    await night.fails(CAPTURE, "public.t: 3 rows here, 2 rows on the other side")
