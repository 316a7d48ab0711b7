"""Repairs without a screen: listed, or one of them performed."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Mapping, Sequence
from time import monotonic

import click

from runbook.base.offer import Offer
from runbook.base.step import Risk
from runbook.run.session import LOOKED_EVERY_S, Session
from state.enums import REPAIR, Status
from state.journal import Journal
from state.records import Json
from tui.cli.deciding import nobody, yes_to_all
from tui.cli.ending import protection
from tui.cli.exits import BLOCKED, DONE, FAILED, UNKNOWN, print_json
from tui.cli.headless import LAST_WORD_S, Printer
from tui.cli.leaving import on_signals
from tui.cli.listing import PROTECTED
from tui.cli.workspace import enter_lab, open_session, read_journal, write_journal
from tui.text import clean


async def list_repairs(run: str, *, as_json: bool) -> int:
    """Print what is offered now; changes nothing, and may run beside whoever holds the run."""
    with read_journal() as journal:
        record = journal.run(run)
        enter_lab(record)
        session = Session.open(journal, record.id)
        try:
            offers = await session.repairs()
        finally:
            await session.close()
    if as_json:
        print_json([_as_json(offer) for offer in offers])
    else:
        _say(record.id, offers)
    return DONE


FIX = f"{REPAIR}fix/"

ALL = "all"
"""In the place of a key: every repair that asks for no decision."""


async def repair(run: str, key: str, *, yes: bool, as_json: bool) -> int:
    """Perform one repair, or `ALL`, and print how it ended; return the exit code."""
    if key == ALL:
        return await _repair_all(run, as_json=as_json)
    key = key if key.startswith(REPAIR) else REPAIR + key
    with write_journal() as journal:
        session = open_session(journal, run)
        try:
            with on_signals(session.leave):
                status = await session.repair(key, yes_to_all if yes else nobody)
                seen = await _seen(session)
        finally:
            await session.close()
        refused = session.refused
        message = _message(journal, session.run.id, key, status)
    done = _done(session.run.id, key, status, message)
    if as_json:
        print_json({**done, **seen})
    else:
        _say_done(done)
        _say_seen(seen)
    return _code(status, refused=refused)


async def _repair_all(run: str, *, as_json: bool) -> int:
    """Perform what is offered and asks nothing until there is no more of it.

    Each is tried once, and again where it failed and others were done after that: it may rest on
    them. As JSON each try is a line, and so is what is left at the end.
    """
    tried: dict[str, str] = {}
    codes: dict[str, int] = {}
    printer = Printer(as_json=as_json)
    with write_journal() as journal:
        session = open_session(journal, run)
        try:
            with on_signals(session.leave):
                while not session.leaving and (
                    todo := _todo(await session.repairs(), tried, _again(codes))
                ):
                    # Only those of the preflight do not wait for each other.
                    alone = [] if all(e.key.startswith(FIX) for e in todo) else todo[:1]
                    for offer in alone or todo:
                        status = await session.repair(offer.key, nobody)
                        message = _message(journal, session.run.id, offer.key, status)
                        tried[offer.key] = f"{status.value}: {message}"
                        done = _done(session.run.id, offer.key, status, message)
                        if as_json:
                            printer.line(done)
                        else:
                            _say_done(done)
                        codes.pop(offer.key, None)
                        codes[offer.key] = _code(status, refused=session.refused)
            seen = await _seen(session)
            left = [] if session.leaving else await session.repairs()
        finally:
            await session.close()
    done_of_all = [*codes.values()].count(DONE)
    if as_json:
        counts: dict[str, Json] = {"done": done_of_all, "tried": len(codes)}
        why = [_left_as_json(each, tried) for each in left]
        printer.line({"run": run, **counts, "left": why, **seen})
    else:
        click.echo(f"{done_of_all} of {len(codes)} were done; left to you: {len(left)}")
        for each in left:
            click.echo(f"  {clean(each.title)}\n    {clean(_why_left(each, tried))}")
        _say_seen(seen)
    return max(codes.values(), default=DONE)


def _todo(
    offers: Sequence[Offer], tried: Mapping[str, str], again: Sequence[str]
) -> Sequence[Offer]:
    """Return what is to be taken with all, where nobody has to see to it; `again` comes last."""
    first = [each for each in offers if not _why_left(each, tried)]
    return first or [each for each in offers if each.key in again and not _why_left(each, {})]


def _again(codes: Mapping[str, int]) -> list[str]:
    """Return what failed before others were done; `codes` are in the order of the last tries."""
    keys = [*codes]
    done = [place for place, key in enumerate(keys) if codes[key] == DONE]
    return [key for key in keys[: done[-1]] if codes[key] == FAILED] if done else []


def _why_left(offer: Offer, tried: Mapping[str, str]) -> str:
    """Return why a repair is left to a person, or nothing; `tried` tells how others ended."""
    if not offer.key:
        return "only a person can do it, as listed by: blueprime repair RUN"
    if offer.key in tried:
        return f"tried, and {tried[offer.key]}"
    if offer.gates:
        return "it asks first: " + "; ".join(gate.question for gate in offer.gates)
    if offer.note:
        return f"what it would run is not known: {offer.note}"
    if offer.risk is not Risk.REVERSIBLE:
        return f"it is {offer.risk.value}: {offer.undo}"
    return ""


def _left_as_json(offer: Offer, tried: Mapping[str, str]) -> dict[str, Json]:
    return {"key": offer.key, "title": offer.title, "why_left": _why_left(offer, tried)}


async def _seen(session: Session) -> dict[str, Json]:
    """Have both sides looked at after a repair; return the verdict, which the journal keeps.

    Empty where none is due: the slots are not made yet, or the process is asked to end.
    """
    if session.leaving or not session.fact("slots"):
        return {}
    await session.start_watching()
    deadline = monotonic() + LAST_WORD_S
    await session.looked(LAST_WORD_S)
    # Some of the first looks only begin: what is not known yet may be in a moment.
    while session.dashboard().protection.protected is None:
        if monotonic() > deadline:
            break
        await asyncio.sleep(LOOKED_EVERY_S)
    return {"protection": protection(session.dashboard())}


def _say_seen(seen: Mapping[str, Json]) -> None:
    if found := seen.get("protection"):
        click.echo(f"protected: {PROTECTED[found['protected']]} ({clean(found['text'])})")


def _message(journal: Journal, run: str, key: str, status: Status) -> str:
    if status is Status.READY:
        return "A gate was not passed. Nothing was changed. --yes passes every gate."
    attempts = [each for each in journal.attempts(run) if each.step == key]
    return attempts[-1].message if attempts else ""


def _done(run: str, key: str, status: Status, message: str) -> dict[str, Json]:
    return {"run": run, "repair": key, "status": status.value, "message": message}


def _say_done(done: dict[str, Json]) -> None:
    click.echo(f"{done['status']}: {done['repair']}")
    if done["message"]:
        sys.stderr.write(f"{done['message']}\n")


def _code(status: Status, *, refused: bool) -> int:
    if status.done:
        return DONE
    if refused:
        return BLOCKED
    return {Status.READY: BLOCKED, Status.UNKNOWN: UNKNOWN}.get(status, FAILED)


def _as_json(offer: Offer) -> dict[str, Json]:
    return {
        "key": offer.key,
        "title": offer.title,
        "why": offer.why,
        "risk": offer.risk.value,
        "undo": offer.undo,
        "gates": [
            {"question": gate.question, "reversible": gate.reversible, "type": gate.must_type}
            for gate in offer.gates
        ],
        "where": offer.where,
        "runs": [{"title": title, "preview": preview} for title, preview in offer.effects],
        "note": offer.note,
        "by_hand": offer.by_hand,
    }


def _say(run: str, offers: Sequence[Offer]) -> None:
    if not offers:
        click.echo("Nothing is offered: nothing was seen to repair.")
    for offer in offers:
        click.echo(f"{offer.title}\n  why   {offer.why}")
        for gate in offer.gates:
            typed = f" (type {gate.must_type})" if gate.must_type else ""
            click.echo(f"  asks  {gate.question}{typed}")
        if offer.where:
            click.echo(f"  on    {offer.where}")
        for _, preview in offer.effects:
            click.echo("".join(f"        {row}\n" for row in preview.splitlines()), nl=False)
        if offer.note:
            click.echo(f"  note  {offer.note}")
        if offer.key:
            click.echo(f"  do    {shlex.join(['blueprime', 'repair', run, offer.key])}")
        for row in offer.by_hand.splitlines():
            click.echo(f"  hand  {row}")
