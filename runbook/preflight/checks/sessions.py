"""Transactions that stand in the way."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runbook.postgres import catalog
from runbook.postgres.connect import APPLICATION_NAME
from runbook.postgres.fix import Fix, FixKind
from runbook.preflight.check import check
from runbook.preflight.result import Result, block, passed, warn
from runbook.preflight.survey import LONG_S, Survey, long_transactions

_TOO_LONG_S = 300.0


@check(
    "sessions.prepared",
    why="A prepared transaction survives its session, stops pg_upgrade, and may be committed "
    "behind the fence.",
)
async def prepared(look: Survey) -> AsyncIterator[Result]:
    """A two-phase transaction was prepared and left."""
    found = await look.server(catalog.prepared_transactions)
    for each in found:
        gid = each.gid.replace("'", "''")
        yield block(
            each.gid,
            f"Prepared in database {each.database} by {each.owner}, {each.age_s:.0f} s ago.",
            f"In database {each.database}: COMMIT PREPARED '{gid}'; or ROLLBACK PREPARED '{gid}';",
            fix=Fix(FixKind.ROLL_BACK_PREPARED, each.database, (each.gid,)),
        )
    if not found:
        yield passed(look.plan.cluster.identifier, "no prepared transactions")


@check(
    "sessions.long",
    why="AWS cannot make blue a replication source while a transaction stays open: a new slot "
    "waits for every one of them, in any database.",
)
async def long(look: Survey) -> AsyncIterator[Result]:
    """A transaction stays open: idle in transaction, or a long report."""
    found = [
        each
        for each in await look.server(long_transactions)
        if each.backend_type == "client backend"
    ]
    for each in found:
        level = block if each.age_s >= _TOO_LONG_S else warn
        ours = each.application == APPLICATION_NAME
        yield level(
            f"pid {each.pid}",
            f"{each.role} in database {each.database} ({each.application or 'no name'}): open "
            f"for {each.age_s:.0f} s, {each.state}.",
            "It is blueprime's own, of a run or a comparison, here or on another machine: let it "
            "end."
            if ours
            else f"Let it end, or: SELECT pg_terminate_backend({each.pid});",
            fix=None
            if ours
            else Fix(FixKind.TERMINATE, "", (str(each.pid), each.backend_start.isoformat())),
        )
    if not found:
        yield passed(look.plan.cluster.identifier, f"no transaction open for {LONG_S:.0f} s")
