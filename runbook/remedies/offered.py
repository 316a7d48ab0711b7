"""Which remedies are offered now: by what was seen, looked at again before it is said."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

import psycopg

from runbook import differing, unlike
from runbook.drift import given_up
from runbook.offers import Offer
from runbook.permission import objection_and_look
from runbook.positions import switchover_asked
from runbook.postgres import drift, replication
from runbook.postgres.pending import Pending
from runbook.postgres.statement import quoted
from runbook.remedies import fixes, schemas
from runbook.remedies.databases import GiveUpDatabase
from runbook.remedies.databases import by_hand as by_hand_of
from runbook.remedies.gathering import UNSEEN, Offered
from runbook.remedies.kinds import rebuilt
from runbook.remedies.objects import AcceptUnlike, by_hand
from runbook.remedies.objects import remedies as making_alike
from runbook.remedies.password import SetPassword, locked_out
from runbook.remedies.rebuild import Rebuild, cost, lost_slots
from runbook.remedies.recopy import Recopy
from runbook.remedies.remedy import is_remedy
from runbook.remedies.rights import RunAsOwner, refusal
from runbook.remedies.stopped import failing_at
from runbook.remedies.stopping import both
from runbook.remedies.stray import stray_row
from runbook.remedies.striking import GiveUp
from runbook.remedies.subscriptions import Enable
from runbook.roles import Role
from runbook.serving import Seen
from runbook.sides import held
from runbook.step import Answer, Gate
from runbook.steps.capture import publication_name
from runbook.steps.detach import detached
from runbook.unlike import ObjectsLook
from runbook.world import World
from state.journal import Journal
from state.words import Status

MOST_FIXES = 50
"""So many of the preflight's mends are offered at a time; how many more there are is said."""

BY_LOG = (
    "1. The log of {subscriber}'s writer says it, in the lines of the logical replication worker: "
    "a conflict names table and key, a missing right the role, a full disk the file.\n"
    "2. Only where it names a conflicting row: on {subscriber}, SET default_transaction_read_only "
    "= off, then DELETE that row. Where it says permission denied, cannot SET ROLE or row-level "
    "security: grant what is missing.\n"
    "3. Apply goes on by itself, a few seconds later."
)


async def offered(world: World, journal: Journal, *, only: str = "") -> Offered:
    """Return what is offered where the run stands now; looks alone.

    `only` is the key of the one that is asked for: of the preflight's no other is looked at.
    """
    found = Offered()
    why, seen = await objection_and_look(world)
    if why:
        name = world.plan.cluster.identifier
        found.say("Read the run anew from the clusters", why, f"blueprime adopt {name}")
        return found
    if world.fact("switchover") is None and not switchover_asked(world, journal):
        await _fixes(world, found, only)
        if unlike.known(world) is not None and world.bound(Role.GREEN) is not None:
            await _beside(world, found, Role.BLUE, Role.GREEN)
    elif _following(world) and not _silent(world, seen, found) and await _lets_in(world, found):
        await _sides(world, found)
        await _beside(world, found, held(world).publisher, held(world).subscriber)
    await _unfinished(world, journal, found)
    return found


async def described(world: World, found: Offered) -> list[Offer]:
    """Return the offers as a person reads them, with what each would ask and run."""
    offers = []
    for remedy in found.remedies:
        note = ""
        gates: tuple[Gate, ...] = ()
        effects: tuple[tuple[str, str], ...] = ()
        try:
            gates = tuple(await remedy.gates(world))
            waves = await remedy.effects(world)
            effects = tuple((each.title, each.preview()) for wave in waves for each in wave)
        except UNSEEN as error:
            note = f"it cannot be shown now: {str(error).partition(chr(10))[0]}"
        offers.append(
            Offer(
                remedy.key,
                remedy.title,
                remedy.why,
                risk=remedy.risk,
                undo=remedy.undo,
                gates=gates,
                effects=effects,
                note=note,
            )
        )
    return [*offers, *found.by_hand]


async def _fixes(world: World, found: Offered, only: str) -> None:
    every = [each for each in fixes.offered(world) if only in ("", each.key)]
    for place, remedy in enumerate(every):
        if len(found.remedies) == MOST_FIXES:
            found.say(
                f"Look again for {len(every) - place} more",
                f"the preflight found {len(every)} things that can be mended; these are "
                f"the first {MOST_FIXES} that are still to be",
                f"blueprime mend {world.run} all takes each that asks for no decision.",
            )
            return
        async with found.looking_at(remedy.title):
            (wave,) = await remedy.effects(world)
            if (await wave[0].probe()).answer is Answer.YES:
                continue
            if whose := await remedy.owner(world):
                found.say(f"Leave alone: {remedy.title}", whose.words, whose.todo)
            else:
                found.add(remedy)


def _following(world: World) -> bool:
    """Return whether there is a subscriber that follows, or followed until a slot was lost."""
    return bool(
        world.fact("capture")
        and world.fact("slots") != []
        and not detached(world, held(world).subscriber)
        and world.bound(held(world).subscriber) is not None
    )


def _silent(world: World, seen: Mapping[Role, Seen], found: Offered) -> bool:
    """Say which side does not answer; return whether one does not.

    Nothing can be told of what differs then, and each further look would wait for it in vain.
    """
    silent = [
        each
        for role in (held(world).publisher, held(world).subscriber)
        if (each := seen.get(role)) is not None
        and each.admission is None
        and not each.password_refused
    ]
    for each in silent:
        name = f"{each.role.value} ({each.cluster.identifier})"
        why = each.unknown or "AWS lists no instance of it that is available"
        words = f"Bring {name} back; what is wrong between the sides is looked at then."
        if each.role is Role.NEW_BLUE:
            words += (
                " If it does not come back, the forced way takes blue prime instead, and says what "
                f"that gives up: b, or blueprime auto {world.run} --track forced --typed "
                f"{world.plan.cluster.identifier}."
            )
        found.say(f"{name} does not answer", why, words)
    return bool(silent)


async def _lets_in(world: World, found: Offered) -> bool:
    """Offer the password that a rotation has set on the publisher alone; return whether one gets
    into the subscriber at all."""
    subscriber, user = held(world).subscriber, world.plan.credentials.user
    refused = former = False
    async with found.looking_at(subscriber.value):
        refused = await locked_out(world, subscriber)
        former = world.takes_former_password(subscriber)
    if not (refused or former):
        return True
    why = f"{subscriber.value} does not take the password of {user} that the plan refers to"
    if former or (await world.cluster(subscriber)).master_username == user:
        found.add(SetPassword(why=why, user=user, by_api=refused))
    else:
        found.say(
            f"Set the password of {user} on {subscriber.value}",
            f"{why}, and none that is known here",
            f"As its master user: ALTER ROLE {quoted(user)} PASSWORD, with the present one. The "
            "master user's own: aws rds modify-db-cluster --master-user-password.",
        )
    return not refused


async def _sides(world: World, found: Offered) -> None:
    capture = world.fact("capture") or {}
    lost: dict[str, str] = {}
    async with found.looking_at("the slots"):
        lost = await lost_slots(world)
        if lost:
            size = await cost(world, list(lost))
            words = "; ".join(f"{slot} of {name} is lost" for name, slot in lost.items())
            found.add(Rebuild(why=words, databases=sorted(lost), size_bytes=size))
    async with found.looking_at("the databases"):
        await _databases(world, found, capture.get("databases", ()))
    for database in capture.get("databases", ()):
        if database in lost:
            async with found.looking_at(f"the schemas of {database}"):
                for change in drift.changes(*await both(world, database)):
                    await schemas.offer(world, database, change, found)
            continue
        async with found.looking_at(f"the keys of {database}"):
            await schemas.keys(world, database, found)
        before = len(found.remedies)
        stopped = False
        async with found.looking_at(f"the subscription in {database}"):
            stopped = await _subscription(world, database, found)
        async with found.looking_at(f"the schemas of {database}"):
            await schemas.schemas(world, database, found)
        if stopped and len(found.remedies) == before:
            subscriber = held(world).subscriber.value
            found.say(
                f"Find out why apply in {database} stops",
                f"the apply worker of {database} on {subscriber} does not run, "
                "and what it fails at cannot be told from here",
                BY_LOG.format(subscriber=subscriber),
            )
    for each in [*differing.left(world), *differing.given_up(world)]:
        if each.database in lost:
            continue
        why = each.words
        found.add(Recopy(why, each.database, each.schema, each.table))
        if each in differing.left(world):
            found.add(GiveUp(why, each.database, each.schema, each.table))


async def _databases(world: World, found: Offered, captured: Collection[str]) -> None:
    """Offer what can be done about databases that came after the capture."""
    sides, known = held(world), {*captured, *given_up(world)}
    for name in await world.databases(sides.publisher):
        if name not in known:
            why = f"it came to {sides.publisher.value} after the capture, so no slot keeps its rows"
            found.add(GiveUpDatabase(why, name))
            found.say(f"Carry the database {name} by hand", why, by_hand_of(name, sides))


async def _subscription(world: World, database: str, found: Offered) -> bool:
    """Offer what mends a database's subscription; return whether its worker is down."""
    name, subscriber = publication_name(world), held(world).subscriber
    async with world.connect(subscriber, database) as connection:
        seen = await replication.subscription(connection, name)
    if seen is None:
        return False
    if not seen.enabled:
        why = f"the subscription {name} in {database} of {subscriber.value} is disabled"
        found.add(Enable(why=why, database=database))
    elif seen.worker_pid is None or seen.apply_error_count:
        # Not every master user may look at what a subscription has applied.
        with suppress(psycopg.errors.InsufficientPrivilege):
            if (failing := await failing_at(world, database)) is not None:
                await _stopped(world, database, failing, found)
    return seen.enabled and seen.worker_pid is None


async def _stopped(world: World, database: str, failing: Pending, found: Offered) -> None:
    """Offer what lets apply get past the transaction that it fails at."""
    if (refused := await refusal(world, database, failing)) is None:
        if (row := await stray_row(world, database, failing)) is not None:
            found.add(row)
        return
    if refused.option_helps:
        found.add(RunAsOwner(why=refused.why, database=database))
        return
    subscriber = held(world).subscriber.value
    found.say(
        f"Grant in {database} of {subscriber} what apply lacks",
        refused.why,
        f"On {subscriber}, in database {database}: SET default_transaction_read_only = off; then\n"
        f"{refused.sql}\nApply goes on by itself, a few seconds later. A change of row-level "
        "security holds after a rollback, too: take it back once nothing is pending.",
    )


async def _beside(world: World, found: Offered, source: Role, target: Role) -> None:
    """Offer what is not alike beside the rows: made so, by hand, or accepted by name."""
    async with found.looking_at("roles, grants and code"):
        databases = (world.fact("capture") or {}).get("databases")
        look = ObjectsLook(world)
        every = await look.look(source, target, databases or await world.databases(target))
        left = unlike.fresh(every, unlike.known(world) or {})
        made = making_alike(left, look)
        for remedy in made:
            found.add(remedy)
        done = {(each.database, each.kind, tuple(each.names)) for each in made}
        for each in left:
            if (each.database, each.kind, each.names) not in done:
                found.say(f"Make {each.name} alike", each.words, by_hand(each))
        if left:
            pairs = {each.key: each.pair() for each in left}
            words = [each.words for each in left]
            why = f"{unlike.counted(left)} are not alike"
            found.add(AcceptUnlike(why, source.value, target.value, pairs, words))


async def _unfinished(world: World, journal: Journal, found: Offered) -> None:
    """Offer again what was begun on this stay, is not done, and is still of use."""
    entry = journal.entries(world.run)[-1]
    last = {
        attempt.step: attempt.status
        for attempt in journal.attempts(world.run)
        if attempt.entry == entry.id and is_remedy(attempt.step)
    }
    for key, status in last.items():
        if status in (Status.FAILED, Status.UNKNOWN) and (remedy := rebuilt(world.fact(key))):
            async with found.looking_at(remedy.title):
                if await remedy.wanted(world):
                    found.add(remedy)
