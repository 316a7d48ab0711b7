"""Every kind of repair, and how one is rebuilt from what the journal keeps of it."""

from __future__ import annotations

from runbook.repair.contract import Repair
from runbook.repair.databases import GiveUpDatabase
from runbook.repair.empty_table import EmptyTable
from runbook.repair.give_up import GiveUp
from runbook.repair.identity import Identify
from runbook.repair.objects import AcceptUnlike, MakeAlike
from runbook.repair.password import SetPassword
from runbook.repair.preflight_fixes import Fixing
from runbook.repair.recopy_rows import Recopy
from runbook.repair.recreate_table import Rebuild
from runbook.repair.returned import CloseReturned
from runbook.repair.rights import RunAsOwner
from runbook.repair.rows import StrayRow
from runbook.repair.schema import SchemaChange
from runbook.repair.subscriptions import Enable
from runbook.repair.tables import NewTables
from state.records import Json

KINDS: dict[str, type[Repair]] = {
    kind.what: kind
    for kind in (
        *(Fixing, Identify, Recopy, GiveUp, Enable, RunAsOwner),
        *(SchemaChange, NewTables, StrayRow, EmptyTable, Rebuild),
        *(MakeAlike, AcceptUnlike, SetPassword, GiveUpDatabase, CloseReturned),
    )
}


def rebuilt(kept: Json) -> Repair | None:
    """Return the repair of which the journal keeps this under its key, or None."""
    if not kept or kept.get("what") not in KINDS:
        return None
    fields = {name: value for name, value in kept.items() if name != "what"}
    return KINDS[kept["what"]](**fields)
