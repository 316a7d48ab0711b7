"""The workload's writers: threads of one process that does nothing else.

A process of its own, because the lab's proxies must not compete with the writers for one
interpreter. It is started by `rehearsal.workload.workload`, takes one JSON request a line on its
standard input, answers on its standard output, and ends at once when the input ends: it cannot
outlive the process that started it. The password comes in the first line; it is in no argument,
environment or file.
"""

import fcntl
import json
import os
import signal
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO, TypedDict

import psycopg

from rehearsal.workload import ledger
from rehearsal.workload.client import Accounts, Errors, Gate, Settings, Shared, Writer
from rehearsal.workload.verdict import Verdict, compare

LOCK_S = 10.0
"""How long to wait for the end of the writers of a process that just died."""

RATE_WINDOW_S = 2.0
WATCH_EVERY_S = 1.0


class Stats(TypedDict):
    """What the workload does now."""

    running: bool
    writers: int
    acknowledged: int
    """Transactions since the ledger began."""
    in_doubt: int
    tps: float
    """Acknowledged transactions a second, over the last two."""
    errors: dict[str, int]
    """By SQLSTATE, since the process began; 08001 and 08006 are connections refused and lost."""
    last_error: str
    last_ack_age_s: float | None
    """None: nothing was acknowledged yet."""


class Writers:
    """All writers of one ledger."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        """Take up the ledger in `folder` where it stands."""
        self._folder = folder
        self._settings = settings
        known = ledger.read_histories(folder)
        crew = _crew(known, settings)
        self._histories = known + [history for history in crew if history not in known]
        self._shared = Shared(
            folder=folder,
            settings=settings,
            accounts=Accounts(folder),
            gate=Gate(),
            errors=Errors(),
            seconds_between=len(crew) / settings.tps,
        )
        self._writers = [Writer(self._shared, history) for history in crew]
        self._running = False
        for writer in self._writers:
            writer.start()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def start(self, host: str, port: int) -> None:
        """Let traffic flow to an address."""
        self._settings.host, self._settings.port = host, port
        self._running = True
        self._shared.gate.open()

    def stop(self, timeout_s: float) -> bool:
        """Begin no transaction any more; return whether all connections were closed in time."""
        self._running = False
        return self._shared.gate.close(timeout_s)

    def stats(self) -> Stats:
        """Return what is going on."""
        now = time.time()
        acks = [history.acks for history in self._histories]
        recent = sum(len(times) - bisect_left(times, now - RATE_WINDOW_S) for times in acks)
        last = max((times[-1] for times in acks if times), default=None)
        errors = self._shared.errors
        return Stats(
            running=self._running,
            writers=sum(writer.is_alive() for writer in self._writers),
            acknowledged=sum(history.acknowledged for history in self._histories),
            in_doubt=sum(len(history.undecided) for history in self._histories),
            tps=recent / RATE_WINDOW_S,
            errors=dict(errors.counts),
            last_error=errors.last,
            last_ack_age_s=None if last is None else max(0.0, now - last),
        )

    def longest_gap(self, start: float, end: float) -> ledger.Gap | None:
        """Return the worst stretch without an acknowledged write over the databases in use."""
        lasting = time.time() if self._running else None
        databases = self._settings.databases
        return ledger.longest_gap(self._histories, databases, start, end, lasting_until=lasting)

    def verdict(self) -> Verdict:
        """Compare the ledger with what the application's own connection leads to."""
        return compare(self._folder, self._settings.connect)

    def _watch(self) -> None:
        while True:
            time.sleep(WATCH_EVERY_S)
            for writer in self._writers:
                writer.give_up_if_unanswered()


def _crew(known: list[ledger.History], settings: Settings) -> list[ledger.History]:
    """Return the writers to run: for each database those of old, then new ones as needed."""
    free = max((history.writer for history in known), default=0) + 1
    crew: list[ledger.History] = []
    for database in settings.databases:
        mine = [h for h in known if h.database == database][: settings.writers_per_database]
        while len(mine) < settings.writers_per_database:
            mine.append(ledger.History(free, database, opened_at=time.time()))
            free += 1
        crew += mine
    return crew


REQUESTS = ("start", "stop", "stats", "longest_gap", "verdict")
"""What may be asked: methods of `Writers`, with their arguments by name."""


def answer(writers: Writers, name: str, given: Mapping[str, Any]) -> object:
    """Carry out one request.

    Raises `ValueError` for a request that is none.
    """
    if name not in REQUESTS:
        raise ValueError(f"unknown request {name!r}")
    return getattr(writers, name)(**given)


def main() -> None:
    """Serve requests until the input ends."""
    # Ctrl-C in the terminal goes to the whole group; the process that started this one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    first = json.loads(sys.stdin.readline())
    folder = Path(first.pop("folder"))
    databases = tuple(first.pop("databases"))
    with (folder / "lock").open("w") as lock:
        _acquire(lock)
        writers = Writers(folder, Settings(databases=databases, **first))
        sending = threading.Lock()
        # Threads, so that a long comparison does not hold up a stop.
        with ThreadPoolExecutor(4) as pool:
            for line in sys.stdin:
                pool.submit(_serve, writers, json.loads(line), replies, sending)
            os._exit(0)


def _serve(
    writers: Writers, request: Mapping[str, Any], replies: TextIO, sending: threading.Lock
) -> None:
    reply: dict[str, object] = {"id": request["id"]}
    try:
        reply["result"] = answer(writers, request["name"], request["given"])
    except psycopg.Error as error:
        reply["error"] = " ".join(str(error).split())
    except Exception as error:  # Whatever it is, the one who asked must hear of it.
        reply["error"] = f"{type(error).__name__}: {error}"
    with sending:
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def _acquire(lock: TextIO) -> None:
    """Wait for the ledger's lock: two processes must never write one ledger."""
    deadline = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                sys.exit("Another process is writing this ledger.")
            time.sleep(0.02)
        else:
            return


if __name__ == "__main__":
    main()
