"""The workload as the lab sees it: an application that is started, stopped and asked.

The writers run in a process of their own (`rehearsal.workload.writers`), so that the lab's proxies
and the application do not share an interpreter. That process is kept between a stop and the next
start: what the downtime measures is the application's reconnecting, not Python's start.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self, cast

from rehearsal.workload import ledger
from rehearsal.workload.ledger import Gap
from rehearsal.workload.verdict import Connect, Verdict, compare
from rehearsal.workload.writers import Stats

ANSWER_S = 30.0
STOP_S = 15.0
VERDICT_S = 600.0

__all__ = ["Gap", "Stats", "Verdict", "Workload", "WorkloadError"]


class WorkloadError(Exception):
    """The workload's process is gone, or could not do what it was asked."""


class Workload:
    """An application with several writers a database, and the ledger of what it was promised."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        user: str,
        password: str,
        databases: Sequence[str],
        state_dir: Path,
        tps: float = 100.0,
        writers_per_database: int = 2,
    ) -> None:
        """Describe the application; nothing runs yet.

        `host` and `port` are the production endpoint. `tps` is the number of transactions a second
        over all databases together. A ledger that lies in `state_dir` already is continued.
        No database, no writer or no rate raises `ValueError`: that is no workload.
        """
        if not databases or tps <= 0 or writers_per_database < 1:
            raise ValueError("A workload needs a database, a writer and a rate above 0.")
        self._address = (host, port)
        self._first = {
            "user": user,
            "password": password,
            "databases": list(databases),
            "tps": tps,
            "writers_per_database": writers_per_database,
        }
        self._folder = state_dir / "ledger"
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._running = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that the application connects to."""
        return self._address

    @property
    def running(self) -> bool:
        """Whether transactions may begin."""
        return self._running and self._process is not None and self._process.alive

    @property
    def pid(self) -> int | None:
        """The writers' process, None while there is none."""
        process = self._process
        return process.pid if process is not None and process.alive else None

    def start(self, *, host: str | None = None, port: int | None = None) -> None:
        """Let traffic flow; every writer connects at once and writes as soon as it can.

        A new `host` or `port` is taken as by an application whose configuration was changed.
        """
        self._address = (host or self._address[0], port or self._address[1])
        self.mark("traffic started")
        self._ask("start", host=self._address[0], port=self._address[1])
        self._running = True

    def stop(self) -> bool:
        """Begin no transaction any more, let the current ones end, close the connections.

        Return whether all of that was done in time.
        """
        self._running = False
        if self._process is None or not self._process.alive:
            return True
        stopped = self._ask("stop", within_s=STOP_S + ANSWER_S, timeout_s=STOP_S)
        self.mark("traffic stopped")
        return cast(bool, stopped)

    def stats(self) -> Stats:
        """Return what the workload does now."""
        return cast(Stats, self._ask("stats"))

    def longest_gap(self, start: float, end: float | None = None) -> Gap | None:
        """Return the longest stretch without an acknowledged write, the worst over all databases.

        `start` and `end` are seconds since the epoch; without an `end` it is now. A stretch that
        reaches over an edge counts whole, so a window may be as tight as the fence itself; one
        that still goes on while traffic flows counts to this moment. None: nothing can be said.
        """
        found = self._ask("longest_gap", start=start, end=time.time() if end is None else end)
        return None if found is None else Gap(*found)

    def verdict(self, connect: Connect | None = None) -> Verdict:
        """Compare the ledger with the cluster that serves now.

        That is where the application's own connection leads, compared within the workload's
        process, or where `connect` leads, compared within this one. A database that cannot be read
        raises `WorkloadError` or `psycopg.Error`: no verdict is not a good verdict.
        """
        if connect is not None:
            return compare(self._folder, connect)
        return cast(Verdict, self._ask("verdict", within_s=VERDICT_S))

    def mark(self, name: str) -> float:
        """Keep a named moment in the ledger and return it, in seconds since the epoch."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return ledger.record_mark(self._folder, name)

    def marks(self) -> list[tuple[str, float]]:
        """Return the named moments in order."""
        return ledger.read_marks(self._folder)

    def close(self) -> None:
        """Stop the traffic and end the process."""
        if self._process is not None and self._process.alive:
            self.stop()
        with self._lock:
            if self._process is not None:
                self._process.end()
                self._process = None

    def _ask(self, name: str, *, within_s: float = ANSWER_S, **given: object) -> Any:
        return self._living().ask(name, given, within_s)

    def _living(self) -> "_Process":
        with self._lock:
            if self._process is None or not self._process.alive:
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                host, port = self._address
                first = {**self._first, "folder": str(self._folder), "host": host, "port": port}
                self._running = False
                self._process = _Process(first, self._folder / "writers.log")
            return self._process


class _Process:
    """The writers' process and the questions that it has not answered yet."""

    def __init__(self, first: dict[str, object], log: Path) -> None:
        # PGHOST, PGOPTIONS and their like are the operator's, not the application's.
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        # An endpoint's name need not resolve, and leads to this machine.
        env["PGHOSTADDR"] = "127.0.0.1"
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "rehearsal.workload.writers"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
                env=env,
            )
        self._log = log
        self._lock = threading.Lock()
        self._asked: dict[int, Future[Any]] = {}
        self._last_id = 0
        self._over = False
        self._write(first)
        self._reader = threading.Thread(target=self._read, name="workload", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._over and self._process.poll() is None

    def ask(self, name: str, given: dict[str, object], within_s: float) -> Any:
        """Send a request and return its result."""
        future: Future[Any] = Future()
        with self._lock:
            self._last_id += 1
            self._asked[self._last_id] = future
            over = self._over
            request = {"id": self._last_id, "name": name, "given": given}
        if over:
            raise self._gone()
        try:
            with self._lock:
                self._write(request)
            return future.result(within_s)
        except OSError as error:
            raise self._gone() from error
        except TimeoutError as error:
            raise WorkloadError(
                f"The workload did not answer to {name} in {within_s} s."
            ) from error

    def end(self) -> None:
        """Close the input, at which the process ends, and wait for that."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._reader.join()

    def _write(self, value: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        """Hand each answer to whoever waits for it; at the end, tell all others."""
        assert self._process.stdout is not None
        with self._process.stdout as replies:
            for line in replies:
                reply = json.loads(line)
                with self._lock:
                    future = self._asked.pop(reply["id"])
                if "error" in reply:
                    future.set_exception(WorkloadError(reply["error"]))
                else:
                    future.set_result(reply["result"])
        with self._lock:
            self._over = True
            left = list(self._asked.values())
            self._asked.clear()
        for future in left:
            future.set_exception(self._gone())

    def _gone(self) -> WorkloadError:
        return WorkloadError(f"The workload's process ended; its last words are in {self._log}.")
