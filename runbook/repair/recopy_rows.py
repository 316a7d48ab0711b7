"""A table whose rows differ: the differing rows are copied again while the application runs.

They are looked for without a lock. Then the table is locked against writes on the publisher for a
moment: once the subscriber has confirmed past a position taken behind the lock, what still differs
differs for good, and just that is copied or deleted on the subscriber. Rounds go on until one finds
nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar

from psycopg import AsyncConnection, errors
from psycopg.sql import SQL

from runbook.amounts import counted
from runbook.base.context import RunContext
from runbook.base.pair import ReplicationPair, current_pair, publication_name
from runbook.base.step import ClusterImpact, Effect, Impact, Watch, Wave
from runbook.failures import Finding, StepFailed
from runbook.postgres import replication
from runbook.postgres.comparison import row_copy
from runbook.postgres.comparison.row_copy import Chosen, Pair
from runbook.procedure.steps.shared.effects import answered, no, unknown, yes
from runbook.proofs import diverged
from runbook.repair.catch_up import catch_up, caught_up
from runbook.repair.contract import SERVES_NOBODY, Place, TableRepair, of_database
from runbook.repair.give_up import no_longer_differs
from state.records import Json

ROUNDS = 8
LOCK_S = 2.0
"""Writers queue behind a lock that is waited for, so it is not waited for longer than this."""
LOCK_TRIES = 5
HOLD_S = 10.0
"""So long at most the table's writers are held while the subscriber catches up."""


@dataclass
class Recopy(TableRepair):
    """Make one table's rows on the subscriber those of the publisher."""

    what: ClassVar[str] = "recopy"
    undo = f"{SERVES_NOBODY} Run again, it makes the rows equal again."
    place = Place.ROWS

    def __post_init__(self) -> None:
        super().__post_init__()
        self.title = f"Copy the differing rows of {self.table_name} again"

    async def effects(self, context: RunContext) -> list[Wave]:
        return [[RowsEffect(context, current_pair(context), *self.name)]]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        words = f"{self.database}: the rows of {self.table_name} are equal again"
        no_longer_differs(context, watch, self.name, words)
        watch.evidence("", key=diverged.REPAIRED, value=context.now().isoformat())
        given_up = diverged.given_up(context)
        if any(each.name == self.name for each in given_up):
            watch.evidence(
                f"{self.table_name} is not given up any more",
                key=diverged.GIVEN_UP,
                value=diverged.as_json([each for each in given_up if each.name != self.name]),
            )


class RowsEffect(Effect):
    """The rows of one table, made equal."""

    def __init__(
        self, context: RunContext, sides: ReplicationPair, database: str, schema: str, table: str
    ) -> None:
        self.stakes = ClusterImpact(Impact.CHANGE, sides.subscriber)
        self.key = f"{sides.subscriber.slug}/{of_database(database, schema, table)}/rows"
        self.title = f"make the rows of {schema}.{table} in {database} equal"
        self._context = context
        self._sides = sides
        self._database = self.database = database
        self._schema = schema
        self._table = table

    def preview(self) -> str:
        """Return what is run; the rows are found at that moment."""
        publisher, subscriber = self._sides.publisher.value, self._sides.subscriber.value
        name = row_copy.quoted_table(self._schema, self._table)
        return "\n".join(
            (
                f"-- in database {self._database}, on connections of their own",
                f"-- both: hash of each row of {name}, without a lock: which keys differ?",
                f"-- on {publisher}, writers to this table wait meanwhile, {HOLD_S:.0f} s at most:",
                f"BEGIN; SET LOCAL lock_timeout = '{LOCK_S:.0f}s';",
                f"LOCK TABLE ONLY {name} IN SHARE MODE;",
                f"-- wait until {subscriber} has confirmed past this; which of the keys differ?",
                f"-- on {subscriber}:",
                "BEGIN; SET LOCAL session_replication_role = replica;",
                f"{replication.own_mark().text()};",
                f"DELETE FROM ONLY {name} WHERE (the keys that differ);",  # noqa: S608
                f"COPY {name} FROM STDIN;  -- the rows of these keys on {publisher}",
                "COMMIT;",
                f"-- on {publisher}: ROLLBACK;",
            )
        )

    async def probe(self) -> Finding:
        """Compare the rows, letting those on their way arrive; only looks."""
        async with self._opened() as (here, there):
            chosen = Chosen(await self._common(here, there))
            found = await row_copy.suspects(chosen.pair)
            if not found:
                return yes("all rows are equal")
            limit_s = self._context.plan.limits.drain_s
            if not await caught_up(
                self._context, self._sides, self._database, limit_s=limit_s, only_look=True
            ):
                return unknown(f"{self._sides.subscriber.value} does not catch up")
            await chosen.choose(found)
            left = await chosen.still_unlike() or await self._lasting(chosen, found)
        return (
            no(counted(len(left), "key differs", "keys differ"))
            if left
            else yes("all rows are equal")
        )

    async def perform(self) -> Mapping[str, Json]:
        """Make them equal, round after round until one finds nothing."""
        began, held_s, repaired = time.monotonic(), 0.0, 0
        with answered(self.title, self._sides.subscriber):
            async with self._opened() as (here, there):
                pair = await self._common(here, there)
                await self._refuse_unless_followed(there)
                for _ in range(ROUNDS):
                    found = await self._settled(pair)
                    if not found:
                        return {
                            "keys": repaired,
                            "held_s": round(held_s, 3),
                            "seconds": round(time.monotonic() - began, 3),
                        }
                    made, longest = await self._round(here, there, found)
                    repaired += made
                    held_s = max(held_s, longest)
        raise StepFailed(
            f"The rows of {pair} in {self._database} still differ after {ROUNDS} rounds.",
            now=f"{counted(repaired, 'key was', 'keys were')} made equal; others came to differ "
            "meanwhile.",
            todo=f"Something else writes on {self._sides.subscriber.value}, or a trigger fires "
            "there: find it, then run this again.",
        )

    async def _settled(self, pair: Pair) -> Chosen | None:
        """Return what differs although everything has arrived, noted on both sides."""
        try:
            found = await row_copy.suspects(pair)
        except row_copy.TooMany:
            raise StepFailed(
                f"More than {row_copy.MOST} keys of {pair} in {self._database} differ.",
                now="Nothing was changed.",
                todo="Rebuild the protection, which copies every table anew, or give the table up.",
            ) from None
        if not found:
            return None
        limit_s = self._context.plan.limits.drain_s
        await catch_up(self._context, self._sides, self._database, limit_s=limit_s)
        chosen = Chosen(pair)
        await chosen.choose(found)
        left = await chosen.still_unlike()
        if not left:
            await self._refuse_what_lasts(chosen, found)
            return None
        if len(left) < len(found):
            await chosen.choose(left)
        return chosen

    async def _lasting(
        self, chosen: Chosen, found: Collection[int], *, only_look: bool = True
    ) -> set[int]:
        """Return what differs in the whole tables for good, whatever its keys say.

        Writers are not kept off: what they change between two looks with a wait for the subscriber
        between them counts as on its way, and what stays as it was on both sides does not.
        """
        if not (before := await row_copy.at(chosen.pair, found)):
            return set()
        limit_s = self._context.plan.limits.drain_s
        await caught_up(
            self._context, self._sides, self._database, limit_s=limit_s, only_look=only_look
        )
        after = await row_copy.at(chosen.pair, before)
        return {group for group, values in after.items() if values == before[group]}

    async def _refuse_what_lasts(self, chosen: Chosen, found: Collection[int]) -> None:
        """Refuse to call a table equal in which rows are left that no key leads to."""
        if not (lasting := await self._lasting(chosen, found, only_look=False)):
            return
        ours = await row_copy.count(chosen.pair.here)
        theirs = await row_copy.count(chosen.pair.there)
        publisher, subscriber = self._sides.publisher.value, self._sides.subscriber.value
        raise StepFailed(
            f"{chosen.pair} in {self._database} is not the same on both sides: {publisher} has "
            f"{counted(ours, 'row')}, {subscriber} {theirs}, and "
            f"{counted(len(lasting), 'key differs', 'keys differ')}.",
            now=f"No row of these was changed on {subscriber}.",
            todo="Make the schemas alike first, its keys among them. Where the table was made anew "
            f"on {publisher}, empty it on {subscriber} first; then run this again.",
        )

    async def _round(
        self, here: AsyncConnection, there: AsyncConnection, chosen: Chosen
    ) -> tuple[int, float]:
        """Make the chosen groups equal; return how many were not, and the longest hold."""
        repaired, longest = 0, 0.0
        for part in range(chosen.parts):
            # What was made equal before stays: between two parts it may be stopped.
            await self._context.pause(f"{self.title}: part {part + 1} of {chosen.parts}", 0.0)
            await self._lock(here, chosen.pair)
            locked_at = time.monotonic()
            try:
                await catch_up(self._context, self._sides, self._database, limit_s=HOLD_S)
                wrong, wanted = await chosen.unlike(part)
                if wrong:
                    async with there.transaction():
                        await there.execute("SET LOCAL session_replication_role = replica")
                        await replication.own_mark().execute(there)
                        await chosen.make_equal(part, wrong)
                        left, now_here = await chosen.unlike(part)
                        if left or now_here != wanted:
                            raise StepFailed(
                                f"{counted(len(left), 'key')} of {chosen.pair} differed after the "
                                "copy.",
                                now=f"Nothing was changed on {self._sides.subscriber.value}.",
                                todo="See whether a trigger ENABLE ALWAYS fires there, then run "
                                "this again.",
                            )
                    repaired += len(wrong)
            finally:
                await here.rollback()
            longest = max(longest, time.monotonic() - locked_at)
        return repaired, longest

    async def _lock(self, here: AsyncConnection, pair: Pair) -> None:
        """Keep writers off the table, in a transaction that is left open."""
        for attempt in range(LOCK_TRIES):
            if attempt:
                await asyncio.sleep(attempt)
            await here.execute("BEGIN")
            try:
                await here.execute(f"SET LOCAL lock_timeout = '{LOCK_S:.0f}s'".encode())
                await here.execute(SQL("LOCK TABLE ONLY {} IN SHARE MODE").format(pair.identifier))
                return
            except errors.LockNotAvailable:
                await here.rollback()
        holders = await row_copy.writers_of(pair.here)
        raise StepFailed(
            f"{pair} in {self._database} could not be locked against writes, "
            f"{LOCK_TRIES} times {LOCK_S:.0f} s: {'; '.join(holders) or 'nobody holds it now'}.",
            now="What was made equal before stays; nothing else was changed.",
            todo="End these transactions, or wait for them, then run this again.",
        )

    async def _common(self, here: AsyncConnection, there: AsyncConnection) -> Pair:
        try:
            return await Pair.of(here, there, self._schema, self._table)
        except row_copy.Unpaired as error:
            raise StepFailed(
                f"In {self._database} {error}.",
                now="Nothing was changed.",
                todo="Make the schemas alike first: what is missing is offered beside this.",
            ) from error

    async def _refuse_unless_followed(self, there: AsyncConnection) -> None:
        """Refuse a table that does not receive what is written: it would not stay equal."""
        name = publication_name(self._context)
        taken = await replication.subscribed_tables(there, name)
        names = {(each.schema, each.name) for each in taken if each.state == "r"}
        if (self._schema, self._table) not in names:
            raise StepFailed(
                f"{self._sides.subscriber.value} does not receive "
                f"{row_copy.quoted_table(self._schema, self._table)} in {self._database}.",
                now="Nothing was changed.",
                todo="Take the table in first, with its rows: that is offered beside this.",
            )

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[tuple[AsyncConnection, AsyncConnection]]:
        """Lend a connection of its own to each side: scans take their time, a lock is held."""
        async with AsyncExitStack() as stack:
            opened = []
            for role in (self._sides.publisher, self._sides.subscriber):
                target = await self._context.target(role)
                connection = await self._context.connector(target, self._database)()
                stack.push_async_callback(connection.close)
                await connection.execute(
                    "SELECT set_config('statement_timeout', %s, false), "
                    # Whatever becomes of this process, writers are not held for long.
                    "set_config('idle_in_transaction_session_timeout', %s, false)",
                    (f"{self._context.plan.limits.repair_s:.0f}s", f"{2 * HOLD_S:.0f}s"),
                )
                opened.append(connection)
            yield opened[0], opened[1]
