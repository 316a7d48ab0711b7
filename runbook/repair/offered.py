"""Which repairs are offered now: by what was seen, looked at again before it is said."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import psycopg

from runbook.amounts import counted
from runbook.base.context import RunContext
from runbook.base.offer import Offer
from runbook.base.pair import current_pair, detached, publication_name, subscription
from runbook.base.roles import Role
from runbook.base.step import Gate
from runbook.failures import Answer
from runbook.ownership import places
from runbook.ownership.permission import objection_and_look
from runbook.ownership.serving import ClusterUse
from runbook.postgres import schema_changes
from runbook.procedure.steps.shared import checks, rights
from runbook.proofs import diverged, objects
from runbook.repair import empty_table, objects_offered, preflight_fixes, returned, schemas_offered
from runbook.repair.apply_errors import by_log, cure
from runbook.repair.contract import is_repair
from runbook.repair.gather import UNSEEN, Offered
from runbook.repair.give_up import GiveUp
from runbook.repair.kinds import rebuilt
from runbook.repair.recopy_rows import Recopy
from runbook.repair.recreate_table import Rebuild, cost, lost_slots
from runbook.repair.stopped import failing_at
from runbook.repair.stopping import both
from runbook.repair.subscriptions import Enable
from runbook.watch.position import switchover_asked
from state.enums import Status
from state.journal import Journal

MOST_FIXES = 50
"""So many of the preflight's repairs are offered at a time; how many more there are is said."""


async def offered(context: RunContext, journal: Journal, *, only: str = "") -> Offered:
    """Return what is offered where the run stands now; looks alone.

    `only` is the key of the one that is asked for: of the preflight's no other is looked at.
    """
    found = Offered()
    why, seen = await objection_and_look(context)
    if why:
        name = context.plan.cluster.identifier
        found.say("Read the run anew from the clusters", why, f"blueprime adopt {name}")
        return found
    if context.fact("switchover") is None and not switchover_asked(context, journal):
        await _fixes(context, found, only, checks.FACT, rights.FACT)
        if objects.known(context) is not None and context.bound(Role.GREEN) is not None:
            await objects_offered.beside(context, found, Role.BLUE, Role.GREEN)
    elif (
        _following(context)
        and not _silent(context, seen, found)
        and await objects_offered.lets_in(context, found)
    ):
        await _fixes(context, found, only, rights.FACT)
        await _sides(context, found)
        await objects_offered.beside(
            context, found, current_pair(context).publisher, current_pair(context).subscriber
        )
    await returned.offer(context, found)
    await _unfinished(context, journal, found)
    found.order()
    return found


async def described(context: RunContext, found: Offered) -> list[Offer]:
    """Return the offers as a person reads them, with what each would ask and run."""
    offers: list[Offer] = []
    called: Mapping[Role, str] = {}
    if found.repairs:
        with suppress(*UNSEEN):
            called = await places.names(context)
    for repair in found.repairs:
        note = where = ""
        gates: tuple[Gate, ...] = ()
        effects: tuple[tuple[str, str], ...] = ()
        try:
            gates = tuple(await repair.gates(context))
            waves = await repair.effects(context)
            changes = [each for wave in waves for each in wave]
            effects = tuple((each.title, each.preview()) for each in changes)
            where = places.places(changes, called)
        except UNSEEN as error:
            note = f"it cannot be shown now: {str(error).partition(chr(10))[0]}"
        offers.append(
            Offer(
                repair.key,
                repair.title,
                repair.why,
                risk=repair.risk,
                undo=repair.undo,
                gates=gates,
                effects=effects,
                where=where,
                note=note,
            )
        )
    return [*offers, *found.by_hand]


async def _fixes(context: RunContext, found: Offered, only: str, *facts: str) -> None:
    every = [each for each in preflight_fixes.offered(context, *facts) if only in ("", each.key)]
    for place, repair in enumerate(every):
        if len(found.repairs) == MOST_FIXES:
            found.say(
                f"Look again for {len(every) - place} more",
                f"the preflight found {counted(len(every), 'thing')} that can be repaired; these "
                f"are the first {MOST_FIXES} that are still to be",
                f"blueprime repair {context.run} all takes each that asks for no decision.",
            )
            return
        async with found.looking_at(repair.title):
            (wave,) = await repair.effects(context)
            if (await wave[0].probe()).answer is Answer.YES:
                continue
            if whose := await repair.owner(context):
                found.say(f"Leave alone: {repair.title}", whose.words, whose.todo)
            else:
                found.add(repair)


def _following(context: RunContext) -> bool:
    """Return whether there is a subscriber that follows, or followed until a slot was lost."""
    return bool(
        context.fact("capture")
        and context.fact("slots") != []
        and not detached(context, current_pair(context).subscriber)
        and context.bound(current_pair(context).subscriber) is not None
    )


def _silent(context: RunContext, seen: Mapping[Role, ClusterUse], found: Offered) -> bool:
    """Say which side does not answer; return whether one does not.

    Nothing can be told of what differs then, and each further look would wait for it in vain.
    """
    sides = current_pair(context)
    silent = [
        each
        for role in (sides.publisher, sides.subscriber)
        if (each := seen.get(role)) is not None and not each.answers
    ]
    for each in silent:
        name = f"{each.role.value} ({each.cluster.identifier})"
        why = each.unknown or "AWS lists no instance of it that is available"
        words = f"Bring {name} back; what is wrong between the sides is looked at then."
        if each.role is sides.publisher:
            words += (
                f" If it does not come back, the forced way takes {sides.subscriber.value} "
                "instead, and says what that gives up: "
                f"b, or blueprime auto {context.run} --track forced --typed "
                f"{context.plan.cluster.identifier}."
            )
        found.say(f"{name} does not answer", why, words)
    return bool(silent)


async def _sides(context: RunContext, found: Offered) -> None:
    capture = context.fact("capture") or {}
    lost: dict[str, str] = {}
    async with found.looking_at("the slots"):
        lost = await lost_slots(context)
        if lost:
            size = await cost(context, list(lost))
            words = "; ".join(f"{slot} of {name} is lost" for name, slot in lost.items())
            found.add(Rebuild(why=words, databases=sorted(lost), size_bytes=size))
    async with found.looking_at("the databases"):
        await objects_offered.databases(context, found, capture.get("databases", ()))
    for database in capture.get("databases", ()):
        if database in lost:
            async with found.looking_at(f"the schemas of {database}"):
                for change in schema_changes.changes(*await both(context, database)):
                    await schemas_offered.offer(context, database, change, found)
            continue
        async with found.looking_at(f"the keys of {database}"):
            await schemas_offered.keys(context, database, found)
        before = len(found.repairs)
        stopped = False
        async with found.looking_at(f"the tables of {database} that were made anew"):
            for empty in await empty_table.of_former(context, database):
                found.add(empty)
        async with found.looking_at(f"the subscription in {database}"):
            stopped = await _subscription(context, database, found)
        async with found.looking_at(f"the schemas of {database}"):
            await schemas_offered.schemas(context, database, found)
        if stopped and len(found.repairs) == before:
            async with found.looking_at(f"the log that says why apply in {database} stops"):
                found.take(await by_log(context, database))
    for each in [*diverged.left(context), *diverged.given_up(context)]:
        if each.database in lost:
            continue
        why = each.words
        found.add(Recopy(why, each.database, each.schema, each.table))
        if each in diverged.left(context):
            found.add(GiveUp(why, each.database, each.schema, each.table))


async def _subscription(context: RunContext, database: str, found: Offered) -> bool:
    """Offer what repairs a database's subscription; return whether it fails untold."""
    name, subscriber = publication_name(context), current_pair(context).subscriber
    seen = await subscription(context, subscriber, database)
    if seen is None:
        return False
    if not seen.enabled:
        why = f"the subscription {name} in {database} of {subscriber.value} is disabled"
        found.add(Enable(why=why, database=database))
    elif seen.worker_pid is None or seen.apply_error_count:
        # Not every master user may look at what a subscription has applied.
        with suppress(psycopg.errors.InsufficientPrivilege):
            if (failing := await failing_at(context, database)) is not None:
                told = await cure(context, database, failing)
                found.take(told)
                return told is None
    return seen.enabled and seen.worker_pid is None


async def _unfinished(context: RunContext, journal: Journal, found: Offered) -> None:
    """Offer again what was begun on this stay, is not done, and is still of use."""
    entry = journal.entries(context.run)[-1]
    last = {
        attempt.step: attempt.status
        for attempt in journal.attempts(context.run)
        if attempt.entry == entry.id and is_repair(attempt.step)
    }
    for key, status in last.items():
        if status in (Status.FAILED, Status.UNKNOWN) and (repair := rebuilt(context.fact(key))):
            async with found.looking_at(repair.title):
                if await repair.wanted(context):
                    found.add(repair)
