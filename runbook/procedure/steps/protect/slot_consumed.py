"""A clone of old blue begins where the slots began: what was read from them meanwhile is gone.

A subscriber that confirms lets the publisher forget. Where blue prime is lost after it has applied,
a new clone of old blue could be subscribed to the same slots, would show lag 0 and no error, and
would lack every write that the lost one had applied.
"""

from __future__ import annotations

from runbook.base.context import RunContext
from runbook.base.pair import ReplicationPair
from runbook.base.roles import Role
from runbook.failures import Refused
from runbook.postgres import replication


async def refuse_if_read(context: RunContext, publisher: Role) -> None:
    """Refuse to go on with a clone that nobody has subscribed yet, where the slots were read.

    What the capture kept tells from where on they hold every write. A run that was taken over
    without its journal has kept nothing, and cannot tell.

    Raises `Refused`.
    """
    began = (context.fact("capture") or {}).get("from")
    if not began:
        return
    async with context.connect(publisher) as connection:
        lags = await replication.slot_lags(connection, list(began))
    other = ReplicationPair.of(publisher).subscriber.value
    for lag in lags:
        confirmed = lag.confirmed_flush_lsn
        if confirmed is not None and confirmed > began[lag.slot]:
            raise Refused(
                f"The slot {lag.slot} was read up to {replication.lsn_text(confirmed)}, by a "
                f"{other} that is gone: it no longer holds what was written before.",
                now=f"{publisher.value.capitalize()} serves and has every write. A {other} that "
                "begins now would lack some of them, with lag 0 and no error.",
                todo=f"Stay on {publisher.value}. A new way takes a copy of its rows.",
            )
