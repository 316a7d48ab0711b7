"""What a writer looks for before it writes, and refuses."""

from __future__ import annotations

from state.enums import Environment, Outcome
from state.errors import AttemptIsOpen, HandedOver, NoSuchRun, Refused, RunIsOpen
from state.reading import Reader
from state.records import Attempt, Effect, Run


class Refusals(Reader):
    """The journal as a writer must find it."""

    def _attempt(self, attempt: int) -> Attempt:
        found = self._attempts("WHERE attempt.id = ?", attempt)
        if not found:
            raise Refused(f"There is no attempt {attempt}.")
        self._exact_run(found[0].run)
        return found[0]

    def _effect(self, effect: int) -> tuple[Effect, str]:
        """Return an effect and the id of its run."""
        for attempt in self._attempts(
            "WHERE attempt.id = (SELECT attempt FROM effect WHERE id = ?)", effect
        ):
            run = self._exact_run(attempt.run).id
            return next(each for each in attempt.effects if each.id == effect), run
        raise Refused(f"There is no effect {effect}.")

    def _exact_run(self, run: str) -> Run:
        """Return the run of this full id: a prefix will do for asking, not for writing.

        Raises `HandedOver` where another machine acts on it.
        """
        found = self._runs("WHERE id = ?", run)
        if not found:
            raise NoSuchRun(run, [each.id for each in self._runs("ORDER BY seq DESC")])
        if found[0].away:
            raise HandedOver(found[0], found[0].away)
        return found[0]

    def _open_run(self, run: str) -> Run:
        record = self._exact_run(run)
        if not record.open:
            raise Refused(f"Run {run} is closed ({record.result}); open it again first.")
        return record

    def _refuse_open_run(self, cluster_resource_id: str, *, but: str = "") -> None:
        others = "WHERE cluster_resource_id = ? AND closed_at IS NULL AND id <> ?"
        for run in self._runs(others, cluster_resource_id, but):
            raise RunIsOpen(run)

    def _refuse_open_name(self, cluster: str, account: str, region: str) -> None:
        """Refuse a second run of a production name: its resource id moves at the switchover.

        A lab that is gone leaves its runs open, and the next one has the same names: there the
        resource id alone tells.
        """
        same = "WHERE cluster = ? AND account = ? AND region = ? AND environment = ?"
        for run in self._runs(
            f"{same} AND closed_at IS NULL", cluster, account, region, Environment.AWS
        ):
            raise RunIsOpen(run)

    def _refuse_open_attempt(self, run: str) -> None:
        for attempt in self._attempts("WHERE attempt.run = ? AND ended_at IS NULL", run):
            raise AttemptIsOpen(attempt)


def refuse_unless_there(attempt: Attempt) -> None:
    """Refuse to call an attempt succeeded while an effect of it is not known to be there.

    Raises `Refused`.
    """
    for effect in attempt.effects:
        if effect.outcome not in (Outcome.SUCCEEDED, Outcome.ADOPTED):
            found = effect.outcome or "without outcome"
            raise Refused(f"{attempt.step}: it cannot succeed while {effect.title!r} is {found}.")


def refuse_nobody(who: str) -> None:
    """Refuse a decision that nobody made.

    Raises `Refused`.
    """
    if not who.strip():
        raise Refused("A decision needs the name of who made it.")
