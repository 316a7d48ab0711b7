"""Every kind of remedy, and how one is rebuilt from what the journal keeps of it."""

from __future__ import annotations

from runbook.remedies.databases import GiveUpDatabase
from runbook.remedies.emptying import EmptyTable
from runbook.remedies.fixes import Fixing
from runbook.remedies.identity import Identify
from runbook.remedies.objects import AcceptUnlike, MakeAlike
from runbook.remedies.password import SetPassword
from runbook.remedies.rebuild import Rebuild
from runbook.remedies.recopy import Recopy
from runbook.remedies.remedy import Remedy
from runbook.remedies.returned import Shut
from runbook.remedies.rights import RunAsOwner
from runbook.remedies.schema import SchemaChange
from runbook.remedies.stray import StrayRow
from runbook.remedies.striking import GiveUp
from runbook.remedies.subscriptions import Enable
from runbook.remedies.tables import NewTables
from state.records import Json

KINDS: dict[str, type[Remedy]] = {
    kind.what: kind
    for kind in (
        *(Fixing, Identify, Recopy, GiveUp, Enable, RunAsOwner),
        *(SchemaChange, NewTables, StrayRow, EmptyTable, Rebuild),
        *(MakeAlike, AcceptUnlike, SetPassword, GiveUpDatabase, Shut),
    )
}


def rebuilt(kept: Json) -> Remedy | None:
    """Return the remedy of which the journal keeps this under its key, or None."""
    if not kept or kept.get("what") not in KINDS:
        return None
    fields = {name: value for name, value in kept.items() if name != "what"}
    return KINDS[kept["what"]](**fields)
