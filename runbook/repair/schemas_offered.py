"""What is offered where the schemas of the two held sides differ, in the order of its taking."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from shlex import quote

from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.postgres import schema_changes
from runbook.postgres.change import Change
from runbook.postgres.schema_ddl import Name, Parts, shown
from runbook.proofs.schema_drift import differences
from runbook.repair.gather import Offered
from runbook.repair.hold import holding, kept
from runbook.repair.identity import by_key, identify, keyless
from runbook.repair.schema import SchemaChange, unrepaired
from runbook.repair.stopping import both, stops
from runbook.repair.tables import NewTables, has_rows, not_taken_in, quoted_sql

NEEDED = ("schema", "enum", "column-identity", "sequence")
"""What new tables may need."""

ONLY_NAMED = ("type", "sequence", "trigger", "extension")
"""Kinds of what differs that not every change of is made here: domains, for instance."""


async def keys(context: RunContext, database: str, found: Offered) -> None:
    """Offer what lets UPDATE and DELETE pass again on tables of the publisher without a key."""
    for table in await keyless(context, database):
        if (repair := identify(context, database, table)) is not None:
            found.add(repair)
            continue
        found.say(
            f"Give {table} in {database} of {current_pair(context).publisher.value} a key",
            f"UPDATE and DELETE on it fail there: {table.reason}",
            by_key(table),
        )


async def schemas(context: RunContext, database: str, found: Offered) -> None:
    """Offer what makes the subscriber's schemas those of the publisher."""
    ours, theirs = await both(context, database)
    changes = schema_changes.changes(ours, theirs)
    # Where apply stands still, no copy of a new table comes to its end.
    first = [each for each in changes if each.kind in NEEDED or stops(each)]
    for change in first:
        await offer(context, database, change, found)
    renamed = {each.name for each in changes if each.kind == "rename-table"}
    new = schema_changes.new_tables(ours, theirs)
    await _new_tables(context, database, new, renamed, found)
    for change in changes:
        if change not in first:
            await offer(context, database, change, found)
    if not new.names:
        # What belongs to a new table comes with it: what is left then is looked at then.
        await _by_hand(context, database, changes, ours, found)


async def _by_hand(
    context: RunContext, database: str, changes: Sequence[Change], ours: Parts, found: Offered
) -> None:
    """Name what differs and is made alike by no change: nothing that differs goes unsaid."""
    sides = current_pair(context)
    named = {each.name[:2] if each.kind == "enum-value" else each.name for each in changes}
    # The sequence of an identity comes and goes with it.
    named |= {
        tuple(made["sequence"][:2])
        for part, made in ours.columns.items()
        if made["sequence"] and part in named
    }
    for each in (await differences(context, sides, database))[0]:
        if each.kind in ONLY_NAMED and each.breaks and each.names not in named:
            found.say(
                f"Make {each.subject} in {database} alike",
                each.words,
                f"Make the same change on {sides.subscriber.value}, by hand: SET "
                "default_transaction_read_only = off; then the SQL that changed it on "
                f"{sides.publisher.value}.",
            )


async def offer(context: RunContext, database: str, change: Change, found: Offered) -> None:
    """Offer one change, or say what a person may do where it is not for the asking."""
    sides = current_pair(context)
    title = f"{change.title} in {database}"
    if not change.statements:
        found.say(title, "the two sides differ in it", change.note)
        return
    repair = SchemaChange(
        why=change.note or f"{sides.publisher.value} has it, and {sides.subscriber.value} has not",
        database=database,
        kind=change.kind,
        name=list(change.name),
        words=change.title,
        destructive=change.destructive,
    )
    if words := await holding(context, database, change):
        why = f"only {sides.subscriber.value} has it"
        if change.kind == "column-type":
            here, there = change.reads
            why = f"it is {here} on {sides.publisher.value}, {there} on {sides.subscriber.value}"
        found.say(title, why, kept(change, words))
    elif context.fact(unrepaired(repair.key)) == change.mark:
        words = f"it was done, and {sides.subscriber.value} still writes it otherwise"
        here, there = change.reads
        found.say(
            title, words, f"{sides.publisher.value}: {here}\n{sides.subscriber.value}: {there}"
        )
    else:
        found.add(repair)


async def _new_tables(
    context: RunContext,
    database: str,
    new: schema_changes.NewTables,
    renamed: Collection[tuple[str, ...]],
    found: Offered,
) -> None:
    publisher, subscriber = current_pair(context).publisher, current_pair(context).subscriber
    for table, odd in new.by_hand.items():
        found.say(
            f"Make {shown(table)} in {database} on {subscriber.value}",
            f"{publisher.value} has it and {subscriber.value} has not; it cannot be written "
            f"faithfully here: {odd}",
            f"1. pg_dump --schema-only --table={quote(quoted_sql(table))} from "
            f"{publisher.value}.\n"
            f"2. On {subscriber.value}: SET default_transaction_read_only = off; then that SQL.\n"
            "3. Look here again: taking it in with its rows is offered then.",
        )
    # A table that is renamed on the subscriber goes on receiving.
    waiting = [each for each in await not_taken_in(context, database) if each not in renamed]
    if any(table in waiting for table in new.by_hand) or not (waiting or new.names):
        return
    missing = new.names
    filled: list[Name] = []
    for table in waiting:
        if table not in missing and await has_rows(context, subscriber, database, table):
            filled.append(table)
    names = ", ".join(map(shown, waiting or missing))
    if missing:
        loss = "apply stops at its first change of what it lacks, and goes on once that is there"
    else:
        loss = "without a copy of its rows they are lost on a rollback, with lag 0 and no error"
    found.add(
        NewTables(
            why=f"{subscriber.value} does not receive {names}; {loss}",
            database=database,
            missing=[list(table) for table in missing],
            filled=[list(table) for table in filled],
            taken=[list(table) for table in waiting],
        )
    )
