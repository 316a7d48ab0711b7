"""Codes of a second factor: asked of a person where there is one, taken as given elsewhere.

boto3's own way is to prompt on the terminal, which is the app's screen or nobody's. Here whoever
can ask registers that; a code is kept in memory until it is used, once, and nowhere else.

Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-role.html#cli-configure-role-mfa
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

from botocore.exceptions import ClientError

from runbook.aws.errors import WRONG_CODE, MfaCodeNeeded

Ask = Callable[[str, str], str | None]
"""Gets a code of a device (its ARN) from a person; the second text is what went wrong before.

It is called from a thread of its own, and may take as long as the person does; None: no code.
"""

LATER_S = 60.0
"""How long nobody is asked again after a dialog was closed without a code."""

TRIES = 3
"""How often a person is asked for one sign-in, where AWS does not take the code."""

_CODE = re.compile(r"[0-9]{6}")


class MfaCodes:
    """Where this process gets codes from."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given = ""
        self._ask: Ask | None = None
        self._quiet_until = 0.0
        self._trouble = ""
        self.asking = False
        """Whether a person is asked now: what else needs AWS waits for that."""

    def give(self, code: str) -> None:
        """Take a code for the next sign-in; raise `ValueError` where it is none."""
        if not _CODE.fullmatch(code):
            raise ValueError("A code of a second factor is 6 digits.")
        self._given = code

    def asked_by(self, ask: Ask | None) -> None:
        """Let codes be asked of a person from now on, or of nobody."""
        self._ask = ask
        self._quiet_until = 0.0

    @property
    def can_ask(self) -> bool:
        """Whether there is somebody to ask."""
        return self._ask is not None

    def again(self, error: ClientError) -> bool:
        """Tell whether a sign-in failed for its code alone, and somebody can give another."""
        found = WRONG_CODE in str(error)
        self._trouble = "AWS did not take that code." if found else ""
        return found and self._ask is not None

    def prompt(self, words: str) -> str:
        """Return a code, as boto3 asks for it: `Enter MFA code for ARN: `.

        Raise `MfaCodeNeeded` where nobody gives one.
        """
        device = words.removeprefix("Enter MFA code for ").rstrip(": ")
        with self._lock:
            code, self._given = self._given, ""
            if code:
                return code
            if self._ask is None or time.monotonic() < self._quiet_until:
                raise _needed(device)
            self.asking = True
            try:
                found = self._ask(device, self._trouble)
            finally:
                self.asking = False
                self._trouble = ""
            if not found:
                self._quiet_until = time.monotonic() + LATER_S
                raise _needed(device)
            return found


def _needed(device: str) -> MfaCodeNeeded:
    return MfaCodeNeeded(f"Signing in to AWS takes a code of {device}, and none was given.")


CODES = MfaCodes()
"""The codes of this process: a person has one device, however many clients there are."""
