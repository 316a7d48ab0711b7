"""What lets a database's apply get on again, by the cause that PostgreSQL gives for its failure."""

from __future__ import annotations

from runbook.base.context import RunContext
from runbook.base.offer import Offer
from runbook.base.pair import current_pair
from runbook.postgres.failing_transaction import Pending
from runbook.repair import empty_table
from runbook.repair.contract import Repair
from runbook.repair.rights import RunAsOwner, refusal
from runbook.repair.rows import stray_row
from runbook.watch.server_log import apply_said

BY_LOG = (
    "1. The log of {subscriber}'s writer says it, in the lines of the logical replication worker: "
    "a conflict names table and key, a missing right the role, a full disk the file.\n"
    "2. Only where it names a conflicting row: on {subscriber}, SET default_transaction_read_only "
    "= off, then DELETE that row. Where it says permission denied, cannot SET ROLE or row-level "
    "security: grant what is missing.\n"
    "3. Apply goes on by itself, a few seconds later."
)


async def cure(context: RunContext, database: str, failing: Pending) -> Repair | Offer | None:
    """Return what lets apply get past the transaction that it fails at, or None: it is not told.

    Rights come first: where one is missing, no row is looked for.
    """
    if (refused := await refusal(context, database, failing)) is None:
        row = await stray_row(context, database, failing)
        return row and (empty_table.instead_of(context, row) or row)
    if refused.option_helps:
        return RunAsOwner(why=refused.why, database=database)
    subscriber = current_pair(context).subscriber.value
    words = (
        f"On {subscriber}, in database {database}: SET default_transaction_read_only = off; then\n"
        f"{refused.sql}\nApply goes on by itself, a few seconds later. A change of row-level "
        "security holds after a rollback, too: take it back once nothing is pending."
    )
    title = f"Grant in {database} of {subscriber} what apply lacks"
    return Offer("", title, refused.why, by_hand=words)


async def by_log(context: RunContext, database: str) -> Offer:
    """Return what the server's log says of a worker that fails, where nothing else tells why."""
    subscriber = current_pair(context).subscriber
    said = await apply_said(context, subscriber, database)
    why = f"the apply worker of {database} on {subscriber.value} fails; "
    if said.error:
        why += f"its last error in the server's log: {said.error}"
    elif said.unread:
        why += f"its log could not be read: {said.unread}"
    else:
        why += "what it fails at cannot be told from here"
    words = BY_LOG.format(subscriber=subscriber.value)
    return Offer("", f"Fix what stops apply in {database}", why, by_hand=words)
