"""Credentials that end while a run goes on: it waits for others, and says so."""

from __future__ import annotations

from collections.abc import Callable

from runbook.aws.errors import CredentialsError, CredentialsExpired, MfaCodeNeeded
from runbook.aws.mfa import CODES
from runbook.procedure.waiting import Notice
from state.journal import Journal

LIMIT_S = 3600.0
"""How long a call waits: inside the fence the applications are down, and nothing is half done."""


class CredentialsWait:
    """Waits for what can be renewed from outside: a file, a log-in, a code of a second factor."""

    def __init__(
        self, journal: Journal, run: str, notice: Notice, stopped: Callable[[], bool]
    ) -> None:
        self._journal = journal
        self._run = run
        self._notice = notice
        self._stopped = stopped
        self._waiting = False

    def waits(self, ended: CredentialsError, waited_s: float) -> bool:
        """Say what is waited for; tell whether to wait on."""
        if self._stopped() or waited_s > LIMIT_S or not _may_be_renewed(ended):
            return False
        words = f"waiting for AWS credentials: {ended.what} {ended.todo}"
        self._notice(words, None, to_do=True)
        if not self._waiting:
            self._waiting = True
            self._journal.event(self._run, "wait", f"{words} The step goes on by itself then.")
        return True

    def good(self) -> None:
        """Say that AWS takes the credentials again."""
        if self._waiting:
            self._waiting = False
            words = "AWS takes the credentials again"
            self._notice(words, None)
            self._journal.event(self._run, "wait", words)


def _may_be_renewed(ended: CredentialsError) -> bool:
    if isinstance(ended, MfaCodeNeeded):
        return CODES.can_ask
    return isinstance(ended, CredentialsExpired) and ended.renewable
