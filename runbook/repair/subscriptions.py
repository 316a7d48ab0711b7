"""A subscription that somebody disabled: enabled again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg import AsyncConnection

from runbook.base.context import RunContext
from runbook.base.pair import current_pair, publication_name, subscription
from runbook.base.step import Watch, Wave
from runbook.failures import Finding, StepFailed
from runbook.postgres import replication
from runbook.postgres.statement import quoted
from runbook.procedure.steps.shared.effects import SqlEffect, no, yes
from runbook.repair.contract import Repair

LIMIT_S = 30.0


@dataclass
class Enable(Repair):
    """Let one database's apply worker run again."""

    what: ClassVar[str] = "enable"
    undo = "ALTER SUBSCRIPTION … DISABLE."
    database: str

    def __post_init__(self) -> None:
        self.named(quoted(self.database))
        self.title = f"Enable the subscription in {self.database}"

    async def effects(self, context: RunContext) -> list[Wave]:
        name, subscriber = publication_name(context), current_pair(context).subscriber

        async def probe(connection: AsyncConnection) -> Finding:
            found = await replication.subscription(connection, name)
            enabled = found is not None and found.enabled
            return (yes if enabled else no)(f"{name} is {'' if enabled else 'not '}enabled")

        effect = SqlEffect(
            context,
            subscriber,
            self.database,
            [replication.enable_subscription(name)],
            key=f"{subscriber.slug}/{self.database}/subscription/enable",
            title=f"enable subscription {name} in {self.database} of {subscriber.value}",
            probe=probe,
        )
        return [[effect]]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        name, subscriber = publication_name(context), current_pair(context).subscriber
        every_s = context.plan.limits.fast_poll_s
        async for _ in watch.until(LIMIT_S, every_s=every_s, what="the apply worker to run"):
            found = await subscription(context, subscriber, self.database)
            if found is None or not found.enabled:
                raise StepFailed(
                    f"The subscription {name} in {self.database} is "
                    f"{'gone' if found is None else 'disabled again'}.",
                    now=f"{subscriber.value} does not follow in that database.",
                    todo=f"See the log of {subscriber.value} for who did that, or for the error.",
                )
            if found.worker_pid is not None:
                watch.evidence(f"the apply worker of {self.database} runs, pid {found.worker_pid}")
                return
