"""Steps on the two sides of a replication."""

from __future__ import annotations

from runbook.base.roles import Role
from runbook.base.step import Step


class PairStep(Step):
    """A step on a publisher and on the subscriber that follows it."""

    def __init__(self, publisher: Role, subscriber: Role) -> None:
        self.publisher = publisher
        self.subscriber = subscriber
