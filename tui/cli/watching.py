"""Everything that can be watched, as JSON lines."""

from __future__ import annotations

import asyncio

from runbook.session import Session
from tui.cli.headless import EVENT_EVERY_S, Printer, Tail
from tui.cli.workspace import read_journal

BOARD_EVERY_S = 1.0


async def watch_json(run: str) -> int:
    """Print each event and, once a second, the board, until the run is closed."""
    with read_journal() as journal:
        session = Session.open(journal, run)
        printer = Printer(as_json=True)
        tail = Tail(session, printer)
        ticks = 0
        while True:
            tail.print_new()
            if ticks % round(BOARD_EVERY_S / EVENT_EVERY_S) == 0:
                printer.line({"kind": "board", "board": session.board().as_json()})
            if not journal.run(session.run.id).open:
                return 0
            ticks += 1
            await asyncio.sleep(EVENT_EVERY_S)
