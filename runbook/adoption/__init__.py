"""Rebuilds a run whose journal is lost from the world alone: tags, names, and the steps' probes.

`look` tells what there is and changes nothing; `stand` how the journal stands to it; `write` puts
it into the journal.
"""

from runbook.adoption.importing import close_ended, write
from runbook.adoption.planned import Given
from runbook.adoption.standing import Standing, known, stand
from runbook.adoption.taking import Adoption, Ended, Several, look

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
