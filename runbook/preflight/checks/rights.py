"""What the run will do on a cluster, done beforehand in transactions that are rolled back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator

from runbook.amounts import some
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.postgres import membership, preflight_queries
from runbook.postgres.apply_rights import ApplyRights, apply_rights
from runbook.postgres.fix import Fix, FixKind
from runbook.postgres.preflight_queries import Unmaintained
from runbook.postgres.right_proof import BOTH, Refusal
from runbook.postgres.rights import proofs_of
from runbook.postgres.statement import quoted
from runbook.preflight.check import check
from runbook.preflight.result import Result, block, passed, unknown, warn
from runbook.preflight.rows import each
from runbook.preflight.survey import Survey
from runbook.proofs import rights
from runbook.proofs.rights import Found

WHY = (
    "What the server refuses shows otherwise when it is needed: inside the fence, where it costs "
    "downtime, or after the switchover, where the way back depends on it."
)


@check("roles.proved", why=WHY)
async def proved(look: Survey) -> AsyncIterator[Result]:
    """The server refuses the plan's user what a later step does."""
    quiet = bool(await look.deployments())
    parts = rights.parts(look.context, Role.BLUE)
    found = await rights.prove(look.context, Role.BLUE, parts, quiet=quiet)
    results = list(results_of(Role.BLUE, found))
    for result in results:
        yield result
    if not results:
        yield all_proved(look.context, Role.BLUE, quiet=quiet)


@check(
    "roles.maintain",
    none="every table may be analyzed, and every materialized view refreshed",
    why="What is skipped is not fit for production: tables without statistics on green, and views "
    "that show what they showed before, after a rollback.",
)
async def maintain(look: Survey) -> AsyncIterator[Result]:
    """Somebody else's tables and materialized views, which only the owner keeps fit."""
    joinable = await look.server(membership.joinable)

    def say(database: str, found: Unmaintained) -> Result:
        skipped = []
        if found.unanalyzed:
            names = some(found.unanalyzed)
            skipped.append(f"ANALYZE on green would skip {len(found.unanalyzed)}: {names}")
        if found.unrefreshed:
            names = some(found.unrefreshed)
            skipped.append(f"a rollback would not refresh {len(found.unrefreshed)}: {names}")
        return warn(
            f"{database}/{found.owner}",
            f"Of what {quoted(found.owner)} owns, {'; '.join(skipped)}.",
            membership.joining(found.owner, found.user, found.major),
            fix=_join(found.owner, found.user, joinable),
        )

    async for result in each(look, preflight_queries.unmaintained, say):
        yield result


@check(
    "roles.row-security",
    none="row-level security hides no row from the plan's user",
    why="A comparison must see every row: of these tables nothing is proved before a rollback.",
)
async def row_security(look: Survey) -> AsyncIterator[Result]:
    """A table of which the plan's user does not see every row."""
    joinable = await look.server(membership.joinable)

    def say(database: str, table: ApplyRights) -> Result | None:
        if not table.user_secured:
            return None
        join, bypass = (
            membership.joining(table.owner, table.user, table.major),
            f"ALTER ROLE {quoted(table.user)} BYPASSRLS;",
        )
        return warn(
            f"{database}/{table.schema}.{table.name}",
            f"Row-level security may keep rows from {quoted(table.user)}: each comparison leaves "
            "the table out, and names it.",
            bypass if table.owner_secured else join,
            fix=None if table.owner_secured else _join(table.owner, table.user, joinable),
        )

    async for result in each(look, apply_rights, say):
        yield result


def _join(role: str, user: str, joinable: Collection[str]) -> Fix | None:
    return Fix(FixKind.JOIN_ROLE, "", (role, user)) if role in joinable else None


def all_proved(context: RunContext, role: Role, *, quiet: bool = False) -> Result:
    """Return that nothing was refused, and what was not tried."""
    done = f"may do on {role.value} what the run will do there: it was done, and rolled back"
    if quiet:
        every = proofs_of(BOTH, server=True, database=True)
        keys = [proof.key for proof in every if proof.makes]
        done += f"; not tried beside a deployment, but proved before it: {', '.join(keys)}"
    return passed(context.plan.credentials.user, done)


def results_of(role: Role, found: dict[str, Found]) -> Iterator[Result]:
    """Yield what each database of a cluster refused, the same refusal of the whole server once."""
    on = "" if role is Role.BLUE else f"{role.value}/"
    for database, said in found.items():
        if isinstance(said, Exception):
            yield unknown(f"{on}{database}", said)
            continue
        for problem in said:
            subject = f"{on}{database}/{problem.proof.key}"
            if isinstance(problem, Refusal):
                yield _refused(role, subject, problem)
            else:
                yield unknown(subject, problem.error)


def _refused(role: Role, subject: str, found: Refusal) -> Result:
    tell = block if found.proof.needed else warn
    place = found.place
    fix = None
    if found.joins:
        fix = Fix(FixKind.JOIN_ROLE, "", (found.joins, place.user), role.value)
    remedy = found.tried.grant if not fix else place.grant(found.joins)
    return tell(
        subject,
        f"On {role.value}, {quoted(place.user)} may not {found.tried.does}: {found.said}.",
        f"On {role.value}, in database {quoted(place.database)}: {remedy}",
        fix=fix,
    )
