"""The traffic hook: what a plan's stop and start commands run, within the downtime.

It is a script of the standard library's lightest modules alone, run without site packages, because
its own start counts as downtime. The other clients of the lab's control API build on `ask`.

    python -I -S hook.py stop|start FOLDER
    python -I -S hook.py lead FOLDER HOST PORT      for a plan's endpoint command
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time

READY = "ready.json"
TIMEOUT_S = 60.0
GLANCE_S = 1.0
"""After this long without an answer it is looked whether the lab's process stands still."""


class LabError(Exception):
    """The lab could not do what it was asked; one sentence that says what to do."""


class LabGone(LabError):
    """There is no lab: it was never started, was stopped, or died."""


def ask(
    folder: str,
    name: str,
    body: dict[str, object] | None = None,
    *,
    timeout_s: float = TIMEOUT_S,
) -> dict[str, object]:
    """Call the control API of the lab that lives in a state folder, and return its answer.

    Raise `LabGone` where there is none, `LabError` where it refuses, is stopped, or takes longer.
    """
    try:
        with open(os.path.join(folder, READY), encoding="utf-8") as file:
            ready = json.load(file)
            port, pid = ready["port"], ready["pid"]
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
            content = json.dumps(body or {}).encode()
            head = (
                f"POST /_lab/{name} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
            )
            connection.sendall(head.encode() + content)
            status, answer = _read(connection, pid, timeout_s)
    except TimeoutError:
        raise LabError(
            f"The lab in {folder} did not answer in {timeout_s:g} s; look at its log lab.log there."
        ) from None
    except (OSError, ValueError):
        raise LabGone(f"There is no lab in {folder}: start one with blueprime lab start.") from None
    if status != 200:
        raise LabError(str(answer.get("error", f"The lab answered with status {status}.")))
    return answer


def _read(connection: socket.socket, pid: int, timeout_s: float) -> tuple[int, dict[str, object]]:
    received = b""
    connection.settimeout(GLANCE_S)
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            data = connection.recv(65536)
        except TimeoutError:
            if _stands_still(pid):
                raise LabError(
                    f"The lab's process {pid} was stopped by a signal, and stands still with all "
                    f"of its clusters' endpoints. Let it go on with: kill -CONT {pid}"
                ) from None
            if time.monotonic() > deadline:
                raise
            continue
        if not data:
            break
        received += data
    head, _, content = received.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    answer: dict[str, object] = json.loads(content)
    return status, answer


def _stands_still(pid: int) -> bool:
    """Tell whether a process was stopped (SIGSTOP, ctrl-z); False where there is no proc(5)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def main(arguments: list[str]) -> int:
    """Do what the command line says; 1 when the lab could not."""
    match arguments:
        case ["stop" | "start" as action, folder]:
            body: dict[str, object] = {"action": action}
        case ["lead", folder, host, port]:
            body = {"action": "lead", "host": host, "port": int(port)}
        case _:
            sys.stderr.write("usage: hook.py stop|start FOLDER | lead FOLDER HOST PORT\n")
            return 2
    try:
        ask(folder, "traffic", body)
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
