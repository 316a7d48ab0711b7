"""The rows of both sides, compared while the applications run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import click

from runbook.aws import Aws
from runbook.base.context import RunContext
from runbook.base.effect_state import first_line
from runbook.base.pair import current_pair
from runbook.failures import StepFailed
from runbook.postgres.connect import UNREACHABLE
from runbook.preflight import plans
from runbook.proofs import compare
from state.records import Json
from tui.cli.exits import DONE, FAILED, UNKNOWN
from tui.cli.headless import Printer
from tui.cli.workspace import enter_lab, read_journal, refuse_handed_over, write_journal

TELL_EVERY_S = 1.0


class Teller:
    """Says once a second how far it is."""

    def __init__(self, printer: Printer, *, as_json: bool) -> None:
        self._printer = printer
        self._as_json = as_json
        self._told = 0.0

    def __call__(self, words: str, fraction: float) -> None:
        if time.monotonic() - self._told < TELL_EVERY_S:
            return
        self._told = time.monotonic()
        if self._as_json:
            at = datetime.now(UTC).isoformat()
            line = {"kind": "progress", "at": at, "text": words, "fraction": round(fraction, 4)}
            self._printer.line(line)
        else:
            click.echo(f"{fraction:4.0%}  {words}", err=True)


def _not_compared(run: str, error: BaseException, printer: Printer, *, as_json: bool) -> int:
    """Say why nothing is known of the rows; return the exit code."""
    if isinstance(error, StepFailed):
        words = "\n".join((error.what, error.now, error.todo))
    else:
        words = (
            f"Not compared: {first_line(error)}\nWhether the rows are equal is not known; nothing "
            "was changed.\nSee that both sides can be reached, then compare again."
        )
    if as_json:
        line: dict[str, Json] = {"kind": "comparison", "run": run, "equal": None, "databases": []}
        printer.line({**line, "recorded": False, "error": words})
    else:
        click.echo(words, err=True)
    return UNKNOWN


async def compare_run(
    run: str, *, databases: Sequence[str], wait_s: float, record: bool, as_json: bool
) -> int:
    """Compare a run's sides and print what differs; return the exit code.

    It acts on nothing and needs not hold the run. To `record` it takes the journal as its only
    writer, and so not while another process holds it.
    """
    with write_journal() if record else read_journal() as journal:
        refuse_handed_over(journal, run)
        found = journal.run(run)
        enter_lab(found)
        plan = plans.of_run(journal, found)
        context = RunContext(
            run=found.id, plan=plan, journal=journal, aws=Aws(plan.cluster.region, plan.aws.access)
        )
        printer = Printer(as_json=as_json)
        try:
            since = (
                await compare.position(context, current_pair(context).publisher) if record else None
            )
            results = await compare.compare_live(
                context, databases=databases, tell=Teller(printer, as_json=as_json), wait_s=wait_s
            )
        except (StepFailed, *UNREACHABLE) as error:
            # Exit code 1 says that rows differ, and that was not seen.
            return _not_compared(found.id, error, printer, as_json=as_json)
        finally:
            await context.forget_connections()
        if record:
            keep = partial(journal.evidence, found.id, "compare")
            compare.record(context, results, keep, since=since)
    verdicts = [result.same for result in results]
    equal = False if False in verdicts else None if None in verdicts else True
    if as_json:
        rows = [compare.as_json(result) for result in results]
        line = {"kind": "comparison", "run": found.id, "equal": equal, "databases": rows}
        printer.line({**line, "recorded": record})
    else:
        for result in results:
            click.echo(compare.words(result))
        if equal is not True and not record:
            click.echo("Nothing was written to the journal: --record keeps what was found.")
    return {True: DONE, False: FAILED, None: UNKNOWN}[equal]
