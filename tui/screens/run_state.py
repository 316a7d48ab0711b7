"""What the run's screen says of where the run stands, and why a key does nothing now."""

from __future__ import annotations

from runbook.run.checklist import Checklist, Line
from state.enums import Status
from tui import text
from tui.keys import Key
from tui.model import Preview
from tui.next_action import Press, Standing, press, undecided, way_back
from tui.screens.looking import LookingScreen
from tui.snapshot import Place, fresh_limit
from tui.widgets.checklist import ChecklistPane
from tui.widgets.detail import Detail
from tui.widgets.header import known_now, verdict


class RunState(LookingScreen):
    """The part of the run's screen that draws nothing and acts on nothing."""

    trouble = ""
    """Why the run could not be looked at; empty: it was."""
    _heard = ""
    """The call to a person that somebody has said they know of."""

    def halted(self) -> str:
        left = self.picture.dashboard.left_behind if self.picture else ""
        if left and self.model.writable:
            return f"this journal was left behind: {text.clean(left)} holds the run."
        failing = self.picture.dashboard.journal_error if self.picture else ""
        if failing and not self.face.halted and self.model.writable:
            # The samplers go on trying: acting is possible again once they can write.
            return f"the journal cannot be written, so nothing is done: {text.clean(failing)}"
        return super().halted()

    def _checklist(self) -> Checklist | None:
        return self.picture.checklist if self.picture else None

    def _selected(self) -> Place | None:
        return self.query_one(ChecklistPane).selected

    def _detail(self) -> Detail | None:
        picture = self.picture
        item = self.query_one(ChecklistPane).line_selected()
        if picture is None or item is None:
            return None
        preview, error, looking_s = self.preview_of(item)
        if not picture.checklist.run.open:
            preview = Preview(item.step, (), (), "Nothing: this run is over.")
        following = picture.checklist.next
        elsewhere = following is not None and following.step != item.step
        acts = following.step if following is not None and elsewhere else ""
        evidence = picture.evidence if picture.evidence_of == (item.entry, item.step) else ()
        return Detail(
            line=item,
            acts=acts,
            watched=not self.model.writable,
            dashboard=picture.dashboard,
            preview=preview,
            preview_error=error,
            looking_s=looking_s,
            evidence=evidence,
            now=self.face.now(),
        )

    def _press(self) -> Press:
        if self.trouble:
            return Press(False, "", "", f"the run could not be looked at: {self.trouble}")
        if why := self.halted():
            return Press(False, "", "", f"{why} q leaves; opening the run again looks what is true")
        checklist = self._checklist()
        if checklist is None or self.picture is None:
            return Press(False, "", "", "looking where the run stands…")
        return press(
            checklist,
            self._standing(checklist),
            writable=self.model.writable,
            holder=self.model.holder,
        )

    def _standing(self, checklist: Checklist) -> Standing:
        preview, error, looking_s = self.preview_of(checklist.next)
        to_do = self.picture.dashboard.to_do if self.picture else ""
        return Standing(
            self._busy(), self.face.asking, to_do, bool(self._heard), preview, error, looking_s
        )

    def _busy(self) -> str:
        # Steps may follow by themselves: what runs now is the model's word, not what was started.
        return (self.picture.busy if self.picture else "") or self.face.conducting

    def _way_back(self) -> str:
        picture, ways = self.picture, self._ways
        if picture is None:
            return ""
        found = way_back(
            ways[1] if ways else None,
            picture.checklist,
            known_now(picture.dashboard.protection, self.face.now(), fresh_limit(self.model.run)),
            left_behind=picture.dashboard.left_behind,
            error=ways[2] if ways else "",
        )
        return str(found)

    def _track_title(self) -> str:
        if self.picture is None:
            return "Checklist"
        checklist, dashboard = self.picture.checklist, self.picture.dashboard
        target = str(checklist.run.plan.get("upgrade", {}).get("target_version", ""))
        versions = [
            view.version for view in dashboard.clusters if view.role in ("blue", "old blue")
        ]
        source = text.clean(versions[0]) if versions else ""
        return f"Upgrade {source} → {text.clean(target)}" if source and target else "Checklist"

    def _window_title(self) -> str:
        checklist = self._checklist()
        if checklist is None or self.picture is None:
            return text.clean(self.model.run.cluster)
        following = checklist.next
        where = f"{following.step} {following.status.value}" if following else "track done"
        said = verdict(
            self.picture.dashboard.protection, self.face.now(), fresh_limit(checklist.run)
        )
        return text.clean(f"{checklist.run.cluster}: {where} · {said.word.lower()}")

    def why_not(self, action: str) -> str:
        checklist = self._checklist()
        if action in ("advance", "retry", "branch", "note") and (why := self.halted()):
            return why
        acts = action in ("advance", "retry", "note", "stop_waiting")
        if acts and (why := self.watched(self.model)):
            return why
        if checklist is None and action in ("advance", "retry", "branch", "note", "repairs"):
            return "the run is still being read"
        if checklist is None:
            return ""
        return self._why_not_now(action, checklist)

    def _why_not_now(self, action: str, checklist: Checklist) -> str:
        following, busy = checklist.next, self._busy()
        if action == "stop_waiting":
            return "" if busy else "no step is running"
        if action not in ("advance", "retry", "branch"):
            return ""
        if busy:
            calling = bool(self.picture and self.picture.dashboard.to_do) and not self._heard
            return "" if calling and action == "advance" else f"{busy} is running"
        if action != "branch" and not checklist.run.open:
            return "this run is over"
        if action == "advance" and following is None:
            return "every step of this track is done"
        if action == "retry" and (why := self._why_no_retry(following)):
            return why
        does = self._press()
        looked = action == "branch" or does.acts or not does.target
        return "" if looked else f"{does.target} {does.then}; nothing was done"

    def _why_no_retry(self, following: Line | None) -> str:
        if following is None or following.status not in (Status.FAILED, Status.UNKNOWN):
            return "no step has failed"
        if undecided(following):
            return "first say what became of the unknown effect; enter shows it"
        return ""

    def label(self, key: Key) -> str:
        if key.name == "advance":
            return self._press().verb or "run"
        return key.label
