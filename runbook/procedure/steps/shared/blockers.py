"""Who holds up the making of a slot: named, and ended where a person says so.

A slot waits for every transaction of the server that has an id, in any database. Inside the fence
there should be none; each second of waiting is downtime.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from time import monotonic

from psycopg import AsyncConnection
from psycopg.sql import SQL

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Gate
from runbook.failures import Finding, StepFailed
from runbook.postgres import existence, replication
from runbook.postgres.catalog import INTERNAL_ROLES
from runbook.postgres.replication import SlotBlocker
from runbook.postgres.statement import Statement
from runbook.procedure.steps.shared.effects import DatabaseEffect, no, yes
from state.records import Json

_GONE_S = 10.0
_POLL_S = 0.02


async def terminable(context: RunContext, publisher: Role) -> list[SlotBlocker]:
    """Return the open write transactions whose sessions may be ended.

    Not those of the server or of AWS, and not the prepared ones, which no session holds: they are
    a promise to a coordinator, which alone knows whether they shall be committed.
    """
    async with context.connect(publisher) as connection:
        found = await replication.slot_blockers(connection)
    return [
        each
        for each in found
        if each.pid is not None
        and each.backend_start is not None
        and each.role is not None
        and each.role not in INTERNAL_ROLES
    ]


def gate(blockers: Sequence[SlotBlocker]) -> Gate:
    """Return the decision to end exactly these; others ask anew."""
    return Gate(
        key=gate_key(blockers),
        question="End the sessions for whose open write transactions the slots wait: "
        + "; ".join(map(str, blockers)),
        reversible="Each is rolled back, and whoever opened it gets an error. One that ends by "
        "itself meanwhile is not asked about.",
    )


def gate_key(blockers: Sequence[SlotBlocker]) -> str:
    """Return the key of the decision, which stands for these sessions alone."""
    names = "\n".join(sorted(map(session_key, blockers)))
    return f"end-blockers-{hashlib.sha256(names.encode()).hexdigest()[:10]}"


def session_key(blocker: SlotBlocker) -> str:
    """Return what names a session for good: pids recur."""
    return f"{blocker.pid}@{blocker.backend_start:%Y-%m-%dT%H:%M:%S.%f%z}"


class EndBlocker(DatabaseEffect):
    """End one session, known by its pid and the time at which it began.

    Source: https://www.postgresql.org/docs/current/functions-admin.html
    """

    def __init__(self, context: RunContext, on: Role, blocker: SlotBlocker) -> None:
        super().__init__(context, on)
        self.key = f"{on.slug}/end/{session_key(blocker)}"
        self.title = f"end session {blocker.pid} of {blocker.role} in {blocker.database}"
        self._session = (blocker.pid, blocker.backend_start)

    def _statement(self) -> Statement:
        return Statement(
            SQL(
                "SELECT pg_catalog.pg_terminate_backend(pid)\n"
                "FROM pg_catalog.pg_stat_activity WHERE pid = %s AND backend_start = %s"
            ),
            self._session,
        )

    def preview(self) -> str:
        """Return the SQL."""
        return self.shown([self._statement()])

    async def probe(self) -> Finding:
        """Look whether the session is still there."""
        async with self.connect() as connection:
            there = await self._there(connection)
        return no("it is there") if there else yes("it is gone")

    async def _there(self, connection: AsyncConnection) -> bool:
        return await existence.has_session(connection, *self._session)

    async def run(self, connection: AsyncConnection) -> Mapping[str, Json]:
        """Tell it to end, and wait until it is gone: it has rolled back then."""
        await self._statement().execute(connection)
        ends = monotonic() + _GONE_S
        while await self._there(connection):
            if monotonic() > ends:
                raise StepFailed(
                    f"{self.title}: it was told to, and is still there after {_GONE_S:.0f} s.",
                    now="It may be rolling back. The slots wait for it.",
                    todo="Run the step again.",
                )
            await asyncio.sleep(_POLL_S)
        return {}
