"""What the plan's user may do, and the roles that the applications use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

from runbook.amounts import counted, some
from runbook.postgres import catalog, membership, preflight_queries
from runbook.postgres.apply_rights import ApplyRights, Mode, apply_rights, mode
from runbook.postgres.fix import Fix, FixKind
from runbook.postgres.statement import quoted
from runbook.preflight.check import check
from runbook.preflight.result import Result, block, passed, warn
from runbook.preflight.rows import in_databases
from runbook.preflight.survey import Survey

_READ = {
    "signal_backends": "pg_signal_backend",
    "monitor": "pg_monitor",
}
"""Permission that is read from the catalogs -> the role whose members have it."""

_PROVED = {
    "replication": "GRANT rds_replication TO {user};",
    "create_in_database": "GRANT CREATE ON DATABASE {database} TO {user};",
    "own_database": "ALTER DATABASE {database} OWNER TO {user}; or GRANT its owner TO {user};",
    "publish_all_tables": "GRANT rds_superuser TO {user};",
    "create_subscription": "GRANT rds_superuser TO {user};",
    "createrole": "ALTER ROLE {user} CREATEROLE;",
    "emit_message": "GRANT EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text) "
    "TO {user};",
}
"""Permission that `roles.proved` proves -> what grants it. Beside a deployment, where that is not
tried, the catalogs are asked.
"""


@check(
    "roles.master",
    why="A permission that is missing shows otherwise inside the fence, where it costs downtime.",
)
async def master(look: Survey) -> AsyncIterator[Result]:
    """The plan's user lacks a permission that a later step needs."""
    clear = True
    joinable = await look.server(membership.joinable)
    proved = not await look.deployments()

    def say(database: str, found: catalog.MasterPermissions) -> list[Result]:
        lacking = [] if proved else _unproved(database, found)
        return [*lacking, *_lacking(database, found, joinable)]

    async for result in in_databases(look, catalog.master_permissions, say):
        clear = False
        yield result
    if clear:
        yield passed(
            look.plan.credentials.user,
            "ends sessions, sees what they do, reads every table and sets every sequence",
        )


def _unproved(database: str, found: catalog.MasterPermissions) -> list[Result]:
    user, base = quoted(found.user), quoted(database)
    return [
        block(
            f"{database}/{found.user}",
            f"The plan's user lacks the permission: {name.replace('_', ' ')}.",
            grant.format(user=user, database=base),
        )
        for name, grant in _PROVED.items()
        if not getattr(found, name)
    ]


def _lacking(
    database: str, found: catalog.MasterPermissions, joinable: Collection[str]
) -> list[Result]:
    def needs(role: str, text: str, subject: str = found.user, remedy: str = "") -> Result:
        fix = Fix(FixKind.JOIN_ROLE, "", (role, found.user)) if role in joinable else None
        grant = membership.joining(role, found.user, found.major)
        return block(f"{database}/{subject}", text, grant if fix else remedy or grant, fix=fix)

    results = [
        needs(role, f"The plan's user lacks the permission: {name.replace('_', ' ')}.")
        for name, role in _READ.items()
        if not getattr(found, name)
    ]
    if found.unreadable_tables:
        results.append(
            needs(
                "pg_read_all_data",
                f"{counted(found.unreadable_tables, 'table')} cannot be read by the plan's user, "
                "so they could not be compared before a rollback: "
                f"{', '.join(found.unreadable_names)}"
                f"{', …' if found.unreadable_tables > len(found.unreadable_names) else ''}.",
            )
        )
    for owner, number in zip(found.unsettable_owners, found.unsettable_sequences, strict=True):
        results.append(
            needs(
                owner,
                f"{counted(number, 'sequence')} of {quoted(owner)} cannot be set by the plan's "
                "user, so a rollback could not carry them over.",
                subject=f"sequences of {owner}",
                remedy=f"In database {database}: GRANT SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA "
                f"{', '.join(map(quoted, found.unsettable_schemas))} TO {quoted(found.user)};",
            )
        )
    return results


@check(
    "roles.connect",
    why="A database that cannot be entered gets no publication, no slot and no way back.",
)
async def connect(look: Survey) -> AsyncIterator[Result]:
    """The plan's user may not connect to a database, or not let the replication's role in."""
    user = look.plan.credentials.user
    there = [
        each
        for each in await look.server(preflight_queries.databases)
        if each.accepts and not each.invalid and each.name != "template1"
    ]
    closed = [each for each in there if not each.may_connect]
    for each in closed:
        yield block(
            each.name,
            f"{user} may not connect to it.",
            f"GRANT CONNECT ON DATABASE {quoted(each.name)} TO {quoted(user)};",
        )
    shut = [each for each in there if each.may_connect and not each.may_let_in]
    for each in shut:
        yield block(
            each.name,
            f"CONNECT is not for PUBLIC there, and {user} may not grant it: the role of the "
            "replication could not enter.",
            f"GRANT CONNECT ON DATABASE {quoted(each.name)} TO {quoted(user)} WITH GRANT OPTION;",
        )
    if not closed and not shut:
        yield passed(user, "may connect to every database, and let others in")


@check(
    "roles.apply",
    none="apply may write every table, both ways",
    why="A change that PostgreSQL does not let apply write stops it, with every table of the "
    "database: it tries again for ever, and the way back ends there.",
    waivable=True,
)
async def apply(look: Survey) -> AsyncIterator[Result]:
    """A table that apply may not write: its owner's rights, forced row-level security, or no way
    to become the owner.
    """
    back, forward = await look.majors()
    joinable = await look.server(membership.joinable)

    def say(database: str, found: list[ApplyRights]) -> list[Result]:
        return _refused(database, found, back, forward, joinable)

    async for result in in_databases(look, apply_rights, say):
        yield result


def _refused(
    database: str, found: list[ApplyRights], back: int, forward: int, joinable: Collection[str]
) -> list[Result]:
    """Return what stops apply, on blue prime and on new blue after a rollback."""
    results = []
    way_back, way_forward = mode(found, back), mode(found, forward)
    for table in way_back.refused:
        results.append(
            block(
                f"{database}/{table.schema}.{table.name}",
                f"Apply on blue prime would say: {_said(table, way_back)}.",
                _granted(database, table, way_back),
                fix=_join(table, joinable),
                survives="apply stops at the first change of the table that needs the right, and "
                "with it the way back",
            )
        )
    for table in way_forward.refused:
        if table not in way_back.refused:
            results.append(
                warn(
                    f"{database}/{table.schema}.{table.name}",
                    f"After a rollback, apply on new blue would say: {_said(table, way_forward)}.",
                    _granted(database, table, way_forward),
                    fix=_join(table, joinable),
                )
            )
    for how, side in ((way_back, "blue prime"), (way_forward, "new blue")):
        if how.refused_otherwise:
            first = how.refused_otherwise[0]
            names = some(str(table) for table in how.refused_otherwise)
            results.append(
                warn(
                    f"{database}/run_as_owner",
                    f"The subscription of {side} is made with run_as_owner = true, since apply "
                    f"could not write as the owners of {names}; it would say: "
                    f"{'; '.join(first.refusals(as_owner=True))}.",
                    f"Nothing, if {first.user} may run what these tables' owners have defined on "
                    "them (triggers ENABLE ALWAYS, expressions of indexes and checks). Otherwise "
                    f"in database {database}: {' '.join(first.grants(as_owner=True))}",
                    fix=_join(first, joinable),
                )
            )
            break
    return results


def _join(table: ApplyRights, joinable: Collection[str]) -> Fix | None:
    """Return the membership that ends what is refused of a table, where the user may take it."""
    helps = table.owner_may and table.owner in joinable
    return Fix(FixKind.JOIN_ROLE, "", (table.owner, table.user)) if helps else None


def _said(table: ApplyRights, how: Mode) -> str:
    return "; ".join(table.refusals(as_owner=how.as_owner))


def _granted(database: str, table: ApplyRights, how: Mode) -> str:
    return f"In database {database}: {' '.join(table.grants(as_owner=how.as_owner))}"


@check(
    "roles.application",
    why="The fence takes LOGIN from the application roles: a wrong name would leave writers in.",
)
async def application(look: Survey) -> AsyncIterator[Result]:
    """A role in the plan does not exist, cannot log in, cannot be altered, or is the plan's own."""
    traffic, user = look.plan.traffic, look.plan.credentials.user
    known = {role.name: role for role in await look.server(catalog.login_roles)}
    if not traffic.application_roles:
        yield warn(
            look.plan.cluster.identifier,
            "The plan names no application role: the fence is proved by sessions and writes "
            "alone, and nobody is kept from logging in.",
            "Name the applications' roles in traffic.application_roles.",
        )
    for name in traffic.application_roles:
        role = known.get(name)
        if role is None:
            yield block(
                name,
                "The plan names it as an application role, but no role of that name can log in.",
                "Correct traffic.application_roles in the plan.",
            )
        elif traffic.lock_roles and name == user:
            yield block(
                name,
                "The applications log in with the user that blueprime uses: it cannot be locked "
                "out without locking out blueprime.",
                "Give blueprime a user of its own in credentials.user, or set "
                "traffic.lock_roles = false and stop the applications by your own command.",
            )
        elif traffic.lock_roles and not role.alterable:
            yield block(
                name,
                f"{user} may not take LOGIN from it.",
                f"GRANT {quoted(name)} TO {quoted(user)} WITH ADMIN OPTION; "
                "or set traffic.lock_roles = false.",
            )
        else:
            yield passed(name, f"can log in; {counted(role.sessions, 'session')} now")


@check(
    "roles.unnamed",
    none="no sessions of other roles",
    why="A session that nobody expects is a writer that nobody stops.",
)
async def unnamed(look: Survey) -> AsyncIterator[Result]:
    """Somebody is connected with a role that the plan does not name."""
    named = {*look.plan.traffic.application_roles, look.plan.credentials.user}
    strangers = [
        role
        for role in await look.server(catalog.login_roles)
        if role.sessions and role.name not in named and not (role.internal or role.own)
    ]
    for role in strangers:
        yield warn(
            role.name,
            f"{counted(role.sessions, 'session')} of a role that the plan does not name.",
            "If an application uses it, add it to traffic.application_roles.",
        )


@check(
    "roles.read-only",
    none="no role is exempt from read-only",
    why="Such a role writes through the read-only setting of the databases: on green, on old blue "
    "before it is cloned, and on blue prime while it follows.",
)
async def read_only(look: Survey) -> AsyncIterator[Result]:
    """A role has a default_transaction_read_only of its own, which beats the database's."""
    for each in await look.server(preflight_queries.read_only_overrides):
        inside = f" IN DATABASE {quoted(each.database)}" if each.database else ""
        yield warn(
            each.role,
            "It has default_transaction_read_only = off set for itself"
            + (f" in database {each.database}." if each.database else "."),
            f"ALTER ROLE {quoted(each.role)}{inside} RESET default_transaction_read_only;",
        )
