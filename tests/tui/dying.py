"""A blueprime that is killed at a chosen effect: `python -m tests.tui.dying WHEN KEY ARGUMENTS…`.

WHEN is `intent` (it is on disk and nothing was called), `call` (it was performed, and the outcome
is not on disk) or `outcome` (that is on disk too). KEY is a pattern of the effect's key, as
`fnmatch` reads it. The process kills itself with SIGKILL, so that the moment is exact; all else is
the ordinary command line.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import NoReturn

from state.enums import Outcome
from state.records import Json
from state.writing import Writer
from tui.cli import main


def die_at(when: str, pattern: str) -> None:
    """Let this process be killed at the first effect of that key."""
    intend, settle = Writer.intend, Writer.settle
    keys: dict[int, str] = {}

    def intending(self: Writer, attempt: int, key: str, title: str, preview: str) -> int:
        effect = intend(self, attempt, key, title, preview)
        keys[effect] = key
        if when == "intent" and fnmatchcase(key, pattern):
            die()
        return effect

    def settling(
        self: Writer, effect: int, outcome: Outcome, detail: Mapping[str, Json] | None = None
    ) -> None:
        meant = fnmatchcase(keys.get(effect, ""), pattern)
        if when == "call" and meant:
            die()
        settle(self, effect, outcome, detail or {})
        if when == "outcome" and meant:
            die()

    Writer.intend = intending  # type: ignore[method-assign]
    Writer.settle = settling  # type: ignore[method-assign,assignment]


def die() -> NoReturn:
    """Be killed, as by `kill -9`."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL cannot be outlived")


if __name__ == "__main__":
    die_at(*sys.argv[1:3])
    sys.argv[1:3] = []
    main()
