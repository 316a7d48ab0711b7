"""Faults that were ordered and wait for their moment: a call, a switchover, a new resource."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from typing import Any

EVERY = -1
"""As often as it is asked, until it is withdrawn."""


@dataclass
class FaultOrder:
    """A fault that waits; `subject` None means the next one, whichever it is."""

    kind: str
    subject: str | None
    left: int
    value: str | None


class FaultOrders:
    """The waiting faults of one lab; any thread may ask whether one is to strike now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: list[FaultOrder] = []

    def place(
        self, kind: str, subject: str | None = None, *, count: int = 1, value: str | None = None
    ) -> None:
        """Order a fault for the next `count` occasions (`EVERY`: all), with a value of its own."""
        with self._lock:
            self._orders.append(FaultOrder(kind, subject, count, value))

    def take(self, kind: str, subject: str | None = None) -> FaultOrder | None:
        """Return the fault that strikes now, used up by one, or None."""
        with self._lock:
            for order in self._orders:
                if order.kind == kind and order.subject in (None, subject):
                    if order.left != EVERY:
                        order.left -= 1
                    if not order.left:
                        self._orders.remove(order)
                    return order
        return None

    def withdraw(self, kind: str, subject: str | None = None) -> None:
        """Forget every waiting fault of a kind, of one subject or (None) of all."""
        with self._lock:
            self._orders = [
                order
                for order in self._orders
                if order.kind != kind or subject not in (None, order.subject)
            ]

    def waiting(self) -> list[dict[str, Any]]:
        """Return what waits, oldest first."""
        with self._lock:
            return [asdict(order) for order in self._orders]
