"""What the applications do, and whether the fence stands."""

from __future__ import annotations

from textual.content import Content

from runbook.base.clocks import stale
from runbook.protection.dashboard import Fence
from tui import glyphs, text
from tui.widgets.figures import FiguresPane
from tui.widgets.lag import AXIS, highest, sparkline
from tui.widgets.pane import hanging, joined, line


class TrafficPane(FiguresPane):
    """Draws sessions, writes and the fence, each with its age once it is old."""

    TITLE = "Traffic"

    def draw(self, cells: int) -> Content:
        traffic = self.dashboard.traffic
        old = stale(traffic.at, self.now, self.limit)
        sessions = "?" if traffic.sessions is None else str(traffic.sessions)
        writes = "?" if traffic.writes_per_s is None else f"{traffic.writes_per_s:,.0f}"
        style = "$foreground-muted" if old else "bold"
        spark = "$foreground-muted" if old else "$text-accent"
        age = "never seen" if traffic.at is None else text.ago(text.elapsed(traffic.at, self.now))
        left = line(
            (sessions, style if traffic.sessions is not None else "bold $text-warning"),
            (" sessions  ", "$foreground-muted"),
            (writes, style if traffic.writes_per_s is not None else "bold $text-warning"),
            (" rows/s  ", "$foreground-muted"),
        )
        room = cells - left.cell_length - text.width(age) - 1
        rows = [
            line(
                left,
                (sparkline(self.writes, max(0, min(room, 16)), self.now), spark),
                " ",
                (age, "bold $text-warning" if old else "$foreground-muted"),
            ),
            self._fence(cells, old),
        ]
        if (peak := highest(self.writes, self.now)) is not None:
            fell = any(sample.value == 0 for sample in self.writes)
            zero = f", {glyphs.BARS[0]} came to 0" if fell else ""
            words = f"{AXIS}, top {peak:,.0f} rows/s{zero}"
            rows.insert(1, line((text.shorten(words, cells), "$foreground-muted")))
        if traffic.error:
            style = "$text-warning"
            rows += hanging(line(("? ", style)), text.clean(traffic.error), cells, style)
        return joined(rows)

    def _fence(self, cells: int, old: bool) -> Content:
        traffic = self.dashboard.traffic
        if old and traffic.fence is not Fence.UNKNOWN:
            # What was true then may not be now: neither open nor proved is said of the present.
            mark = glyphs.FENCE[Fence.UNKNOWN]
            said = f"{mark.glyph} fence {mark.word} · it was {glyphs.FENCE[traffic.fence].word}"
            return line((text.shorten(said, cells), mark.style))
        mark = glyphs.FENCE[traffic.fence]
        head = f"{mark.glyph} fence {mark.word}"
        if traffic.fence is Fence.PROVED and traffic.fence_at is not None:
            head += f" {text.ago(text.elapsed(traffic.fence_at, self.now))}"
        meaning = text.shorten(f" · {mark.meaning}", cells - text.width(head))
        return line((head, mark.style), (meaning, "$foreground-muted"))
