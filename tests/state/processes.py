"""Other processes that open the journal, ended with the test that started them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

_PRELUDE = """
import os, sys, threading
from pathlib import Path
from state.errors import *
from state.journal import Journal
from state.enums import *
from tests.state.invented import start

def leave_with_parent():
    sys.stdin.read()
    os._exit(0)

threading.Thread(target=leave_with_parent, daemon=True).start()
path = Path(sys.argv[1])
def say(text):
    print(text, flush=True)
def stay():
    threading.Event().wait()
"""


@contextmanager
def other_process(code: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run `code` with `path`, `say` and `stay` in another process; kill it in the end.

    It ends by itself when this process does: its input closes then.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", _PRELUDE + dedent(code), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def heard(process: subprocess.Popen[str]) -> str:
    """Return the next line that the process says; empty once it has ended."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def killed(process: subprocess.Popen[str]) -> None:
    """End the process as `kill -9` does."""
    process.kill()
    process.wait()
