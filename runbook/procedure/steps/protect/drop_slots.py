"""The end of a capture: its slots, publications and role go, so that the disk is given back."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import AsyncConnection

from runbook.base.context import RunContext
from runbook.base.pair import (
    captured_slots,
    current_pair,
    publication_name,
    replication_role,
)
from runbook.base.roles import Role
from runbook.base.step import Effect, Risk, Step, Watch, Wave
from runbook.failures import Finding, StepFailed
from runbook.ownership.slot_consumers import name_consumers
from runbook.postgres import catalog, replication
from runbook.procedure.steps.protect.create_slots import dropped_publication
from runbook.procedure.steps.protect.drop_subscriptions import present
from runbook.procedure.steps.shared.effects import LookInside, SqlEffect, no, yes


class DropSlots(Step):
    """Give the publisher its disk back: slots, publications and the role go.

    Source: https://www.postgresql.org/docs/current/functions-admin.html
    """

    key = "drop-slots"
    title = "Drop the former slots"
    why = "An abandoned slot keeps WAL and stops vacuum until the disk is full."
    risk = Risk.DESTRUCTIVE
    undo = "None: the way back through these slots has ended."

    def __init__(self, *publishers: Role, doomed: bool = False) -> None:
        """`doomed` clusters are deleted next: with one that has no instance left its slots go."""
        self.publishers = publishers
        self.doomed = doomed

    async def _there(self, context: RunContext) -> list[Role]:
        """Return the publishers whose cluster exists: with another its slots are gone."""
        return await present(context, self.publishers, doomed=self.doomed)

    async def skip(self, context: RunContext) -> str:
        return "" if await self._there(context) else "no capture was made"

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        waves: list[Wave] = []
        for publisher in await self._there(context):
            slots = await captured_slots(context, publisher)
            waves += [
                [self._slot(context, publisher, *each) for each in slots.items()],
                [self._publication(context, publisher, database) for database in slots],
                await self._granted(context, publisher),
                [self._role(context, publisher)],
            ]
        return [wave for wave in waves if wave]

    def _slot(self, context: RunContext, publisher: Role, database: str, name: str) -> Effect:
        async def probe(connection: AsyncConnection) -> Finding:
            found = await replication.slot(connection, name)
            return no(f"slot {name} is there") if found else yes(f"there is no slot {name}")

        return SqlEffect(
            context,
            publisher,
            "",
            [replication.terminate_slot_user(name), replication.drop_slot(name)],
            key=self._key(publisher, f"{name}/drop"),
            title=f"drop slot {name} of {database} on {publisher.value}",
            probe=probe,
            transaction=False,
        )

    def _key(self, publisher: Role, key: str) -> str:
        """Return an effect's key: alike names on two clusters need to be told apart."""
        return key if len(self.publishers) == 1 else f"{publisher.slug}/{key}"

    def _publication(self, context: RunContext, publisher: Role, database: str) -> Effect:
        name = publication_name(context)
        key = self._key(publisher, f"{name}/{database}/publication/drop")
        return dropped_publication(context, publisher, database, name, key=key)

    async def _granted(self, context: RunContext, publisher: Role) -> list[Effect]:
        """Return what takes from the role all that it was granted: it cannot be dropped before."""
        role = replication_role(context)
        async with context.connect(publisher) as connection:
            databases = await replication.granted_in(connection, role)

        def probe(database: str) -> LookInside:
            async def look(connection: AsyncConnection) -> Finding:
                left = database in await replication.granted_in(connection, role)
                return (no if left else yes)(f"{role} has {'grants' if left else 'none'}")

            return look

        return [
            SqlEffect(
                context,
                publisher,
                database,
                [replication.drop_owned(role)],
                key=self._key(publisher, f"{role}/{database}/grants/drop"),
                title=f"take from {role} what it was granted in {database or 'the whole server'} "
                f"of {publisher.value}",
                probe=probe(database),
            )
            for database in databases
        ]

    def _role(self, context: RunContext, publisher: Role) -> Effect:
        role = replication_role(context)

        async def probe(connection: AsyncConnection) -> Finding:
            there = await replication.role_exists(connection, role)
            return (no if there else yes)(f"role {role} {'exists' if there else 'is gone'}")

        return SqlEffect(
            context,
            publisher,
            "",
            [replication.drop_role(role)],
            key=self._key(publisher, f"{role}/drop"),
            title=f"drop role {role} on {publisher.value}",
            probe=probe,
        )

    async def verify(self, context: RunContext, watch: Watch) -> None:
        looked = await self._there(context)
        for publisher in looked:
            async with context.connect(publisher) as connection:
                left = [
                    slot.name
                    for slot in await catalog.replication_slots(connection)
                    if slot.name.startswith(context.sql_name()) and not slot.temporary
                ]
            if left:
                raise StepFailed(
                    f"Slots of this run are still on {publisher.value}: {', '.join(left)}.",
                    now="They keep WAL there.",
                    todo="Run the step again.",
                )
            await name_consumers(
                context,
                watch,
                publisher,
                todo="It stays, and a slot keeps WAL as long as nobody reads it.",
            )
        on = " or ".join(role.value for role in looked)
        if current_pair(context).publisher in self.publishers:
            watch.evidence(f"no slot of this run is left on {on}", key="slots", value=[])
        else:
            watch.evidence(f"no slot of this run is left on {on}")
