"""Leaving a run that has no screen: on a signal, or with nobody left to read what it prints."""

from __future__ import annotations

import asyncio
import errno
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from runbook.run.session import Session
from tui.cli.streams import send_nowhere

HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


NOTHING_UNDONE = "Nothing is undone, and what AWS is doing goes on."


def leave(session: Session, stays: str, name: str) -> None:
    """Leave a run on a signal, saying what becomes of it, and of the applications."""
    sys.stderr.write(
        f"{name}: leaving run {session.run.id}. {stays} The change in flight, if any, "
        f"ends first. A second signal ends blueprime at once.\n{if_down(session)}"
    )
    session.leave(name)


def if_down(session: Session) -> str:
    """Return a line that says so where the applications are down, or may be; else nothing."""
    clock = session.dashboard().downtime
    since, may_be = clock.started_at, clock.letting_in
    if since is None or clock.ended_at is not None:
        since, may_be = clock.asked_at, True
    if since is None:
        return ""
    return (
        f"THE APPLICATIONS {'MAY BE' if may_be else 'ARE'} DOWN since {since.astimezone():%H:%M:%S}"
        f", until the run goes on: blueprime auto {session.run.id}\n"
    )


@contextmanager
def on_signals(leave: Callable[[str], None]) -> Iterator[None]:
    """Call `leave` with the name of the first signal that asks this process to end.

    The run is left in order then: the change in flight settles, and nothing further is begun. A
    second SIGINT or SIGTERM ends the process at once; a second SIGHUP does not, since a shell
    repeats the kernel's. What was ignored from the start (`nohup`) stays ignored.
    """
    loop = asyncio.get_running_loop()
    heard = [number for number in HEARD if signal.getsignal(number) is not signal.SIG_IGN]

    def first(number: signal.Signals) -> None:
        for each in heard:
            loop.remove_signal_handler(each)
        if signal.SIGHUP in heard:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            heard.remove(signal.SIGHUP)
        let_go_of_lost_terminal()
        leave(number.name)

    for number in heard:
        loop.add_signal_handler(number, first, number)
    try:
        yield
    finally:
        for number in heard:
            loop.remove_signal_handler(number)


def let_go_of_lost_terminal() -> None:
    """Send to nowhere what would be printed on a terminal that has hung up."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            try:
                termios.tcgetattr(stream.fileno())
            except termios.error as error:
                if error.args[0] == errno.EIO:
                    send_nowhere(stream)
