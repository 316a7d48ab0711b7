"""Remedies without a screen: listed, or one of them performed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

import click

from runbook.offers import Offer
from runbook.session import Session
from state.records import Json
from state.words import REMEDY, Status
from tui.cli import BLOCKED, DONE, FAILED, UNKNOWN, print_json
from tui.cli.deciding import nobody, yes_to_all
from tui.cli.leaving import on_signals
from tui.cli.workspace import enter_lab, open_session, read_journal, write_journal


async def list_remedies(run: str, *, as_json: bool) -> int:
    """Print what is offered now; changes nothing, and may run beside whoever holds the run."""
    with read_journal() as journal:
        record = journal.run(run)
        enter_lab(record)
        session = Session.open(journal, record.id)
        try:
            offers = await session.remedies()
        finally:
            await session.close()
    if as_json:
        print_json([_as_json(offer) for offer in offers])
    else:
        _say(record.id, offers)
    return DONE


async def mend(run: str, key: str, *, yes: bool, as_json: bool) -> int:
    """Perform one remedy and print how it ended; return the exit code."""
    key = key if key.startswith(REMEDY) else REMEDY + key
    with write_journal() as journal:
        session = open_session(journal, run)
        try:
            with on_signals(session.leave):
                status = await session.mend(key, yes_to_all if yes else nobody)
        finally:
            await session.close()
        refused = session.refused
        attempts = [each for each in journal.attempts(session.run.id) if each.step == key]
    message = attempts[-1].message if attempts and status is not Status.READY else ""
    if status is Status.READY:
        message = "A gate was not passed. Nothing was changed. --yes passes every gate."
    if as_json:
        done = {"run": session.run.id, "remedy": key, "status": status.value, "message": message}
        print_json(done)
    else:
        click.echo(f"{status.value}: {key}")
        if message:
            sys.stderr.write(f"{message}\n")
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
        "runs": [{"title": title, "preview": preview} for title, preview in offer.effects],
        "note": offer.note,
        "by_hand": offer.by_hand,
    }


def _say(run: str, offers: Sequence[Offer]) -> None:
    if not offers:
        click.echo("Nothing is offered: nothing was seen to mend.")
    for offer in offers:
        click.echo(f"{offer.title}\n  why   {offer.why}")
        for gate in offer.gates:
            typed = f" (type {gate.must_type})" if gate.must_type else ""
            click.echo(f"  asks  {gate.question}{typed}")
        for _, preview in offer.effects:
            click.echo("".join(f"        {row}\n" for row in preview.splitlines()), nl=False)
        if offer.note:
            click.echo(f"  note  {offer.note}")
        if offer.key:
            click.echo(f"  do    {shlex.join(['blueprime', 'mend', run, offer.key])}")
        for row in offer.by_hand.splitlines():
            click.echo(f"  hand  {row}")
