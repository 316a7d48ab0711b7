"""Whether a press was meant for what the screen shows: a held key acts once, and never by chance.

A terminal tells presses alone, never that a key was let go: what comes within a moment of the press
before it counts as the same one. The first repetition of a held key comes after half a second or
so, those after it far quicker.
"""

from __future__ import annotations

BURST_S = 1.0
"""A press that comes within so many seconds of the same key's last one belongs to it."""

REACTION_S = 0.4
"""So soon after the screen has changed nobody has read what the key does now."""


class PressGuard:
    """Remembers presses and since when a key does what it does. Times are monotonic, in seconds."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._shown: object = None
        self._since = float("-inf")

    def shows(self, what: object, at: float) -> None:
        """Take what the key would do as the screen shows it from `at` on."""
        if what != self._shown:
            self._shown, self._since = what, at

    def start_anew(self, at: float) -> None:
        """Heed no press that was made before `at`: nobody has seen the screen until then."""
        self._since = at

    def heard(self, key: str, at: float) -> str:
        """Take a press made at `at`; return why it is not to be heeded, or an empty string."""
        last = self._last.get(key)
        self._last[key] = at
        if last is not None and at - last < BURST_S:
            return "held or pressed again at once, it acts a single time; let go, then press it"
        if at < self._since + REACTION_S:
            return "what it does has changed just now; read it, then press again"
        return ""
