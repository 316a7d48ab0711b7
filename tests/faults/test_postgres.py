"""Faults of servers in real nights: what is said, what is offered, the way on, and nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import psycopg
import pytest

from rehearsal import lab
from runbook.proofs import diverged
from state.enums import Outcome, Result, Status, Track
from tests.faults.night import Night, fault, names_like, night, nothing_lost
from tests.workspace import Workspace, until

LIMIT_S = 120.0

BALLAST = """
    INSERT INTO public.customer (name)
    SELECT string_agg(md5(random()::text || n || m), '')
    FROM generate_series(1, 700) AS n, generate_series(1, 1000) AS m GROUP BY n"""
"""Some 22 MB that do not compress: more than a file of a full disk may hold."""


REMOVED = """
    WITH gone AS (DELETE FROM public.customer WHERE name = 'stray')
    SELECT pg_logical_emit_message(true, 'blueprime', 'own')"""
"""What removes the stray row as blueprime itself would: this is no stray write."""


async def becomes(condition: Callable[[], object]) -> None:
    """Wait until a condition is true, asked again and again."""
    await asyncio.to_thread(until, condition, LIMIT_S)


def execute(workspace: Workspace, cluster: str, statement: str, database: str = "orders") -> None:
    """Run SQL on a cluster as its master user, whom read-only defaults do not stop."""
    env = workspace.lab_environment()
    port = next(c["port"] for c in lab.status()["clusters"] if c["identifier"] == cluster)
    with psycopg.connect(
        host=env["PGHOST"],
        port=port,
        user=env["PGUSER"],
        passfile=env["PGPASSFILE"],
        dbname=database,
        autocommit=True,
        options="-c default_transaction_read_only=off",
    ) as connection:
        connection.execute(statement.encode())


async def sql(workspace: Workspace, cluster: str, statement: str) -> None:
    await asyncio.to_thread(execute, workspace, cluster, statement)


class Baking:
    """A night that is protected and bakes, with its samplers running."""

    def __init__(self, run: Night) -> None:
        self.run = run
        (self.prime,) = names_like("-prime-")

    @property
    def protected(self) -> bool | None:
        return self.run.session.dashboard().protection.protected

    @property
    def reasons(self) -> tuple[str, ...]:
        return self.run.session.dashboard().protection.reasons

    async def says(self, words: str) -> None:
        """Wait until the banner turns from PROTECTED for a reason."""
        await becomes(lambda: any(words in reason for reason in self.reasons))
        assert self.protected is not True

    async def restarted(self) -> datetime:
        """Restart blue prime; return since when its stray writes were watched before."""
        since = self.run.session.dashboard().strays_since
        assert since is not None
        await asyncio.to_thread(fault, "restart-server", self.prime)
        return since

    async def watched_again(self, before: datetime) -> None:
        """Wait until stray writes are watched anew: the slot went with its server."""
        dashboard = self.run.session.dashboard
        await becomes(lambda: (since := dashboard().strays_since) is not None and since > before)

    async def struck_out(self) -> None:
        """Wait until the watch has found stray rows, then say that they were repaired."""
        await becomes(lambda: self.run.session.fact(diverged.FACT))
        self.run.session._journal.evidence(
            self.run.session.run.id, "for-the-test", "", key=diverged.FACT, value=[]
        )

    async def protected_again(self) -> None:
        """Wait until the banner says PROTECTED."""
        await becomes(lambda: self.protected is True)


async def baking(run: Night) -> Baking:
    await run.reach("bake")
    await run.session.start_watching()
    found = Baking(run)
    await becomes(lambda: run.session.dashboard().strays_since is not None)
    await found.protected_again()
    return found


async def to_the_end(run: Night) -> None:
    """Roll back to the end, and see that nothing is lost."""
    if run.session.checklist().current.entry.track is not Track.ROLLBACK:
        await run.branch(Track.ROLLBACK)
    await run.reach("")
    assert run.session.result() is Result.ROLLED_BACK
    await nothing_lost()


@pytest.mark.chaos
async def test_one_night_with_servers_that_fail_on_the_way(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch) as run:
        await run.reach("stop-traffic")
        fault("lose-connection", "orders", "after", "ALTER ROLE")
        await run.succeeds("stop-traffic")
        fault("stale-endpoint", "orders", "1")
        await run.reach("create-slots")
        fault("lose-connection", "orders", "before", "CREATE PUBLICATION", "orders")
        await run.fails("create-slots", "publication", "in orders", status=Status.UNKNOWN)
        assert run.session.way_back().startswith("return to old blue")
        slots = f"blueprime_{run.session.run.id}"
        fault("lose-connection", "orders", "after", "pg_create_logical_replication_slot", "orders")
        await run.succeeds("create-slots")
        assert outcomes(run, "create-slots", f"{slots}_1") == [Outcome.SUCCEEDED]
        assert outcomes(run, "create-slots", f"{slots}/orders/publication")[-1] is Outcome.SUCCEEDED

        fault("lose-connection", "orders", "after", "ALTER ROLE")
        await run.succeeds("resume-traffic")
        before = lab.traffic("status")["acknowledged"]
        await becomes(lambda: lab.traffic("status")["acknowledged"] > before)
        bake = await baking(run)
        await bake.watched_again(await bake.restarted())
        fault("stray-write", bake.prime)
        fault("stray-write", "orders")
        await bake.says("the apply worker of orders on blue prime fails again and again")
        assert "finish protecting" in run.session.way_back()
        await sql(workspace, bake.prime, REMOVED)
        await bake.struck_out()
        await bake.protected_again()

        await run.branch(Track.ROLLBACK)
        await run.reach("drop-subscriptions")
        fault("lose-connection", bake.prime, "after", "DROP SUBSCRIPTION", "orders")
        await run.succeeds("drop-subscriptions")
        await to_the_end(run)


def outcomes(run: Night, step: str, key: str) -> list[Outcome | None]:
    """Return what became of a change in the latest try of a step."""
    return [
        effect.outcome
        for line in run.session.checklist().current.lines
        if line.step == step and line.attempt is not None
        for effect in line.attempt.effects
        if effect.key == key
    ]


@pytest.mark.chaos
async def test_a_row_in_the_way_on_blue_prime(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch) as run:
        bake = await baking(run)
        fault("stray-write", bake.prime)
        fault("stray-write", "orders")
        await bake.says("the apply worker of orders on blue prime fails again and again")
        assert "finish protecting" in run.session.way_back()
        assert not any(title.startswith("Roll back to blue prime") for title in await run.ways())

        await sql(workspace, bake.prime, REMOVED)
        await bake.struck_out()
        await bake.protected_again()
        await to_the_end(run)


@pytest.mark.chaos
async def test_a_drain_that_can_never_end_names_its_worker(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch) as run:
        await run.reach("bake")
        (prime,) = names_like("-prime-")
        await run.reach("")
        await run.branch(Track.ROLLBACK)
        await run.reach("drain")
        fault("stray-write", prime)
        fault("stray-write", "orders")
        await run.fails(
            "drain",
            "The apply worker of orders on blue prime fails at the same change over and over",
            "pg_stat_subscription_stats",
            "The applications are stopped; new blue has every write.",
            "the log of",
            "stay on the new version",
        )
        assert any(title.startswith("Stay on the new version") for title in await run.ways())
        await sql(workspace, prime, "DELETE FROM public.customer WHERE name = 'stray'")
        # What apply failed at was written inside the fence.
        await run.fails("compare", "was written while the applications", "public.customer")
        await run.branch(Track.UPGRADE)
        await run.reach("")
        await run.branch(Track.ROLLBACK)
        await to_the_end(run)


@pytest.mark.chaos
async def test_a_stray_row_that_meets_none_is_found_by_the_comparison(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch) as run:
        await run.reach("bake")
        (prime,) = names_like("-prime-")
        fault("stray-write", prime)
        await run.reach("")
        await run.branch(Track.ROLLBACK)
        await run.fails("compare", "public.customer", "new blue has every write")
        await sql(workspace, prime, "DELETE FROM public.customer WHERE name = 'stray'")
        await to_the_end(run)


@pytest.mark.chaos
async def test_a_stray_row_that_meets_none_is_found_while_baking(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch) as run:
        bake = await baking(run)
        assert run.session.dashboard().strays_since is not None
        fault("stray-write", bake.prime)
        await bake.says("rows differ: public.customer in orders")
        (found,) = run.session.fact(diverged.FACT) or ()
        assert (found["database"], found["table"], found["found_by"]) == (
            "orders",
            "customer",
            "watch",
        )
        await sql(workspace, bake.prime, REMOVED)
        await bake.struck_out()
        await bake.protected_again()
        await to_the_end(run)


@pytest.mark.chaos
async def test_a_full_disk_on_blue_prime(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch) as run:
        bake = await baking(run)
        fault("fill-disk", bake.prime)
        await sql(workspace, "orders", BALLAST)
        await bake.says("blue prime")
        fault("free-disk", bake.prime)
        await bake.protected_again()
        await to_the_end(run)


@pytest.mark.chaos
@pytest.mark.parametrize(("kind", "word"), [("drop-slot", "missing"), ("lose-slot", "lost")])
async def test_a_slot_that_is_gone_ends_the_way_back(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, kind: str, word: str
) -> None:
    async with night(workspace, monkeypatch) as run:
        bake = await baking(run)
        slot = f"blueprime_{run.session.run.id}_1"
        await asyncio.to_thread(fault, kind, "orders", slot)
        await bake.says(f"slot {slot} of orders is {word}")
        assert "misses writes" in run.session.way_back()
        offered = await run.ways()
        assert not any("oll back" in title for title in offered), offered
        assert any(title.startswith("Commit") for title in offered), offered
        await run.branch(Track.COMMIT)
        await run.reach("")
        assert run.session.result() is Result.COMMITTED
        await nothing_lost()


@pytest.mark.chaos
async def test_a_slot_that_goes_inside_the_fence_stops_the_drain(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch) as run:
        await run.reach("")
        await run.branch(Track.ROLLBACK)
        await run.reach("drain")
        slot = f"blueprime_{run.session.run.id}_1"
        await asyncio.to_thread(fault, "drop-slot", "orders", slot)
        await run.fails("drain", f"The slot {slot}", "is gone", "The applications are stopped")
        await run.branch(Track.UPGRADE)
        await run.reach("verify-protection")
        await nothing_lost()


MAKING = ("await-green",)
"""Steps that wait for AWS's own work on the servers, which a restart would end."""


async def restart_all(kind: str) -> None:
    for cluster in lab.status()["clusters"]:
        if cluster["status"] == "available" and cluster["members"]:
            await asyncio.to_thread(fault, kind, cluster["identifier"])
            if kind == "kill-server":
                await asyncio.to_thread(fault, "start-server", cluster["identifier"])


async def shaken(run: Night, kind: str) -> None:
    """Go on to the end of the track with every server restarted before each step.

    What a restart has cut is tried again, and no more is needed.
    """
    while step := run.next:
        if step not in MAKING:
            await restart_all(kind)
        async with asyncio.timeout(LIMIT_S):
            while run.next == step:
                status = await run.advance()
                assert status.done or "itself failed" not in run.message(step), run.message(step)


@pytest.mark.chaos
@pytest.mark.parametrize("kind", ["restart-server", "kill-server"])
async def test_every_server_restarted_before_every_step(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    async with night(workspace, monkeypatch) as run:
        await shaken(run, kind)
        assert run.session.result() is Result.PROTECTED
        await run.branch(Track.ROLLBACK)
        await shaken(run, kind)
        assert run.session.result() is Result.ROLLED_BACK
        await nothing_lost()
