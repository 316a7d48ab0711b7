"""Rebuilds a run whose journal is lost from the world alone: tags, names, and the steps' probes.

`look` tells what there is and changes nothing; `stand` how the journal stands to it; `write` puts
it into the journal.
"""

from runbook.recovery.existing_run import Standing, known, stand
from runbook.recovery.infer import Adoption, Ended, Several, look
from runbook.recovery.plan_from_cluster import Given
from runbook.recovery.write_journal import close_ended, write

__all__ = [
    "Adoption",
    "Ended",
    "Given",
    "Several",
    "Standing",
    "close_ended",
    "known",
    "look",
    "stand",
    "write",
]
