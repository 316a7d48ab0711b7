"""Everything that can be watched, as JSON lines."""

from __future__ import annotations

import asyncio

from runbook.run.session import Session
from tui.cli.headless import EVENT_EVERY_S, Printer, Tail
from tui.cli.listing import handed_over, held, show_json
from tui.cli.workspace import read_journal

BOARD_EVERY_S = 1.0


async def watch_json(run: str, *, history: bool = False) -> int:
    """Print where the run stands, as `show --json` does, and then what is new, until it is closed.

    New is each event, who holds the run, that it was handed over, and once a second the board. With
    `history` the events before come too, the oldest first. It ends when nobody reads it any more.
    """
    with read_journal() as journal:
        session = Session.open(journal, run)
        printer = Printer(as_json=True)
        # What is told before the stand was read is in it, and nothing of it is missed.
        before = 0 if history else max((event.id for event in session.events(limit=1)), default=0)
        stands = show_json(session.run.id)
        printer.line({"kind": "stands", **stands})
        tail = Tail(session, printer, before)
        told, away = stands["holder"], stands["handed_over"]
        ticks = 0
        while True:
            tail.print_new()
            if ticks % round(BOARD_EVERY_S / EVENT_EVERY_S) == 0:
                if (holder := held(session.holder)) != told:
                    told = holder
                    printer.line({"kind": "holder", "holder": told})
                printer.line({"kind": "board", "board": session.dashboard().as_json()})
            record = journal.run(session.run.id)
            if (given := handed_over(record.away)) != away:
                away = given
                printer.line({"kind": "handed_over", "handed_over": away})
            if printer.lost or not record.open:
                return 0
            ticks += 1
            await asyncio.sleep(EVENT_EVERY_S)
