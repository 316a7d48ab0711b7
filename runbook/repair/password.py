"""The password of the plan's user, set where a rotation on the other side has not reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.base.roles import Role
from runbook.base.step import ClusterImpact, Effect, Impact, Watch, Wave
from runbook.failures import Answer, Finding, StepFailed
from runbook.postgres import connect as pg
from runbook.postgres.connect import CannotConnect
from runbook.postgres.replication.role import hash_password, set_password_statement
from runbook.postgres.statement import MASK, quoted
from runbook.procedure.steps.shared.effects import answered, modify_cluster, no, unknown, yes
from runbook.proofs import objects
from runbook.proofs.objects import ObjectsSurvey
from runbook.repair.contract import Place, Repair
from state.records import Json


@dataclass
class SetPassword(Repair):
    """Let the subscriber take the password that the publisher takes. `by_api`: through AWS."""

    what: ClassVar[str] = "password"
    place = Place.NEEDED
    undo = "Set the former one again, where it is known."
    user: str
    by_api: bool

    def __post_init__(self) -> None:
        self.named(quoted(self.user))
        self.title = f"Set the password of {self.user} on the side that follows, as it is now"

    async def effects(self, context: RunContext) -> list[Wave]:
        return [[PasswordAlike(context, self.user, by_api=self.by_api)]]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        subscriber = current_pair(context).subscriber.value
        finding = await PasswordAlike(context, self.user, by_api=self.by_api).probe()
        if finding.answer is not Answer.YES:
            raise StepFailed(
                f"{subscriber} does not take the present password of {self.user} yet: "
                f"{finding.seen}.",
                now="Nothing else was changed.",
                todo="AWS takes a moment to set it: try again.",
            )
        watch.evidence(f"{subscriber} takes the present password of {self.user}")
        await self._take_for_alike(context, watch)

    async def _take_for_alike(self, context: RunContext, watch: Watch) -> None:
        """Let what both servers keep of it count as alike: it is the same one, in another form."""
        sides = current_pair(context)
        for each in await ObjectsSurvey(context).look(sides.publisher, sides.subscriber, []):
            if (each.kind, each.names) == ("password", (self.user,)):
                watch.evidence(
                    "it is kept in another form on either side, and counts as alike",
                    key=objects.KNOWN,
                    value={**(objects.known(context) or {}), each.key: each.pair()},
                )


class PasswordAlike(Effect):
    """The change itself; the password is taken from the publisher's connection, in memory."""

    trails = True

    def __init__(self, context: RunContext, user: str, *, by_api: bool) -> None:
        self._context, self._user, self._by_api = context, user, by_api
        self._publisher, self._subscriber = (
            current_pair(context).publisher,
            current_pair(context).subscriber,
        )
        self.key = f"{self._subscriber.slug}/password/{quoted(user)}"
        self.title = f"set the password of {user} on {self._subscriber.value}"
        self.stakes = ClusterImpact(Impact.CHANGE, self._subscriber)

    def preview(self) -> str:
        """Return the call or the SQL, masked."""
        if self._by_api:
            cluster = f"<the cluster of {self._subscriber.value}>"
            return modify_cluster(cluster, MasterUserPassword=MASK).text()
        return f"-- on {self._subscriber.value}\nALTER ROLE {quoted(self._user)} PASSWORD '{MASK}';"

    async def _present(self) -> str:
        """Return the password that the publisher takes now."""
        async with self._context.connect(self._publisher) as connection:
            return connection.info.password

    async def probe(self) -> Finding:
        """Try to enter the subscriber with it, and with no other."""
        present = await self._present()

        async def password() -> str:
            return present

        target = await self._context.target(self._subscriber)
        database = self._context.plan.credentials.maintenance_database
        deadline_s = self._context.plan.limits.connect_s
        try:
            connection = await pg.connect(target, password, database, deadline_s=deadline_s)
        except CannotConnect as error:
            if error.password_refused:
                return no(f"{self._subscriber.value} refuses it")
            return unknown(str(error))
        await connection.close()
        return yes(f"{self._subscriber.value} takes it")

    async def perform(self) -> Mapping[str, Json]:
        """Set it, by SQL where the former one still lets one in, else through AWS."""
        present = await self._present()
        if self._by_api:
            cluster = await self._context.cluster(self._subscriber)
            call = modify_cluster(cluster.identifier, MasterUserPassword=present)
            await self._context.aws.perform(call)
            return {}
        with answered(self.title, self._subscriber):
            async with self._context.connect(self._subscriber) as connection:
                verifier = hash_password(connection, self._user, present)
                await set_password_statement(self._user, verifier).execute(connection)
        return {}

    async def settled(self) -> str:
        """Return what AWS is still busy with."""
        if not self._by_api:
            return ""
        cluster = await self._context.cluster(self._subscriber)
        if not cluster.available:
            return f"{cluster.identifier} is {cluster.status}"
        finding = await self.probe()
        return "" if finding.answer is Answer.YES else finding.seen


async def locked_out(context: RunContext, role: Role) -> bool:
    """Return whether a cluster refuses every password that is known of the plan's user."""
    try:
        async with context.connect(role):
            return False
    except CannotConnect as error:
        return error.password_refused
