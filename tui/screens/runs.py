"""The runs of this workspace, newest first: open one, watch one, or start one from a plan file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from textual import work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import DataTable

from runbook.base import variants
from runbook.protection.dashboard import Serving
from runbook.protection.urgent import DOWN, STOPPED, TWO, Urgent, of_run
from state.records import RunSummary
from tui import glyphs, keys, text
from tui.screens.base import KeyedScreen
from tui.screens.help import HelpScreen
from tui.screens.note import NoteDialog
from tui.widgets.header import STYLES
from tui.widgets.keybar import KeyBar
from tui.widgets.pane import joined, line
from tui.widgets.words import Words

POLL_S = 2.0
COLUMNS: tuple[tuple[str, tuple[int, int]], ...] = (
    ("run", (10, 8)),
    ("cluster", (24, 14)),
    ("where", (14, 0)),
    ("track", (12, 9)),
    ("step", (24, 18)),
    ("status", (18, 14)),
    ("protected", (14, 12)),
    ("started (UTC)", (18, 0)),
)
"""Names with their cells on a wide and on a narrow terminal."""
_ROOM = dict(COLUMNS)
WIDE = 120
_BRIEF = {
    DOWN[Serving.DOWN]: "✗ DOWN",
    DOWN[Serving.SILENT]: "✗ NO ANSWER",
    DOWN[Serving.CUT]: "? NOT SEEN",
    TWO: "✗ TWO WRITE",
    STOPPED: "✗ APPS DOWN",
}
"""In the place of the verdict, which comes after it; the words are below the list."""
_NARROW = {"where", "started (UTC)"}

EMPTY = (
    ("No run was started in this workspace yet.", ""),
    ("", ""),
    ("blueprime rehearse", "a whole night on this machine, without AWS"),
    ("blueprime plan CLUSTER --target-version V", "look at a cluster and write its plan file"),
    ("blueprime start PLAN", "start the run of a plan, as n does here"),
)


class RunsScreen(KeyedScreen[None]):
    """The first screen."""

    PLACE = "runs"
    CSS_PATH = "runs.tcss"
    BINDINGS = keys.bindings("runs")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[RunSummary] | None = None
        self.gone: frozenset[str] = frozenset()
        self.trouble = ""

    def compose(self) -> ComposeResult:
        badge = self.face.badge
        yield Words(
            line(
                (" blueprime  ", "bold"),
                ("runs  ", "$foreground-muted"),
                (f" {badge} ", "reverse") if badge else "",
            ),
            id="head",
        )
        yield DataTable(id="table", cursor_type="row", cell_padding=0)
        yield Words(id="words")
        yield KeyBar("runs")

    def on_mount(self) -> None:
        self._columns()
        self.query_one(DataTable).focus()
        self._look()

    def _columns(self) -> None:
        table = self.query_one(DataTable)
        table.clear(columns=True)
        for name, cells in COLUMNS:
            wide = self.app.size.width >= WIDE
            if wide or name not in _NARROW:
                table.add_column(name, key=name, width=cells[0] if wide else cells[1])

    def on_resize(self) -> None:
        wide = "where" in self.query_one(DataTable).columns
        if wide != (self.app.size.width >= WIDE):
            self._columns()
            self._draw()

    @work(group="look")
    async def _look(self) -> None:
        await self._read()
        self.set_timer(POLL_S, self._look)

    async def _read(self) -> None:
        try:
            runs = await self.face.engine.read(self.face.list_runs)
            self.gone = await self.face.engine.read(lambda: self.face.gone(runs))
            self.runs = runs
            self.trouble = ""
        except Exception as error:  # said in place of the runs; the next look may do better
            self.trouble = str(error) or type(error).__name__
        if self.is_mounted and not self.ending:
            self._draw()

    def _draw(self) -> None:
        table, words = self.query_one(DataTable), self.query_one("#words", Words)
        runs = self.runs or []
        selected = self.selected()
        wide = self.app.size.width >= WIDE
        cells = {run.run: _cells(run, 1 - int(wide), run.run in self.gone) for run in runs}
        if [str(key.value) for key in table.rows] != list(cells):
            table.clear()
            for run, row in cells.items():
                table.add_row(*(row[str(name.value)] for name in table.columns), key=run)
            if selected is not None and selected.run in cells:
                table.move_cursor(row=table.get_row_index(selected.run))
        else:
            for run, row in cells.items():
                for name in table.columns:
                    table.update_cell(run, name, row[str(name.value)])
        table.display = bool(runs)
        words.update(self._words(runs))
        self.refresh_keys()

    def _words(self, runs: list[RunSummary]) -> Content:
        if self.trouble:
            return line(
                ("? The runs could not be read: ", "bold $text-warning"), text.clean(self.trouble)
            )
        if self.runs is None:
            return line(("Reading the journal…", "$foreground-muted"))
        if not runs:
            return joined(
                line((text.fit(left, 44), "bold $text-accent"), (right, "$foreground-muted"))
                if right
                else line((left, "bold"))
                for left, right in EMPTY
            )
        held = [run for run in runs if _holds_slots(run, run.run in self.gone)]
        now = datetime.now(UTC)
        loud = [
            _loud(run, each, now)
            for run in runs
            if run.run not in self.gone
            for each in of_run(run)
        ]
        return joined([*loud, *map(_holding, held)])

    def selected(self) -> RunSummary | None:
        """Return the run under the cursor."""
        table = self.query_one(DataTable)
        if not self.runs or not table.row_count:
            return None
        row = table.coordinate_to_cell_key(table.cursor_coordinate).row_key
        return next((run for run in self.runs if run.run == row.value), None)

    def why_not(self, action: str) -> str:
        if action in ("open", "watch") and not self.runs:
            return "there is no run yet"
        chosen = self.selected() if action == "open" and self.is_mounted else None
        if chosen is not None and chosen.run in self.gone:
            return "the lab of this rehearsal is gone, and its clusters with it; w looks at it"
        return ""

    def on_data_table_row_highlighted(self) -> None:
        """Dim what cannot be done with the run under the cursor."""
        self.refresh_keys()

    def on_data_table_row_selected(self) -> None:
        """Open the run that enter was pressed on; the table takes that key itself."""
        self.action_open()

    def action_open(self) -> None:
        """Open the run to act on it."""
        if why := self.why_not("open"):
            self.notify(why, severity="warning", markup=False)
        elif run := self.selected():
            self.face.open_and_show(run.run, watch=False)

    def action_watch(self) -> None:
        """Open the run to watch it."""
        if run := self.selected():
            self.face.open_and_show(run.run, watch=True)

    @work
    async def action_start(self) -> None:
        """Ask for a plan file and start its run."""
        path = await self.face.push_screen_wait(
            NoteDialog(
                "New run",
                "The plan file of the run. `blueprime plan CLUSTER --target-version V` writes one.",
                placeholder="orders.toml",
            )
        )
        if path:
            self._start(path)

    def _start(self, path: str) -> None:
        self.face.start_and_show(Path(path).expanduser())

    async def action_refresh(self) -> None:
        """Read the list again."""
        await self._read()

    def action_help(self) -> None:
        """Show the help."""
        self.face.push_screen(HelpScreen())

    def action_leave(self) -> None:
        """Leave blueprime."""
        self.face.leave()


def _cells(run: RunSummary, size: int, lab_gone: bool) -> dict[str, Content]:
    mark = glyphs.STATUS[run.status]
    where = glyphs.ENVIRONMENT[run.environment]
    protected = {
        True: ("✓ yes", "$text-success"),
        False: ("✗ no", "bold $text-error"),
        None: (_last_seen(run), "bold $text-warning"),
    }[run.protected]
    status = line((f"{mark.glyph} {mark.word}", mark.style))
    if not run.open:
        ending = run.result.value.replace("_", " ") if run.result else "closed"
        status = line((f"■ {ending}", "$foreground-muted"))
        protected = ("–", "$foreground-muted")
    elif lab_gone:
        status = line(("■ lab gone", "$foreground-muted"))
        protected = ("–", "$foreground-muted")
    elif found := of_run(run):
        protected = (_BRIEF[found[0].word], STYLES[found[0].word])
    if run.away is not None:
        status = line(("→ handed over", "bold $text-warning"))
    slots = ("!", "bold $text-warning") if _holds_slots(run, lab_gone) else ""
    return {
        "run": line((text.clean(run.run), "bold"), slots),
        "cluster": line(text.shorten(text.clean(run.cluster), _ROOM["cluster"][size] - 1)),
        "where": line((where.word, where.style)),
        "track": line(variants.name(run.track, run.variant)),
        "step": line(text.shorten(text.clean(run.step), _ROOM["step"][size] - 1)),
        "status": status,
        "protected": line(protected),
        "started (UTC)": line((text.day_and_time(run.started_at), "$foreground-muted")),
    }


def _holds_slots(run: RunSummary, lab_gone: bool) -> bool:
    """Return whether a run keeps WAL on production, and is to be brought to its end here."""
    return run.open and run.slots_held and not lab_gone and run.away is None


def _loud(run: RunSummary, found: Urgent, now: datetime) -> Content:
    """Return what is urgent of a run, in full, as of when it was seen."""
    return line(
        (f"{found.word}: ", STYLES[found.word]),
        (text.clean(run.cluster), "bold"),
        f", run {run.run}, {text.as_seen(found.at, now)}: {text.clean(found.text)}",
    )


def _holding(run: RunSummary) -> Content:
    return line(
        ("! ", "bold $text-warning"),
        (text.clean(run.cluster), "bold"),
        f": run {run.run} is open and holds slots. They keep WAL until the run is brought to its "
        "end.",
    )


def _last_seen(run: RunSummary) -> str:
    """Return what was seen last of the protection, where nobody watches now."""
    if run.protection_seen_at is None or run.last_protected is None:
        return "? unknown"
    age = text.age_figure(text.elapsed(run.protection_seen_at, datetime.now(UTC)))
    return f"{age} ago {'yes' if run.last_protected else 'no'}"
