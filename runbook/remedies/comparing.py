"""One table's rows compared after a change of its schema, while the application runs."""

from __future__ import annotations

from runbook import differing
from runbook.differing import Differing
from runbook.remedies.recopy import RowsEffect
from runbook.sides import held
from runbook.step import Answer, StepFailed, Watch
from runbook.world import World


async def compare_rows(world: World, watch: Watch, database: str, schema: str, table: str) -> None:
    """Compare a table's rows once those on their way have arrived, and keep what is found."""
    finding = await RowsEffect(world, held(world), database, schema, table).probe()
    name = f"{schema}.{table} in {database}"
    if finding.answer is Answer.YES:
        watch.evidence(f"the rows of {name} are equal on both sides")
        return
    found = Differing(database, schema, table, None, None, "comparison")
    watch.evidence(
        f"the rows of {name} differ: {finding.seen}",
        key=differing.FACT,
        value=differing.as_json(differing.merged(differing.left(world), [found])),
    )
    raise StepFailed(
        f"The rows of {name} are not the same on both sides: {finding.seen}.",
        now="The change itself was made. Not protected, as long as they differ.",
        todo="Copy the differing rows again: that is offered now.",
    )
