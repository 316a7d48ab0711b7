"""One table's rows compared after a change of its schema, while the application runs.

Where they cannot be compared yet, the table counts among those that differ until they were.
"""

from __future__ import annotations

from collections.abc import Sequence

from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.base.step import Watch
from runbook.failures import Answer, StepFailed
from runbook.postgres.schema_ddl import Name, shown
from runbook.procedure.steps.shared.effects import unknown
from runbook.proofs import diverged
from runbook.proofs.diverged import Differing
from runbook.repair.give_up import no_longer_differs
from runbook.repair.recopy_rows import RowsEffect
from runbook.repair.stopping import stopped_by


async def compare_rows(
    context: RunContext, watch: Watch, database: str, schema: str, table: str
) -> None:
    """Compare a table's rows once those on their way have arrived, and keep what is found.

    Raises `StepFailed` where they differ or could not be compared.
    """
    name = f"{schema}.{table} in {database}"
    if missing := await stopped_by(context, database):
        compare_later(context, watch, database, [(schema, table)], missing)
        return
    try:
        finding = await RowsEffect(context, current_pair(context), database, schema, table).probe()
    except StepFailed as error:
        finding = unknown(error.what.rstrip("."))
    if finding.answer is Answer.YES:
        watch.evidence(f"the rows of {name} are equal on both sides")
        if any(each.name == (database, schema, table) for each in diverged.left(context)):
            words = f"{database}: {schema}.{table} does not count as differing any more"
            no_longer_differs(context, watch, (database, schema, table), words)
        return
    if finding.answer is Answer.UNKNOWN:
        found = Differing(database, schema, table, None, None, diverged.CHANGE)
        _keep(context, watch, [found], f"the rows of {name} could not be compared: {finding.seen}")
        raise StepFailed(
            f"The rows of {name} could not be compared: {finding.seen}.",
            now="The change itself was made. Not protected, until they were.",
            todo="Look at the lag and at the apply worker; copying the differing rows again, which "
            "is offered now, compares them, too.",
        )
    found = Differing(database, schema, table, None, None, "comparison")
    _keep(context, watch, [found], f"the rows of {name} differ: {finding.seen}")
    raise StepFailed(
        f"The rows of {name} are not the same on both sides: {finding.seen}.",
        now="The change itself was made. Not protected, as long as they differ.",
        todo="Copy the differing rows again: that is offered now.",
    )


def compare_later(
    context: RunContext, watch: Watch, database: str, tables: Sequence[Name], missing: str
) -> None:
    """Let tables count as differing until they are compared, since apply stands still."""
    words = (
        f"the rows of {', '.join(map(shown, tables))} in {database} are compared later: apply "
        f"stands still until this is repaired, too: {missing}"
    )
    found = [
        Differing(database, schema, table, None, None, diverged.CHANGE) for schema, table in tables
    ]
    _keep(context, watch, found, words)


def _keep(context: RunContext, watch: Watch, found: Sequence[Differing], words: str) -> None:
    # Of a table that was made anew that is said on, until its rows were taken away or are equal.
    former = {each.name for each in diverged.former(context)}
    found = [each for each in found if each.name not in former]
    tables = diverged.merged(diverged.left(context), found)
    watch.evidence(words, key=diverged.FACT, value=diverged.as_json(tables))
