"""The event log behind DescribeEvents, with the texts of the RDS user guide.

An event carries no id on the wire (ids exist only in EventBridge), so tools match the text.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

CLUSTER = "db-cluster"
INSTANCE = "db-instance"
DEPLOYMENT = "blue-green-deployment"
SNAPSHOT = "db-cluster-snapshot"

_DEFAULT_WINDOW = timedelta(minutes=60)
_KEPT = 10_000


class EventLog:
    """The events of one lab, oldest first."""

    def __init__(self) -> None:
        self._events: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    def write(self, source_type: str, source: str, arn: str, message: str, category: str) -> None:
        """Append an event, dated now."""
        self._events.append(
            {
                "SourceIdentifier": source,
                "SourceType": source_type,
                "SourceArn": arn,
                "Message": message,
                "EventCategories": [category],
                "Date": datetime.now(UTC),
            }
        )

    def find(
        self,
        *,
        source_type: str | None,
        source: str | None,
        start: datetime | None,
        end: datetime | None,
        duration_min: int | None,
        categories: list[str],
    ) -> list[dict[str, Any]]:
        """Return the events of a window (by default the last 60 minutes), oldest first."""
        latest = _aware(end) or datetime.now(UTC)
        window = timedelta(minutes=duration_min) if duration_min else _DEFAULT_WINDOW
        earliest = _aware(start) or latest - window
        return [
            event
            for event in tuple(self._events)
            if earliest <= event["Date"] <= latest
            and (source_type is None or event["SourceType"] == source_type)
            and (source is None or event["SourceIdentifier"] == source)
            and (not categories or event["EventCategories"][0] in categories)
        ]


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
