"""The end of the subscriptions of a cluster, without talking to the one that feeds it."""

from __future__ import annotations

from collections.abc import Sequence

from runbook.base import step_keys
from runbook.base.context import RunContext
from runbook.base.pair import DETACHED, publication_name, subscription
from runbook.base.roles import Role
from runbook.base.step import Effect, Risk, Step, Watch, Wave
from runbook.failures import StepFailed
from runbook.postgres import replication
from runbook.procedure.steps.protect.create_slots import dropped_publication
from runbook.procedure.steps.protect.subscribe import subscription_gone
from runbook.procedure.steps.shared.effects import SqlEffect
from runbook.protection import given_up


class DropSubscriptions(Step):
    """End the subscriptions of those of some clusters that exist.

    Source: https://www.postgresql.org/docs/current/sql-dropsubscription.html
    """

    key = step_keys.DROP_SUBSCRIPTIONS
    why = "A subscription left behind would go on applying, or hang on a dead publisher."
    risk = Risk.DESTRUCTIVE

    def __init__(self, *subscribers: Role, doomed: bool = False) -> None:
        """`doomed` clusters are deleted next: one without an instance keeps its own."""
        self.subscribers = subscribers
        self.doomed = doomed
        names = " and ".join(role.value for role in subscribers)
        self.title = f"Drop the subscriptions of {names}"
        self.undo = (
            f"None: {names} {'no longer follow' if len(subscribers) > 1 else 'no longer follows'}."
        )

    async def _there(self, context: RunContext) -> list[Role]:
        return await present(context, self.subscribers, doomed=self.doomed)

    async def skip(self, context: RunContext) -> str:
        if await self._there(context):
            return ""
        names = " and no ".join(role.value for role in self.subscribers)
        return f"there is no {names}{', or none with an instance' if self.doomed else ''}"

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        name = publication_name(context)
        effects: list[Effect] = []
        strays: list[Effect] = []
        for subscriber in await self._there(context):
            databases = await context.databases(subscriber)
            strays += [_strays(context, subscriber, database) for database in databases]
            effects += [
                SqlEffect(
                    context,
                    subscriber,
                    database,
                    replication.drop_subscription(name),
                    key=f"{subscriber.slug}/{database}/subscription/drop",
                    title=f"drop subscription {name} in {database} of {subscriber.value}",
                    probe=subscription_gone(name),
                )
                for database in databases
            ]
        return [effects, strays]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        there = await self._there(context)
        for subscriber in there:
            for database in await context.databases(subscriber):
                if await subscription(context, subscriber, database) is not None:
                    raise StepFailed(
                        f"The subscription {publication_name(context)} in {database} is still "
                        "there.",
                        now=f"{subscriber.value} still follows in that database.",
                        todo="Run the step again.",
                    )
        names = " and ".join(role.value for role in there)
        watch.evidence(
            f"{names}: no subscription left",
            key=DETACHED,
            value=[role.value for role in self.subscribers],
        )


async def present(context: RunContext, roles: Sequence[Role], *, doomed: bool) -> list[Role]:
    """Return those that exist; of `doomed` ones, those that have an instance to be asked.

    One that was given up and does not answer goes with all that is on it.
    """
    if not doomed:
        return [role for role in roles if await context.find(role)]
    silent = await given_up.look(context)
    return [
        role
        for role in roles
        if await context.answers(role)
        and (silent is None or silent.answers or silent.role is not role)
    ]


def _strays(context: RunContext, subscriber: Role, database: str) -> Effect:
    """Return what drops the publication of its own writes: all are, once it serves."""
    name = replication.strays_publication(publication_name(context))
    key = f"{subscriber.slug}/{database}/strays/drop"
    return dropped_publication(context, subscriber, database, name, key=key)
