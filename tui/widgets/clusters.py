"""The clusters and what flows between them."""

from __future__ import annotations

from textual.content import Content

from runbook.base import clocks
from runbook.protection.dashboard import ClusterView, LagView
from runbook.protection.urgent import condition
from tui import glyphs, text
from tui.widgets.figures import FiguresPane
from tui.widgets.pane import indented, joined, line

_ROLE = 10
_VERSION = 6


class ClustersPane(FiguresPane):
    """Draws each cluster of the run, and the slot's arrow under the one that publishes."""

    TITLE = "Clusters"

    def draw(self, cells: int) -> Content:
        if not self.dashboard.clusters:
            return line(("? unknown: nothing was looked up yet", "$text-warning"))
        rows: list[Content] = []
        clusters = self.dashboard.clusters
        feeding = [view for view in clusters if view.publishes] or [v for v in clusters if v.serves]
        for view in clusters:
            rows += self._cluster(view, cells)
            if view in feeding:
                rows += self._flow(view, cells)
        return joined(rows)

    def _cluster(self, view: ClusterView, cells: int) -> list[Content]:
        mark = glyphs.cluster(view, condition(self.dashboard, view))
        age = clocks.age(view.at, self.now)
        old = age is None or age > self.limit
        room = cells - _ROLE - 1 - 1 - _VERSION - 2
        style = "$foreground-muted" if old else ""
        head = line(
            (text.fit(text.clean(view.role), _ROLE), f"bold {style}".strip()),
            " ",
            (text.fit(text.clean(view.name) or "(no name yet)", room), style),
            " ",
            (text.right(text.clean(view.version) or "?", _VERSION), style),
            " ",
            (mark.glyph, "$foreground-muted" if old else mark.style),
        )
        return [head, *self._state(view, age, cells, old=old)]

    def _state(
        self, view: ClusterView, age: float | None, cells: int, *, old: bool
    ) -> list[Content]:
        found = condition(self.dashboard, view)
        status = text.clean(view.status) or "?"
        if found is not None:
            words = [found.words, f"AWS: {status}"]
        else:
            words = [glyphs.cluster(view).word, status]
            if view.serves and view.frozen:
                words.insert(1, "frozen")
        if view.percent is not None:
            words.append(f"{view.percent:.0f}%")
        if view.instances and view.status != "gone":
            words.append(_instances(view.instances_available, view.instances))
        if view.error:
            words = [*words[: found is not None], "unknown", text.clean(view.error)]
        if view.at is None:
            words.append("never seen")
        elif old:
            words.append("seen in the future" if age is None else f"seen {text.ago(age)}")
        style = "$text-warning" if view.error else "$foreground-muted"
        if found is not None:
            style = "bold $text-error" if found.grave else "bold $text-warning"
        return [*indented(" · ".join(words), cells, style, by=2)]

    def _flow(self, view: ClusterView, cells: int) -> list[Content]:
        if view.role == "blue":
            if not self.dashboard.deployment:
                return []
            state = text.clean(self.dashboard.deployment)
            return [_arrow("AWS", "green", state, "$foreground-muted", cells)]
        to = "new blue" if view.role == "blue prime" else "blue prime"
        if not self.dashboard.lags and view.role == "blue prime":
            return []
        if not self.dashboard.lags:
            return [_arrow("slot", to, "none", "$foreground-muted", cells)]
        state, style = self._slots(self.dashboard.lags)
        return [_arrow("slot", to, state, style, cells)]

    def _slots(self, lags: tuple[LagView, ...]) -> tuple[str, str]:
        for bad in ("lost", "missing", "unreserved"):
            count = sum(1 for lag in lags if lag.state == bad)
            if count:
                return f"{bad} in {count} of {len(lags)}", "bold $text-error"
        unknown = sum(1 for lag in lags if lag.bytes is None)
        if unknown:
            return f"unknown in {unknown} of {len(lags)}", "$text-warning"
        idle = sum(1 for lag in lags if not lag.active)
        if idle:
            return "waiting" if idle == len(lags) else f"waiting in {idle} of {len(lags)}", ""
        return "streaming", "$text-success"


def _instances(up: int, of: int) -> str:
    noun = "instance" if of == 1 else "instances"
    return f"{of} {noun}" if up == of else f"{up} of {of} {noun} up"


def _arrow(what: str, to: str, state: str, style: str, cells: int) -> Content:
    head = f"  └─ {what} ─▶ {to} "
    return line((head, "$foreground-muted"), (text.shorten(state, cells - text.width(head)), style))
