"""Rebuilds a run whose journal is lost from the world alone: tags, names, and the steps' probes.

`look` tells what there is and changes nothing; `write` puts it into the journal.
"""

from runbook.adoption.importing import refuse_known, write
from runbook.adoption.planned import Given
from runbook.adoption.taking import Adoption, Several, look

__all__ = ["Adoption", "Given", "Several", "look", "refuse_known", "write"]
