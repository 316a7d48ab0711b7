"""Writes on the subscriber that replication did not bring, and who could make them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

import psycopg
from psycopg import AsyncConnection

from runbook.assumptions import observation
from runbook.base.alert import Alert, Cause, ProbeResult
from runbook.base.context import RunContext
from runbook.base.pair import current_pair, publication_name
from runbook.base.roles import Role
from runbook.postgres import fence_sql, replication
from runbook.postgres.replication import StrayWrite
from runbook.proofs import diverged
from runbook.proofs.diverged import Differing
from state.journal import Journal

SLOT_MADE = "slot-on-blue-prime"
MAKING_S = 0.5
"""How long a look waits for a slot that is being made; it goes on being made."""

FLUSH_S = 1.0
"""How long a slot is read before the WAL's end is brought to a whole record.

Reading stops behind the last flushed byte, which may lie inside a record of a transaction that is
still open: PostgreSQL then waits for the rest of that record to be flushed, and unless somebody
commits that is the background writer's next snapshot, up to 15 s later. What brings it there is a
commit, which costs a fence its shortest proof: so not at once.
"""


class ForeignWritesProbe:
    """Holds a temporary slot in each database of the subscriber, on connections of its own."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._held: dict[str, tuple[AsyncConnection, str]] = {}
        self._making: dict[str, asyncio.Task[str]] = {}
        self._subscriber: Role | None = None
        self.since: datetime | None = None
        """Since when every write is seen, or None."""

    async def look(
        self, databases: Sequence[str]
    ) -> tuple[ProbeResult, list[tuple[str, StrayWrite]]]:
        """Return who may write, and what was written since the last look, by database."""
        subscriber, now = current_pair(self._context).subscriber, self._context.now()
        if subscriber is not self._subscriber:
            await self.close()
            self._subscriber = subscriber
        async with self._context.connect(subscriber) as connection:
            writable = await fence_sql.writable_databases(connection, databases)
            writers = await fence_sql.open_writers(connection)
        alarms = [*_may_write(subscriber, writable, now), *_writing(subscriber, writers, now)]
        found: list[tuple[str, StrayWrite]] = []
        blind = unknown = ""
        for database in databases:
            try:
                why = await self._hold(subscriber, database)
                if not why:
                    found += [(database, write) for write in await self._take(database)]
            except psycopg.Error as error:
                await self.close()
                why = f"{database}: {str(error).splitlines()[0]}"
            blind = blind or why
        if blind:
            self.since = None
            unknown = f"stray writes on {subscriber.value} cannot be watched: {blind}"
            alarms.append(Alert(Cause.STRAY, "", "unwatched", unknown, False, now))
        elif self.since is None:
            self.since = now
        return ProbeResult(now, tuple(alarms), unknown), found

    async def _hold(self, subscriber: Role, database: str) -> str:
        """Make the database's slot unless it is held; return why it is not, or nothing.

        Making one waits for every write transaction that is open there; nothing else waits for it.
        """
        if database in self._held:
            return ""
        if database not in self._making:
            # What was written between two holds was seen by nobody.
            self.since = None
            self._making[database] = asyncio.create_task(self._make(subscriber, database))
        making = self._making[database]
        await asyncio.wait((making,), timeout=MAKING_S)
        if not making.done():
            return f"{database} has write transactions open, whose end its slot waits for"
        del self._making[database]
        return making.result()

    async def _make(self, subscriber: Role, database: str) -> str:
        target = await self._context.target(subscriber)
        connection = await self._context.connector(target, database)()
        try:
            name = replication.strays_publication(publication_name(self._context))
            if not await replication.publication_exists(connection, name):
                await connection.close()
                return f"{database} has no publication {name}; running subscribe again makes it"
            slot = f"bpwatch_{self._context.run}_{secrets.token_hex(4)}"
            await replication.hold_strays(connection, slot)
        except BaseException:
            await connection.close()
            raise
        self._held[database] = (connection, slot)
        return ""

    async def _take(self, database: str) -> list[StrayWrite]:
        connection, slot = self._held[database]
        name = publication_name(self._context)
        taking = asyncio.create_task(replication.take_strays(connection, slot, name))
        try:
            done, _ = await asyncio.wait((taking,), timeout=FLUSH_S)
            if not done:
                async with self._context.connect(current_pair(self._context).subscriber) as other:
                    await replication.emit_barrier(other)
            return await taking
        finally:
            # Whoever closes the connection next must find nobody using it.
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)

    async def close(self) -> None:
        """Let the slots go with their sessions."""
        making, self._making = self._making, {}
        for task in making.values():
            task.cancel()
        await asyncio.gather(*making.values(), return_exceptions=True)
        kept, self._held = self._held, {}
        self.since = None
        for connection, _ in kept.values():
            with suppress(psycopg.Error, OSError):
                await connection.close()


def keep(
    context: RunContext,
    journal: Journal,
    found: Sequence[tuple[str, StrayWrite]],
    since: datetime | None,
) -> None:
    """Keep that tables differ by writes on the subscriber, until they are re-copied or given up.

    What is kept outlives this process. `since` is from when on every write is seen; None: some
    slot could not be made, or waits.
    """
    if since and context.fact(observation.PREFIX + SLOT_MADE) is None:
        observation.observe(
            partial(journal.evidence, context.run, "monitor"),
            SLOT_MADE,
            holds=True,
            seen=f"the slots that show stray writes are held on {current_pair(context).subscriber}",
        )
    subscriber = current_pair(context).subscriber.value
    for database, write in found:
        if write.table:
            table = Differing(database, write.schema, write.table, None, None, "watch")
            # One that a comparison has counted is known better.
            tables = diverged.merged([table], diverged.left(context))
        else:
            tables = diverged.left(context)
        journal.evidence(
            context.run,
            "monitor",
            f"stray write on {subscriber}, in {database}: {write}",
            key=diverged.FACT,
            value=diverged.as_json(tables),
        )


def _may_write(
    subscriber: Role, writable: Sequence[fence_sql.Writable], now: datetime
) -> list[Alert]:
    alarms = []
    for each in writable:
        if each.database_setting != "on" and not each.in_recovery:
            words = f"{each.database} of {subscriber.value} is writable to clients"
            alarms.append(Alert(Cause.WRITABLE, each.database, "clients", words, True, now))
        alarms += [
            Alert(
                Cause.WRITABLE,
                each.database,
                f"role {role}",
                f"{each.database} of {subscriber.value} is writable to the role {role}, "
                "by a setting of its own",
                False,
                now,
            )
            for role in each.writing_roles
        ]
    return alarms


def _writing(subscriber: Role, writers: Sequence[fence_sql.Writer], now: datetime) -> list[Alert]:
    return [
        Alert(
            Cause.STRAY,
            writer.database or "",
            f"pid {writer.pid}",
            f"{writer.role or writer.backend_type} (pid {writer.pid}) has a write transaction "
            f"open in {writer.database} of {subscriber.value}",
            False,
            now,
        )
        for writer in writers
    ]
