"""Connections that are lost at a chosen message: before it arrives, under it, or after its effect.

This is the one place of the endpoints that looks at what passes, and only where a loss is ordered:
at the start of a connection for its database and application, at a client's message for a text.
PostgreSQL's messages begin with a letter and their length; lab connections are not encrypted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_READY = b"Z\x00\x00\x00\x05"
_LENGTH_OF_A_REQUEST_FOR_ENCRYPTION = 8


class Moment(StrEnum):
    """When a connection is lost, as seen from the message that it is lost at."""

    BEFORE = "before"
    """The message never reaches the server."""
    DURING = "during"
    """It reaches the server, and the connection is gone at once."""
    AFTER = "after"
    """The server has done what it says, and its answer is lost."""


@dataclass(slots=True, eq=False)
class ConnectionCut:
    """A connection to be lost, once.

    It waits for a client's message that contains `text`, after `skip` others that do, on a
    connection of `application` to `database` of `volume`; None stands for any. Inside of a
    transaction it strikes at the COMMIT, where what the message does becomes lasting.
    """

    moment: Moment
    text: str = ""
    skip: int = 0
    volume: str | None = None
    database: str | None = None
    application: str | None = None

    def shape(self) -> dict[str, Any]:
        """Return it for a list of faults that wait."""
        words = (self.volume or "*", self.moment.value, self.text, self.database or "*")
        return {"kind": "lose-connection", "action": " ".join(words), "left": 1 + self.skip}


class ConnectionCutter:
    """Finds, for one connection, the message at which an ordered cut strikes."""

    def __init__(self, cuts: list[ConnectionCut], volume: str | None) -> None:
        self._cuts = cuts
        self._volume = volume
        self.start = b""
        """The message that the connection was begun with."""
        self._in_block = False
        self._at_commit: ConnectionCut | None = None

    def moment(self, data: bytes) -> Moment | None:
        """Return when the connection is lost at this message, or None: not at this one."""
        if not self.start and len(data) > _LENGTH_OF_A_REQUEST_FOR_ENCRYPTION:
            self.start = data
        command = data[5:].upper() if data[:1] == b"Q" else b""
        if command.startswith(b"BEGIN"):
            self._in_block = True
        if self._at_commit is not None:
            cut = self._at_commit
            if command.startswith(b"COMMIT"):
                return cut.moment
            if command.startswith(b"ROLLBACK"):
                self._cuts.append(cut)
                self._at_commit = None
        if command.startswith((b"COMMIT", b"ROLLBACK")):
            self._in_block = False
        return self._take(data)

    def _take(self, data: bytes) -> Moment | None:
        for cut in list(self._cuts):
            if not self._meant(cut) or cut.text.encode() not in data:
                continue
            if cut.skip:
                cut.skip -= 1
                continue
            self._cuts.remove(cut)
            if self._in_block and cut.text:
                self._at_commit = cut
                return None
            return cut.moment
        return None

    def _meant(self, cut: ConnectionCut) -> bool:
        return (
            cut.volume in (None, self._volume)
            and self._says("database", cut.database)
            and self._says("application_name", cut.application)
        )

    def _says(self, name: str, value: str | None) -> bool:
        """Tell whether the connection's start gives a parameter this value."""
        return value is None or f"\0{name}\0{value}\0".encode() in self.start


def settled(answer: bytes) -> bool:
    """Tell whether the server has done what it was asked, by the end of its answer.

    It waits for the client then: ready for the next query, or to be given a password or a copy.
    """
    return answer[-6:-1] == _READY or answer[:1] in (b"R", b"G")
