"""What a journal that was left behind still knows once its run is read anew from the clusters."""

from __future__ import annotations

from runbook.base import clocks, server_names
from runbook.ownership import holder
from runbook.preflight import plans
from runbook.procedure.steps.shared import checks
from state.journal import Journal

KEPT = frozenset({plans.FACT, checks.ACCEPTED, clocks.FACT, holder.FACT, server_names.FACT})
"""Facts that say nothing about the clusters as they are: the plan as it was read again, the
warnings that were accepted by name, by how much the clock was set, up to which number this journal
has held the run, which never falls, and how instances were named before the pivot, by ids that
never change. Beside them the downtimes that were measured.

Every other fact is emptied, and known again only where the adoption or a later step sees it:

- which clusters, databases, parameters and deployment there are: `role.*`, `production`,
  `databases`, `parameters.made`, `deployment`;
- what the preflight found: `preflight`, `preflight.result`, `preflight.changed`;
- who serves, who may log in: `traffic`, `endpoint`, `roles.able`, `roles.locked`, `serving.*`;
- the switchover and its fence: `switchover`, `switchover.returned`, `fence`, `fence.*`;
- whether another journal went on: `left-behind`;
- marks of a cluster that stood still: `marks.*`, `freeze.unproved`, `old-blue.*`, `closed.lost`;
- what steps that are done did not do: `warning.*`;
- what travels: `capture`, `capture.*`, `slots`, `subscribed`, `detached`, `conflicts`;
- how alike the sides are: `schema`, `drift`, `compare.*`, `tables.*`, `protection`;
- what a repair is rebuilt from: `repair/*`.
"""
_MEASURED = "downtime."

TRAFFIC = "traffic"


def kept(key: str) -> bool:
    """Return whether a fact still holds after the run was read anew."""
    return key in KEPT or key.startswith(_MEASURED)


def empty_facts(journal: Journal, run: str, step: str) -> None:
    """Write that nothing is known any more under each key that says something of the clusters."""
    known = {key: fact.value for key, fact in journal.facts(run).items() if not kept(key)}
    # The clock of the outages tells by the traffic, each time, where what was known ended.
    for key in {TRAFFIC, *(key for key, value in known.items() if value is not None)}:
        journal.evidence(run, step, "", key=key, value=None)
