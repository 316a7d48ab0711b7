"""A reader is never taken for the writer: what is written meanwhile shows on the writer alone."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from rehearsal.servers.copies import base_backup
from rehearsal.servers.server import Server
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Step, Watch
from runbook.postgres.connect import WrongServer, connect
from runbook.postgres.identity import Signs, judge
from runbook.postgres.marks import ClusterMarks
from runbook.proofs import write_fence
from tests.postgres.conftest import LIMIT_S, Pair, master_password
from tests.postgres.fenced import BLUE, fenced_night, plan_for


@pytest.fixture(scope="module")
def reader(pair: Pair) -> Iterator[Server]:
    """Run a copy of server 16 that is open for reading, as an endpoint's former writer is."""
    writer = pair.servers[16]
    server = Server(pair.ground, writer.installation, pair.ground.base / "reader" / "data")
    base_backup(writer, server)
    server.set_standby()
    server.start()
    yield server
    server.stop("immediate")


class Prove(Step):
    key = "stop-traffic"
    title = "prove the fence"
    why = ""

    async def verify(self, context: RunContext, watch: Watch) -> None:
        await write_fence.prove(context, watch, Role.BLUE, ())


async def test_no_fence_is_proved_on_a_reader_while_the_writer_is_written(
    pair: Pair, reader: Server, database: str, application: str, tmp_path: Path
) -> None:
    usual = write_fence._within

    async def written_meanwhile(window_s: float, work: Awaitable[ClusterMarks]) -> ClusterMarks:
        with pair.client(16, "postgres", application) as client:
            client.execute("INSERT INTO public.t SELECT generate_series(1, 50)")
        return await usual(window_s, work)

    plan = plan_for(application)
    plan = plan.model_copy(update={"limits": plan.limits.model_copy(update={"connect_s": 0.2})})
    async with fenced_night(pair, tmp_path, database, plan) as night:
        night.rds.known[BLUE]["Port"] = reader.port
        with patch.object(write_fence, "_within", written_meanwhile):
            await night.fails(Prove(), "in recovery, a reader", "Nothing was changed there")
        assert not (night.context.fact("fence") or {}).get("proved")


async def test_old_blue_may_be_in_recovery_and_no_other(pair: Pair, reader: Server) -> None:
    assert reader.port is not None
    target = pair.target(16, port=reader.port)
    with pytest.raises(WrongServer, match="the writer of cluster 16 is meant"):
        await connect(target, master_password, "postgres", deadline_s=0.01)
    old = pair.target(16, port=reader.port, may_recover=True)
    await (await connect(old, master_password, "postgres", deadline_s=LIMIT_S)).close()


async def test_another_clusters_system_identifier_tells_whatever_the_names_say(
    pair: Pair,
) -> None:
    with pair.admin(16) as admin:
        (own,) = admin.execute(
            "SELECT system_identifier::text FROM pg_control_system()"
        ).fetchone() or ("",)
    other = pair.target(16, systems_of_others=frozenset({own}))
    with pytest.raises(WrongServer, match=f"the system identifier {own}, which another cluster"):
        await connect(other, master_password, "postgres", deadline_s=0.01)
    # A clone may have another one than its origin: what nobody had says nothing.
    named = pair.target(16, systems_of_others=frozenset({"1"}))
    assert judge(Signs(16, False, "writer-16", own), named) is None
    assert judge(Signs(16, False, None, None), named) is None
    assert judge(Signs(16, False, "writer-of-others", own), named) is not None
