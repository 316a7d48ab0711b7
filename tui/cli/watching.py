"""Everything that can be watched, as JSON lines."""

from __future__ import annotations

import asyncio

from runbook.session import Session
from state.records import Handover, Holder, Json
from tui.cli.headless import EVENT_EVERY_S, Printer, Tail
from tui.cli.listing import handed_over
from tui.cli.workspace import read_journal

BOARD_EVERY_S = 1.0


async def watch_json(run: str) -> int:
    """Print who holds the run, each event and, once a second, the board, until it is closed.

    Of a run that was handed over it sees what was known here then, and says so.

    It ends too when nobody reads it any more.
    """
    with read_journal() as journal:
        session = Session.open(journal, run)
        printer = Printer(as_json=True)
        tail = Tail(session, printer)
        told: Holder | None = None
        away: Handover | None = None
        ticks = 0
        while True:
            tail.print_new()
            if ticks % round(BOARD_EVERY_S / EVENT_EVERY_S) == 0:
                holder = session.holder
                if ticks == 0 or holder != told:
                    printer.line({"kind": "holder", "holder": _shown(holder)})
                    told = holder
                printer.line({"kind": "board", "board": session.board().as_json()})
            record = journal.run(session.run.id)
            if record.away != away:
                away = record.away
                printer.line({"kind": "handed_over", "handed_over": handed_over(away)})
            if printer.lost or not record.open:
                return 0
            ticks += 1
            await asyncio.sleep(EVENT_EVERY_S)


def _shown(holder: Holder | None) -> Json:
    if holder is None:
        return None
    return {
        "host": holder.host,
        "pid": holder.pid,
        "user": holder.user,
        "since": holder.since.isoformat(),
    }
