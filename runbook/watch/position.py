"""Where a run stands, as far as the ways from it are concerned: told by its journal alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from runbook.base import step_keys
from runbook.base.alert import Cause, cause_of
from runbook.base.clocks import age, ago, stale
from runbook.base.context import RunContext
from runbook.base.pair import VERIFIED, ReplicationPair, current_pair
from runbook.base.roles import Role
from runbook.base.variants import RollbackTarget, UpgradeVariant
from runbook.ownership.holder import LEFT_BEHIND
from runbook.procedure.steps.rollback import forced
from runbook.procedure.steps.upgrade import switchover
from runbook.proofs import diverged, new_databases
from runbook.proofs.diverged import DIFFERENT
from runbook.proofs.late_writes import UNPROVED
from runbook.protection import verdicts
from runbook.protection.dashboard import Production, Serving
from runbook.watch.position_table import POSITIONS, RunPosition
from state.enums import Outcome, Status, Track
from state.journal import Journal
from state.rebasing import present, tried
from state.records import Attempt, TrackEntry

ENDED = {
    Track.ROLLBACK: RunPosition.ROLLED_BACK,
    Track.COMMIT: RunPosition.COMMITTED,
    Track.ABORT: RunPosition.ABORTED,
}
"""Where a run stands once a cleanup has begun, by the track that was ended before it."""

_ENDING = {
    Track.COMMIT: frozenset({"drop-subscriptions", "drop-slots", "delete-blue-prime"}),
    Track.ABORT: frozenset({"delete-green"}),
    Track.CLEANUP: frozenset({"drop-subscriptions", "drop-slots", "delete-created"}),
}
"""The steps of a track after whose first change there is no going back on it."""

_TURNING = frozenset({step_keys.STOP_TRAFFIC, step_keys.DROP_SUBSCRIPTIONS})
"""The steps of a turn, in either direction, from whose first change on it is under way."""


def follows(context: RunContext, where: RunPosition, away: Role) -> bool:
    """Return whether the other cluster has followed `away`, so that it could take over by force."""
    # On the first way up blue prime follows once it is subscribed; after a turn, once that is seen.
    first = away is Role.NEW_BLUE and where is not RunPosition.FORWARD_NOT_PROTECTED
    return POSITIONS[where].last_word is away and bool(
        context.fact("subscribed" if first else VERIFIED)
    )


def position(context: RunContext, journal: Journal) -> RunPosition:
    """Return where the run stands, by its journal."""
    if context.fact(LEFT_BEHIND):
        return RunPosition.LEFT_BEHIND
    entries = present(journal.entries(context.run))
    attempts = tried(journal, context.run)
    for number, entry in reversed([*enumerate(entries)]):
        found = _of(context, journal, entry, entries[:number], attempts)
        if found is not None:
            return found
    return _of_upgrade(context, journal, attempts)


def _of(
    context: RunContext,
    journal: Journal,
    entry: TrackEntry,
    before: Sequence[TrackEntry],
    attempts: Sequence[Attempt],
) -> RunPosition | None:
    """Return where a stay on a track has taken the run, or None where it has changed nothing."""
    performed = {each.step for each in attempts if each.entry == entry.id and each.effects}
    if entry.track in _ENDING:
        if not performed & _ENDING[entry.track]:
            return None
        if entry.track is not Track.CLEANUP:
            return ENDED[entry.track]
        return next(filter(None, (_ended(each) for each in reversed(before))), None)
    if entry.variant == RollbackTarget.FINALIZE:
        return RunPosition.ROLLED_BACK if performed & {"drop-subscriptions", "drop-slots"} else None
    if entry.variant in (RollbackTarget.STAY, UpgradeVariant.STAY):
        if not any(step.startswith("open-") for step in performed):
            return None
        on_new_blue = entry.track is Track.UPGRADE
        return _on_new_blue(context) if on_new_blue else _on_blue_prime(context)
    forward = entry.track is Track.UPGRADE and entry.variant in (
        UpgradeVariant.FORWARD,
        UpgradeVariant.FORCED,
    )
    if entry.track is Track.UPGRADE and not forward:
        return _of_upgrade(context, journal, attempts)
    moved = _endpoint(entry, attempts)
    if moved is Status.SUCCEEDED and entry.variant in (
        RollbackTarget.FOR_GOOD,
        RollbackTarget.FORCED,
    ):
        return RunPosition.FORCED_FORWARD if forward else RunPosition.ROLLED_BACK
    if moved is Status.SUCCEEDED:
        return _on_new_blue(context, forward=True) if forward else _on_blue_prime(context)
    if moved is not None:
        return RunPosition.SWITCHING_FORWARD if forward else RunPosition.SWITCHING_ENDPOINT
    if performed & _TURNING:
        if _unlike(context):
            return RunPosition.FORWARD_BLOCKED if forward else RunPosition.ROLLBACK_BLOCKED
        return RunPosition.GOING_FORWARD if forward else RunPosition.ROLLING_BACK
    return None


def _ended(entry: TrackEntry) -> RunPosition | None:
    """Return where a run stands that is cleaned up, by a stay before that; None: not by that."""
    if (entry.track, entry.variant) == (Track.UPGRADE, UpgradeVariant.FORCED):
        return RunPosition.FORCED_FORWARD
    return ENDED.get(entry.track)


def _unlike(context: RunContext) -> bool:
    """Return whether a table is known to differ, and was neither repaired nor given up."""
    return bool(context.fact(DIFFERENT) or diverged.left(context))


def _only_rows(context: RunContext) -> bool:
    """Return whether nothing else than rows stood in the way when the watch last looked."""
    causes = verdicts.journaled(context).get("causes") or ()
    return all(cause_of(str(cause)) is Cause.ROWS for cause in causes)


def _on_new_blue(context: RunContext, *, forward: bool = False) -> RunPosition:
    """Return where a run stands whose applications are on new blue, or about to be let in."""
    if verdicts.is_lost(context):
        return RunPosition.WAY_LOST
    if _unlike(context) and context.fact("subscribed") and _only_rows(context):
        # Before blue prime follows, nothing is repaired yet: protecting goes on first.
        return RunPosition.ROWS_DIFFER
    if verdicts.is_protected(context):
        return RunPosition.PROTECTED
    return RunPosition.FORWARD_NOT_PROTECTED if forward else RunPosition.NOT_PROTECTED


def _on_blue_prime(context: RunContext) -> RunPosition:
    """Return where a run stands that has rolled back: the way forward is held, or it is not."""
    if current_pair(context).publisher is not Role.BLUE_PRIME or not context.fact("slots"):
        return RunPosition.ROLLED_BACK
    if verdicts.is_lost(context):
        return RunPosition.BACK_WAY_LOST
    if _unlike(context) and _only_rows(context):
        return RunPosition.BACK_ROWS_DIFFER
    if verdicts.is_protected(context):
        return RunPosition.BACK_PROTECTED
    return RunPosition.BACK_NOT_PROTECTED


def _of_upgrade(context: RunContext, journal: Journal, attempts: Sequence[Attempt]) -> RunPosition:
    if context.fact("switchover") is None:
        asked = switchover_asked(context, journal)
        return RunPosition.SWITCHOVER_ASKED if asked else RunPosition.BEFORE_SWITCHOVER
    traffic = context.fact("traffic") or {}
    resumed = any(
        attempt.step == step_keys.RESUME_TRAFFIC
        # By hand it has no effects: then that it was done counts.
        and (attempt.effects or attempt.status is Status.SUCCEEDED)
        for attempt in attempts
        if attempt.track is Track.UPGRADE
    )
    if not resumed and not traffic.get("open"):
        if verdicts.is_protected(context):
            return RunPosition.PROTECTED
        return RunPosition.SLIPPED_IN if context.fact(UNPROVED) else RunPosition.BEFORE_TRAFFIC
    return _on_new_blue(context)


def _endpoint(entry: TrackEntry, attempts: Sequence[Attempt]) -> Status | None:
    """Return how far a stay has taken the endpoint: SUCCEEDED, UNKNOWN, or None.

    A change that was asked for and is not known to have failed may have moved it; one that failed
    has not.
    """
    tried = [each for each in attempts if each.entry == entry.id and each.step == "switch-endpoint"]
    if any(attempt.status is Status.SUCCEEDED for attempt in tried):
        return Status.SUCCEEDED
    moved = any(
        effect.outcome is not Outcome.FAILED for attempt in tried for effect in attempt.effects
    )
    return Status.UNKNOWN if moved else None


def switchover_asked(context: RunContext, journal: Journal) -> bool:
    """Return whether the pivot was called, and not seen to return since.

    A failed attempt alone does not say so: its wait may have ended before the switchover did.
    """
    returned = (context.fact(switchover.RETURNED) or {}).get("at")
    return any(
        effect.outcome is not Outcome.FAILED
        and (returned is None or effect.intent_at > datetime.fromisoformat(returned))
        for attempt in tried(journal, context.run)
        if attempt.step == switchover.Switchover.key and attempt.track is Track.UPGRADE
        for effect in attempt.effects
    )


def rollback_path(context: RunContext, where: RunPosition, *, fresh: bool = True) -> str:
    """Return the way from here and what it loses; what is left where nobody answers there.

    `fresh` says that it must have been looked for lately.
    """
    if where in (
        RunPosition.SWITCHING_ENDPOINT,
        RunPosition.SWITCHING_FORWARD,
    ) and context.accepted(forced.GATE):
        return "go on with the forced way: what was not sent is given up, and nothing else"
    path, away = POSITIONS[where].path, POSITIONS[where].last_word
    if away is None:
        return path
    behind = new_databases.gone_by_name(context)
    here = f"{path}; {behind}, stays behind" if behind else path
    down = verdicts.unreached(context, fresh=fresh)
    if down is None:
        return here
    if down.state is Serving.CUT:
        return f"from a machine that reaches {away.value}, not from this one: {here}"
    dead = f"{away.value} does not answer{_as_of(context, down)}"
    to = ReplicationPair.of(away).subscriber.value
    if follows(context, where, away):
        return (
            f"none that loses nothing while {dead}; the forced way to {to} (b, or --track forced) "
            "says what it gives up"
        )
    return f"none while {dead}: {to} does not follow it; bring it back"


def _as_of(context: RunContext, found: Production) -> str:
    """Return when it was looked for, where that is not now; else nothing."""
    if not stale(found.at, context.now(), context.plan.protection.fresh_s):
        return ""
    seconds = age(found.at, context.now())
    when = "at a time that is not known" if seconds is None else f"{ago(seconds)} ago"
    return f" (last looked for {when})"
