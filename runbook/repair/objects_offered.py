"""What is offered beside rows and tables: roles, grants, code, databases, passwords."""

from __future__ import annotations

from collections.abc import Collection

from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.base.roles import Role
from runbook.postgres.statement import quoted
from runbook.proofs import objects
from runbook.proofs.objects import ObjectsSurvey
from runbook.proofs.schema_drift import given_up
from runbook.repair.databases import GiveUpDatabase
from runbook.repair.databases import by_hand as by_hand_of
from runbook.repair.gather import Offered
from runbook.repair.objects import AcceptUnlike, by_hand
from runbook.repair.objects import repairs as making_alike
from runbook.repair.password import SetPassword, locked_out


async def lets_in(context: RunContext, found: Offered) -> bool:
    """Offer the password that a rotation has set on the publisher alone; return whether one gets
    into both sides at all."""
    publisher, subscriber = current_pair(context).publisher, current_pair(context).subscriber
    user = context.plan.credentials.user
    refused = former = False
    async with found.looking_at(publisher.value):
        if await locked_out(context, publisher):
            found.say(
                f"Let the plan refer to the password of {user} that {publisher.value} takes",
                f"{publisher.value}, which serves, refuses the one that it refers to",
                f"The plan says: {context.plan.credentials.password}. Where that is a secret or a "
                "file, put the present password there; it is read again each time one connects.",
            )
            return False
    async with found.looking_at(subscriber.value):
        refused = await locked_out(context, subscriber)
        former = context.takes_former_password(subscriber)
    if not (refused or former):
        return True
    why = f"{subscriber.value} does not take the password of {user} that the plan refers to"
    if former or (await context.cluster(subscriber)).master_username == user:
        found.add(SetPassword(why=why, user=user, by_api=refused))
    else:
        found.say(
            f"Set the password of {user} on {subscriber.value}",
            f"{why}, and none that is known here",
            f"As its master user: ALTER ROLE {quoted(user)} PASSWORD, with the present one. The "
            "master user's own: aws rds modify-db-cluster --master-user-password.",
        )
    return not refused


async def databases(context: RunContext, found: Offered, captured: Collection[str]) -> None:
    """Offer what can be done about databases that came after the capture."""
    sides, known = current_pair(context), {*captured, *given_up(context)}
    for name in await context.databases(sides.publisher):
        if name not in known:
            why = f"it came to {sides.publisher.value} after the capture, so no slot keeps its rows"
            found.add(GiveUpDatabase(why, name))
            found.say(f"Carry the database {name} by hand", why, by_hand_of(name, sides))


async def beside(context: RunContext, found: Offered, source: Role, target: Role) -> None:
    """Offer what is not alike beside the rows: made so, by hand, or accepted by name."""
    async with found.looking_at("roles, grants and code"):
        databases = (context.fact("capture") or {}).get("databases")
        look = ObjectsSurvey(context)
        every = await look.look(source, target, databases or await context.databases(target))
        left = objects.fresh(every, objects.known(context) or {})
        made = making_alike(left, look)
        for repair in made:
            found.add(repair)
        done = {(each.database, each.kind, tuple(each.names)) for each in made}
        for each in left:
            if (each.database, each.kind, each.names) not in done:
                found.say(f"Make {each.name} alike", each.words, by_hand(each))
        if left:
            pairs = {each.key: each.pair() for each in left}
            words = [each.words for each in left]
            why = f"not alike: {objects.counted(left)}"
            found.add(AcceptUnlike(why, target.value, pairs, words))
