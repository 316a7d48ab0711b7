"""`blueprime adopt`: a run whose journal is lost, rebuilt from what is there."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from runbook import recovery
from runbook.aws import Aws
from runbook.ownership.holder import HolderTag
from runbook.plan.model import Plan
from runbook.preflight import plans
from runbook.recovery import Adoption, Ended, Given, Standing
from state.enums import Status
from state.errors import Refused
from state.home import home, open_private
from state.journal import Journal
from tui.cli.exits import BLOCKED, DONE, print_json
from tui.cli.workspace import write_journal
from tui.text import clean

Locked = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line says."""

    cluster: str
    region: str
    plan_file: Path | None
    run: str
    given: Given
    as_json: bool
    yes: bool

    @property
    def plan(self) -> Plan | None:
        """The run's own plan, where its file still exists."""
        return None if self.plan_file is None else plans.load(self.plan_file)


async def adopt(wish: Wish) -> int:
    """Look, show what was inferred and from what, ask, and write the run; return the exit code.

    Changes nothing but the journal, and the file of a plan that had to be discovered.
    """
    with write_journal() as journal:
        if wish.run:
            recovery.known(journal, wish.run)
        try:
            found = await _look(wish, journal)
        except Ended as ended:
            return _close(wish, journal, ended)
        standing = await recovery.stand(journal, found)
        if not wish.as_json:
            click.echo(as_text(found, standing))
        locked = _decide(wish, found, standing)
        if locked is None:
            click.echo("Nothing was written.", err=True)
            return BLOCKED
        path = _write(journal, wish, found, standing, locked)
    if wish.as_json:
        print_json(as_json(found, standing, path, locked))
    else:
        done = "is in the journal" if standing.run is None else "was read anew"
        click.echo(f"Run {found.run} {done}. Go on with: blueprime resume {found.run}")
        if found.plan_text:
            click.echo(
                f"Its plan was discovered anew: {path}\n"
                "  The commands that stop and start the applications cannot be known: traffic is "
                "manual.\n  Fill them in before the run goes past preflight or ready-to-switch; "
                "after that it ignores the file."
            )
    return DONE


async def _look(wish: Wish, journal: Journal) -> Adoption:
    plan = wish.plan
    return await recovery.look(
        Aws(plan.cluster.region if plan else wish.region),
        wish.cluster,
        run=wish.run,
        plan=plan,
        given=wish.given,
        known=partial(_plan_of, journal),
        say=partial(_say, wish),
    )


def _close(wish: Wish, journal: Journal, ended: Ended) -> int:
    """Close the run of this journal that has ended elsewhere; refuse where it has none open."""
    run = recovery.known(journal, ended.mark.run)
    if run is None or not run.open:
        raise Refused(f"{ended} Nothing was changed, and no run was adopted.")
    if not wish.as_json:
        click.echo(clean(f"{ended} It is open in this journal alone, and can only be closed here."))
    if not wish.yes and not click.confirm(f"Close run {run.id} in the journal of this machine"):
        click.echo("Nothing was written.", err=True)
        return BLOCKED
    recovery.close_ended(journal, run, ended, who=getpass.getuser())
    if wish.as_json:
        told = {"run": run.id, "cluster": run.cluster, "closed": run.id, "why": str(ended)}
        print_json({**told, "rebased": True, "holder": _holder(ended.mark)})
    else:
        click.echo(f"Run {run.id} is closed. What this journal knew stays in its history.")
    return DONE


def _plan_of(journal: Journal, run: str) -> Plan | None:
    here = recovery.known(journal, run)
    return None if here is None else plans.of_run(journal, here)


def _say(wish: Wish, text: str) -> None:
    if not wish.as_json:
        click.echo(f"… {text}")


def _decide(wish: Wish, found: Adoption, standing: Standing) -> Locked | None:
    """Return the roles that are to get LOGIN back, or None where the person declines."""
    if wish.yes:
        return tuple(sorted({*found.surely_locked, *found.maybe_locked}))
    locked = list(found.surely_locked)
    for role in found.maybe_locked:
        if click.confirm(
            f"The role {clean(role)} may log in nowhere. Did this run lock it? If not, it stays "
            "locked when the applications are let in",
            err=wish.as_json,
        ):
            locked.append(role)
    verb, into = ("Write", "into") if standing.run is None else ("Read", "anew into")
    question = f"{verb} run {found.run} {into} the journal of this machine"
    return tuple(sorted(locked)) if click.confirm(question, err=wish.as_json) else None


def _write(
    journal: Journal, wish: Wish, found: Adoption, standing: Standing, locked: Locked
) -> Path:
    path = _plan_path(wish, found, standing)
    try:
        recovery.write(journal, found, path, standing, locked=locked, who=getpass.getuser())
    except BaseException:
        if found.plan_text:
            path.unlink()
        raise
    return path


def _plan_path(wish: Wish, found: Adoption, standing: Standing) -> Path:
    """Return where the plan lies: as discovered now, as given, or as this journal has it."""
    if found.plan_text:
        return _new_plan_file(found)
    if wish.plan_file is not None:
        return wish.plan_file.absolute()
    return Path(standing.run.plan_path if standing.run else "")


def _new_plan_file(found: Adoption) -> Path:
    """Write the discovered plan beside the journal; never over a file that exists."""
    number = 1
    while True:
        ending = "" if number == 1 else f"-{number}"
        path = home() / f"adopted-{found.evidence.roles.production}-{found.run}{ending}.toml"
        try:
            with open_private(path, "x") as file:
                file.write(found.plan_text)
        except FileExistsError:
            number += 1
            continue
        return path


def _case(found: Adoption, standing: Standing) -> list[str]:
    """Say how the journal of this machine stands to the run, and what becomes of it."""
    lines = [
        f"Run {found.run} is not in this journal: it is rebuilt from the clusters."
        if standing.run is None
        else f"Run {found.run} is in this journal and {standing.why}. It is read anew from the "
        "clusters; what this journal knew stays in its history."
    ]
    if standing.idle is not None:
        lines.append(
            f"Run {standing.idle.id} of the same cluster is open in this journal and has changed "
            "nothing: it is closed."
        )
    return lines


def as_text(found: Adoption, standing: Standing) -> str:
    """Return what was inferred, and from what, for a person."""
    evidence, stay = found.evidence, found.stays[-1]
    lines = [f"Run {found.run} on {evidence.roles.production}", *_case(found, standing)]
    lines += ["", "Inferred, and from what"]
    lines += [f"  {item.what}: {item.value}\n      from {item.source}" for item in evidence.items]
    for role in found.surely_locked:
        lines.append(
            f"  role {role}: locked by this run\n"
            "      from it may log in on one of the run's clusters, not on another"
        )
    lines += ["", "Not known, and what that means"]
    lines += [f"  {each.what}\n      {each.means}" for each in evidence.unknown]
    for role in found.maybe_locked:
        lines.append(
            f"  who locked the role {role}\n"
            "      it may log in nowhere; if this run did, it gets LOGIN back with the traffic"
        )
    lines += ["", "Steps"]
    for each in found.stays:
        lines.append(f"  {each.track.value} {each.variant}".rstrip())
        marks = {Status.SUCCEEDED: "done", Status.SKIPPED: "not needed", Status.FAILED: "again"}
        lines += [
            f"    {marks.get(past.status, past.status.value):<10} {past.step:<24} {past.why}"
            for past in each.past
        ]
    track = " ".join(filter(None, (stay.track.value, stay.variant)))
    lines.append(f"Goes on at: {found.next or 'the end'} ({track})")
    return "\n".join(clean(row) for line in lines for row in line.split("\n"))


def as_json(found: Adoption, standing: Standing, path: Path, locked: Locked) -> dict[str, Any]:
    """Return what was inferred, for scripts."""
    evidence = found.evidence
    return {
        "run": found.run,
        "rebased": standing.run is not None,
        "why": standing.why or None,
        "closed": None if standing.idle is None else standing.idle.id,
        "holder": _holder(found.mark),
        "cluster": evidence.roles.production,
        "track": found.stays[-1].track.value,
        "variant": found.stays[-1].variant,
        "next": found.next or None,
        "inferred": [
            {"what": item.what, "value": item.value, "from": item.source} for item in evidence.items
        ],
        "unknown": [{"what": each.what, "means": each.means} for each in evidence.unknown],
        "roles_locked": list(locked),
        "steps": [
            {
                "track": stay.track.value,
                "step": past.step,
                "status": past.status.value,
                "why": past.why,
                "effects": [each.key for each in past.effects],
            }
            for stay in found.stays
            for past in stay.past
        ],
        "plan": str(path),
        "plan_discovered": bool(found.plan_text),
    }


def _holder(mark: HolderTag | None) -> dict[str, Any] | None:
    """Return who acted on the run last, by its mark, or None where the clusters bear none."""
    if mark is None:
        return None
    return {
        "who": mark.who,
        "machine": mark.machine,
        "number": mark.number,
        "since": mark.at.isoformat(),
        "ended": mark.ended,
    }
