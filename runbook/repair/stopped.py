"""What a database's apply worker fails at: the transaction, read while the worker is down."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from psycopg import errors

from runbook.base.context import RunContext
from runbook.base.pair import (
    captured_slots,
    current_pair,
    publication_name,
)
from runbook.postgres import failing_transaction, replication
from runbook.postgres.failing_transaction import Pending

BETWEEN_TRIES_S = 7.0
"""A failed worker is tried again after `wal_retrieve_retry_interval`, 5 s by default."""

LOOK_EVERY_S = 0.1


async def failing_at(context: RunContext, database: str) -> Pending | None:
    """Return the transaction that a database's apply worker fails at, where that can be told.

    Waits at most for a moment between two tries of the worker, in which its slot can be read.
    """
    name, sides = publication_name(context), current_pair(context)
    slot = (await captured_slots(context, sides.publisher))[database]
    async with context.connect(sides.subscriber, database) as connection:
        applied = await failing_transaction.applied(connection, name)
    deadline = time.monotonic() + BETWEEN_TRIES_S
    async with context.connect(sides.publisher, database) as connection:
        reached = await replication.flushed(connection)
        while time.monotonic() < deadline:
            found = await replication.slot(connection, slot)
            if found is None or (found.confirmed_flush_lsn or 0) >= reached:
                return None
            if not found.active:
                # The worker may have come back at that very moment.
                with suppress(errors.ObjectInUse):
                    return await failing_transaction.failing(
                        connection,
                        slot,
                        name,
                        applied_lsn=applied,
                        from_lsn=found.confirmed_flush_lsn or 0,
                    )
            await asyncio.sleep(LOOK_EVERY_S)
    return None
