"""A whole night on this machine: a lab, a plan, the runner or the app, and the ledger's verdict."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from rehearsal import lab
from rehearsal.lab import LabError, LabGone, LabRuns
from runbook.aws import Aws
from runbook.base.variants import name
from runbook.failures import StepFailed
from runbook.plan.discover import discover
from runbook.plan.policy import policy
from runbook.preflight import plans
from runbook.run.session import Session
from state.home import home, open_private
from state.records import Json
from tui.cli import ledger
from tui.cli.deciding import yes_to_all
from tui.cli.ending import NOT_PROTECTED, Ending
from tui.cli.exits import DONE, FAILED
from tui.cli.goals import Goal, UnattendedPlan
from tui.cli.headless import Printer, drive
from tui.cli.leaving import NOTHING_UNDONE
from tui.cli.outlet import patient_output
from tui.cli.streams import outlive_output
from tui.cli.workspace import open_runs_of_lab, read_journal, write_journal

USE, REPLACE = "use", "replace"

LIVE_PACE = 0.02
"""How fast the lab's AWS is when a person watches: minutes become seconds."""


GOES = (
    "Its lab goes too, with every cluster in it, so that there is nothing to go back to "
    "(--keep leaves it up)."
)
"""What is true of a rehearsal that is left before its end."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a rehearsal is asked to be."""

    unattended: bool
    track: str
    then: tuple[str, ...]
    """Where it goes after that, one after another."""
    order: str
    pace: float | None
    databases: int
    tables: int
    load: float
    from_version: str
    to_version: str
    postgres: tuple[str, ...]
    rights: str
    iam: bool
    """Whether the run signs its calls as a user who may do what the plan's policy allows."""
    keep: bool
    lab: str | None
    """What becomes of a lab that runs already: `use`, `replace`, or None: that is asked."""
    lives_with: int | None
    as_json: bool

    @property
    def alone(self) -> bool:
        """Whether it runs by itself: asked to, or nobody is there to look."""
        terminal = sys.stdin.isatty() and sys.stdout.isatty()
        return self.unattended or self.as_json or not terminal


def rehearse(night: Rehearsal) -> int:
    """Go through the night and return the exit code."""
    # Nothing else may write on the terminal while the app draws on it.
    with patient_output(as_json=night.as_json) if night.alone else nullcontext():
        return _rehearse(night)


def _rehearse(night: Rehearsal) -> int:
    try:
        ours = _begin_lab(night)
    except LabRuns:
        click.echo(_already(night), err=True)
        return FAILED
    except LabError as error:
        click.echo(str(error), err=True)
        return FAILED
    # One that was there before stays, too.
    kept = night.keep or not ours
    keep = kept
    try:
        os.environ.update(lab.env())
        plan_file = home() / f"{lab.status()['cluster']}.toml"
        with open_private(plan_file) as file:
            file.write(asyncio.run(_discovered(night)))
        _say(night, f"Wrote the plan: {plan_file}")
        if night.iam:
            _become_user(plan_file)
        if night.load:
            lab.traffic("start")
        if night.alone:
            return asyncio.run(_by_itself(night, plan_file))
        # Whatever becomes of this terminal, the clusters of an open run stay.
        keep = True
        code, over = _in_the_app(night, plan_file)
        keep = kept or not over
        return code
    finally:
        if not keep:
            # A lab that has died meanwhile needs no stopping.
            with suppress(LabGone):
                lab.stop()


def _become_user(plan_file: Path) -> None:
    """Sign every call from now on as a user of the lab who has the plan's policy, and no other."""
    key = f"AKIA{secrets.token_hex(8).upper()}"
    lab.make_user("on-call", key, policy(plans.load(plan_file)))
    os.environ["AWS_ACCESS_KEY_ID"] = key


def _begin_lab(night: Rehearsal) -> bool:
    """Start a lab, or use or replace the one that runs, as asked; return whether it was started.

    Raises `LabRuns` if one runs and nothing was asked.
    """
    if night.lab == USE and lab.up_since() is not None and not open_runs_of_lab():
        _say(night, "The lab that runs is used as it is.")
        return False
    if night.lab == REPLACE and lab.up_since() is not None:
        _say(night, "The lab that runs is stopped, and its clusters with it.")
        lab.stop()
    options = lab.Options(
        pace=night.pace if night.pace is not None else (0.0 if night.alone else LIVE_PACE),
        databases=night.databases,
        tables=night.tables,
        load=night.load,
        from_version=night.from_version,
        to_version=night.to_version,
        postgres=night.postgres,
        rights=night.rights,
        lives_with=night.lives_with or _outlived_by(night),
    )
    lab.require_startable(options)
    _say(night, "Starting a lab: real PostgreSQL servers under an imitation of AWS's API …")
    lab.start(options)
    return True


def _already(night: Rehearsal) -> str:
    """Return what lives in the lab that runs already, and each way on from there."""
    anew = "begin anew, and lose that lab's clusters: blueprime rehearse --lab replace"
    head = f"A lab runs already in {lab.folder()}"
    if runs := open_runs_of_lab():
        run = runs[0]
        return (
            f"{head}, and run {run.run} lives in it, on track {name(run.track, run.variant)}. "
            f"Nothing was changed. Either go on with that run: blueprime resume {run.run}, or "
            f"without a screen: blueprime auto {run.run} --yes; or {anew}."
        )
    return (
        f"{head}, and no open run lives in it. Nothing was changed. Either go on with that lab: "
        f"blueprime rehearse --lab use; or {anew}."
    )


def _outlived_by(night: Rehearsal) -> int | None:
    """Return the pid that the lab is not to outlive: nobody comes back to an unattended night."""
    return os.getpid() if night.alone and not night.keep else None


def _say(night: Rehearsal, text: str) -> None:
    if not night.as_json:
        click.echo(text)


async def _discovered(night: Rehearsal) -> str:
    """Return the plan for the lab's cluster, as `blueprime plan` would write it."""
    found = lab.status()
    return await discover(
        Aws(os.environ["AWS_REGION"]),
        found["cluster"],
        found["target_version"],
        password=found["password"],
        sslmode=found["sslmode"],
        sslrootcert=found["env"]["PGSSLROOTCERT"],
        stop_command=found["hooks"]["stop"],
        start_command=found["hooks"]["start"],
        order=night.order,
        fast=True,
        acknowledge=True,
    )


async def _by_itself(night: Rehearsal, plan_file: Path) -> int:
    printer = Printer(as_json=night.as_json)
    with write_journal() as journal:
        session = Session.start(journal, plans.load(plan_file), plan_file)
        outlive_output(partial(journal.event, session.run.id, "output"))
        course = UnattendedPlan([Goal(each) for each in (night.track, *night.then)])
        try:
            code = await drive(
                session,
                yes_to_all,
                course=course,
                printer=printer,
                stays=NOTHING_UNDONE if night.keep else GOES,
            )
        except StepFailed as failure:
            # A way that is not open: scripts still get the last line that they rely on.
            click.echo("\n".join((failure.what, failure.now, failure.todo)), err=True)
            code = FAILED
        finally:
            await session.close()
        verdict = await asyncio.to_thread(_verdict, night)
        ending = Ending.of(session)
        ended = {**ending.summary(code, course), **_felt(ending), "ledger": verdict}
        if verdict["missing"] != 0 or verdict["mismatched"] != 0:
            ended["result"] = "failed"
            code = code or FAILED
        if night.as_json:
            printer.line(ended)
        else:
            ending.say_what_failed()
            ending.say_warnings()
            ending.say_what_remains()
            _tell(ended)
        return code


def _verdict(night: Rehearsal) -> dict[str, Any]:
    """Return the ledger's verdict on the cluster that serves now."""
    if not night.load:
        return {"acknowledged": 0, "missing": 0, "mismatched": 0}
    return ledger.verdict()


def _felt(ending: Ending) -> dict[str, Json]:
    """Return the downtimes as the workload felt them: its longest gap in each phase."""
    felt: dict[str, float | None] = {}
    for phase in ending.phases:
        window = ending.facts.get(f"downtime.{phase}")
        felt[phase] = None if window is None else _gap(window)
    switchover_s = ending.switchover_s
    upgrade_s = felt["upgrade"]
    added = (
        None if upgrade_s is None or switchover_s is None else round(upgrade_s - switchover_s, 3)
    )
    return {"downtime_s": felt, "added_downtime_s": added}


def _gap(window: dict[str, Any]) -> float | None:
    """Return the longest stretch between two acknowledged writes around a window."""
    started = datetime.fromisoformat(window["started_at"]).timestamp()
    ended = datetime.fromisoformat(window["ended_at"]).timestamp()
    found = lab.gap(started, ended)
    return None if found is None else round(found, 3)


def _tell(ended: dict[str, Any]) -> None:
    down = ended["downtime_s"]
    click.echo("")
    stays = ended["result"] in ("protected", NOT_PROTECTED, "committed")
    serves = ended["engine"]["to" if stays else "from"]
    click.echo(f"Result: {ended['result']}; {serves} serves")
    for phase, seconds in down.items():
        if seconds is not None:
            click.echo(f"Downtime in the {phase}: {seconds:.1f} s, as the workload felt it")
        if phase == "upgrade" and ended["added_downtime_s"] is not None:
            click.echo(f"  of which beyond AWS's own switchover: {ended['added_downtime_s']:.1f} s")
    ledger.tell(ended["ledger"])
    click.echo(f"The report: blueprime report {ended['run']}")


def _in_the_app(night: Rehearsal, plan_file: Path) -> tuple[int, bool]:
    """Open the app on a new run; return the exit code and whether the run is over."""
    from tui.cli.open import open_app

    code = open_app(plan_file=plan_file, tells_ledger=False)
    with read_journal() as journal:
        rows = journal.runs()
    newest = next((row for row in rows), None)
    if newest is None:
        return code, True
    verdict = _verdict(night)
    ledger.tell(verdict)
    if newest.open:
        click.echo(
            "The lab goes on, with its clusters and its traffic. "
            f"Come back with: blueprime resume {newest.run}. End it with: blueprime lab stop."
        )
        return code, False
    if night.keep:
        click.echo("The lab stays up, as asked: end it with blueprime lab stop.")
    else:
        click.echo("The lab goes now, and its clusters with it.")
    lost = verdict["missing"] != 0 or verdict["mismatched"] != 0
    return (FAILED if lost else code or DONE), True
