"""Transactions that stand in the way."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runbook.postgres import catalog
from runbook.postgres.fix import Fix, FixKind
from runbook.postgres.target import APPLICATION_NAME
from runbook.preflight.check import check
from runbook.preflight.result import Result, block, warn
from runbook.preflight.survey import LONG_S, Survey, long_transactions

_TOO_LONG_S = 300.0


@check(
    "sessions.prepared",
    none="no prepared transactions",
    why="A prepared transaction survives its session, stops pg_upgrade, and may be committed "
    "behind the fence.",
)
async def prepared(look: Survey) -> AsyncIterator[Result]:
    """A two-phase transaction was prepared and left."""
    for each in await look.server(catalog.prepared_transactions):
        gid = each.gid.replace("'", "''")
        yield block(
            each.gid,
            f"Prepared in database {each.database} by {each.owner}, {each.age_s:.0f} s ago.",
            f"In database {each.database}: COMMIT PREPARED '{gid}'; or ROLLBACK PREPARED '{gid}';",
            fix=Fix(FixKind.ROLL_BACK_PREPARED, each.database, (each.gid,)),
        )


@check(
    "sessions.long",
    none=f"no transaction open for {LONG_S:.0f} s",
    why="AWS cannot make blue a replication source while a transaction stays open: a new slot "
    "waits for every one of them, in any database.",
)
async def long(look: Survey) -> AsyncIterator[Result]:
    """A transaction stays open: idle in transaction, or a long report."""
    for each in await look.server(long_transactions):
        if each.backend_type != "client backend":
            continue
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
