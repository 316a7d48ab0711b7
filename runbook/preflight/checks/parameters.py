"""Parameter groups and the server's settings that logical replication lives on."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runbook.amounts import counted
from runbook.aws.parameters import LOGICAL_REPLICATION, carry
from runbook.postgres.catalog import Setting, connectable_databases
from runbook.postgres.preflight_queries import plain_sessions
from runbook.preflight.check import check
from runbook.preflight.result import Level, Result, block, passed, warn
from runbook.preflight.survey import Survey, settings

_ON = ("1", "on", "true")

_SPARE_SLOTS = 5
_SPARE_PROCESSES = 4


@check(
    "parameters.group",
    why="Logical replication is switched on in the cluster parameter group, and AWS's default "
    "groups cannot be modified.",
)
async def group(look: Survey) -> AsyncIterator[Result]:
    """Blue uses a default group."""
    name = (await look.cluster()).parameter_group
    if name.startswith("default."):
        yield block(
            name,
            "The cluster uses AWS's default parameter group.",
            "Make a custom group of the same family with rds.logical_replication = 1, give it to "
            "the cluster, and reboot the writer.",
        )
    else:
        yield passed(name, "a custom group")


@check(
    "parameters.in-sync",
    why="AWS refuses a deployment unless the writer runs with its cluster's parameter group.",
)
async def in_sync(look: Survey) -> AsyncIterator[Result]:
    """A static parameter was changed, and nobody rebooted since."""
    cluster = await look.cluster()
    late = [m for m in cluster.members if m.parameter_group_status != "in-sync"]
    for member in late:
        level = block if member.writer else warn
        yield level(
            member.identifier,
            f"Its cluster parameter group is {member.parameter_group_status or 'in no known state'}"
            f" ({'writer' if member.writer else 'reader'}).",
            f"aws rds reboot-db-instance --db-instance-identifier {member.identifier}",
        )
    if not late:
        yield passed(cluster.parameter_group, "in-sync on every instance")


@check(
    "parameters.logical-replication",
    why="Both the deployment and the way back run on logical replication.",
)
async def logical_replication(look: Survey) -> AsyncIterator[Result]:
    """Logical replication is off in the group, or not in force in the server."""
    name = (await look.cluster()).parameter_group
    found = (await look.parameters(name)).get(LOGICAL_REPLICATION)
    value = None if found is None else found.value
    if value not in _ON:
        yield block(
            name,
            f"rds.logical_replication is {value or 'not set'}.",
            _modify(name, LOGICAL_REPLICATION, "1") + ", then reboot the writer.",
        )
        return
    running = (await look.server(settings)).get("wal_level")
    if running is None or running.value != "logical":
        yield block(
            name,
            "rds.logical_replication is 1 in the group, but the server runs with wal_level "
            f"{running.value if running else 'unknown'}.",
            "Reboot the writer.",
        )
    else:
        yield passed(name, "rds.logical_replication is 1, wal_level is logical")


@check(
    "parameters.pending-restart",
    why="The server still runs with older values than its parameter group says.",
)
async def pending_restart(look: Survey) -> AsyncIterator[Result]:
    """A changed value waits for a reboot."""
    found = await look.server(settings)
    waiting = [s.name for s in found.values() if s.pending_restart]
    subject = (await look.cluster()).identifier
    if waiting:
        yield block(
            subject, f"These wait for a reboot: {', '.join(waiting)}.", "Reboot the writer."
        )
    else:
        yield passed(subject, "no setting of replication waits for a reboot")


@check("parameters.synchronous-commit", why="AWS asks for it before it makes a deployment.")
async def synchronous_commit(look: Survey) -> AsyncIterator[Result]:
    """Commits are acknowledged before they are durable."""
    found = (await look.server(settings)).get("synchronous_commit")
    group_name = (await look.cluster()).parameter_group
    # This session's own value is set by blueprime; what counts is what the group says.
    value = (await look.parameters(group_name)).get("synchronous_commit")
    word = value.value if value and value.value else (found.boot_value if found else None)
    if word not in (None, *_ON):
        yield block(
            group_name,
            f"synchronous_commit is {word}.",
            _modify(group_name, "synchronous_commit", "on", method="immediate"),
        )
    else:
        yield passed(group_name, f"synchronous_commit is {word or 'left at its default, on'}")


@check(
    "parameters.sizing",
    why="Each database takes a slot, a sender and a worker for AWS, and the same again for the "
    "way back; too few, and the deployment fails after half an hour.",
)
async def sizing(look: Survey) -> AsyncIterator[Result]:
    """Too few slots, senders or workers for the number of databases.

    AWS's exact formula is not public. That each of the three must exceed the number of databases,
    Aurora's own `rdsadmin` among them, is; the larger numbers leave room for the way back.
    """
    found = await look.server(settings)
    databases = len(await look.server(connectable_databases)) + 1
    group_name = (await look.cluster()).parameter_group
    workers = _number(found, "max_logical_replication_workers")
    advised = {
        "max_replication_slots": 2 * databases + _SPARE_SLOTS,
        "max_wal_senders": 2 * databases + _SPARE_SLOTS,
        "max_logical_replication_workers": 2 * databases,
        "max_worker_processes": max(workers, 2 * databases)
        + _number(found, "autovacuum_max_workers")
        + _number(found, "max_parallel_workers")
        + _SPARE_PROCESSES,
    }
    small = [_sized(group_name, found, name, databases, want) for name, want in advised.items()]
    results = [result for result in small if result is not None]
    for result in results:
        yield result
    if not results:
        yield passed(group_name, f"room for {counted(databases, 'database')} and the way back")


def _number(found: dict[str, Setting], name: str) -> int:
    return int(found[name].value) if name in found else 0


def _sized(
    group_name: str, found: dict[str, Setting], name: str, databases: int, advised: int
) -> Result | None:
    if name not in found:
        return Result("", "", Level.UNKNOWN, group_name, f"The server does not say its {name}.")
    value = _number(found, name)
    remedy = _modify(group_name, name, str(advised)) + ", then reboot the writer."
    if value <= databases:
        return block(
            group_name, f"{name} is {value}, for {counted(databases, 'database')}: too few.", remedy
        )
    if value < advised:
        return warn(
            group_name,
            f"{name} is {value}; {advised} leave room for {counted(databases, 'database')} both "
            "ways.",
            remedy,
        )
    return None


@check(
    "parameters.target-group",
    why="Green must start with a group of its own family, with logical replication on, or it "
    "cannot be the publisher of the way back.",
)
async def target_group(look: Survey) -> AsyncIterator[Result]:
    """Green's group is of the wrong family, lacks logical replication, or drops values."""
    version = await look.target_version()
    if version is None:
        return
    named = look.plan.upgrade.cluster_parameter_group
    if not named:
        yield await _made(look, version.family)
        return
    found = await look.context.rds.cluster_parameter_group(named)
    if found is None or found.family != version.family:
        yield block(
            named,
            "There is no such cluster parameter group."
            if found is None
            else f"It is of family {found.family}, green needs {version.family}.",
            "Name another group in upgrade.cluster_parameter_group, or leave that empty and "
            "blueprime makes one.",
        )
        return
    value = (await look.parameters(named)).get(LOGICAL_REPLICATION)
    if value is None or value.value not in _ON:
        yield block(
            named,
            "rds.logical_replication is not 1 in it.",
            _modify(named, LOGICAL_REPLICATION, "1"),
        )
    else:
        yield passed(named, f"{found.family}, with logical replication")


async def _made(look: Survey, family: str) -> Result:
    name = (await look.cluster()).parameter_group
    carried = carry(await look.parameters(name, "user"), await look.family(family))
    if carried.dropped:
        return warn(
            name,
            f"Green's group is made from it, without what {family} does not know: "
            f"{', '.join(carried.dropped)}.",
            "Check that green does well without them, or name a group in the plan.",
        )
    return passed(
        name,
        f"{counted(len(carried.values), 'value of its carries', 'values of its carry')} over to "
        f"{family}",
    )


@check(
    "parameters.instance-group",
    why="An instance group fits one family only; green's instances cannot keep blue's.",
)
async def instance_group(look: Survey) -> AsyncIterator[Result]:
    """Blue's custom instance group has no counterpart in the new family."""
    version = await look.target_version()
    if version is None:
        return
    named = look.plan.upgrade.instance_parameter_group
    if named:
        found = await look.context.rds.instance_parameter_group(named)
        if found is None or found.family != version.family:
            yield block(
                named,
                "There is no such instance parameter group."
                if found is None
                else f"It is of family {found.family}, green needs {version.family}.",
                "Name another group in upgrade.instance_parameter_group.",
            )
        else:
            yield passed(named, found.family)
        return
    custom = {i.parameter_group for i in await look.instances()} - {""}
    custom = {name for name in custom if not name.startswith("default.")}
    for name in sorted(custom):
        yield warn(
            name,
            "Blue's instances use this custom group; green's will use the new family's default.",
            "Name a group of the new family in upgrade.instance_parameter_group to keep its "
            "values.",
        )
    if not custom:
        yield passed((await look.cluster()).identifier, "instances use a default group")


@check(
    "parameters.force-ssl",
    why="Aurora refuses connections without TLS from 17 on, unless its group says otherwise: they "
    "work on blue, and fail on new blue.",
)
async def force_ssl(look: Survey) -> AsyncIterator[Result]:
    """Green will ask for TLS, and the plan or an application does without."""
    version = await look.target_version()
    if version is None:
        return
    name, value = await _forced(look, version.family)
    if value not in _ON:
        yield passed(name, f"rds.force_ssl is {value or 'unknown to it'}")
        return
    clear = True
    if look.plan.credentials.sslmode == "disable":
        clear = False
        yield block(
            name,
            "rds.force_ssl is 1 on green, and the plan connects with sslmode = disable.",
            'Set credentials.sslmode = "require" or stricter.',
        )
    for each in await look.server(plain_sessions):
        clear = False
        yield warn(
            each.role,
            f"{counted(each.sessions, 'session of it is', 'sessions of it are')} without TLS; "
            "green refuses such.",
            "Let its clients use sslmode=require, or set rds.force_ssl = 0 in green's group.",
        )
    if clear:
        yield passed(name, "rds.force_ssl is 1, and everybody connected uses TLS")


async def _forced(look: Survey, family: str) -> tuple[str, str | None]:
    """Return green's group and its rds.force_ssl: the plan's, blue's own carried over, or AWS's."""
    key = "rds.force_ssl"
    named = look.plan.upgrade.cluster_parameter_group
    if named:
        found = (await look.parameters(named)).get(key)
        return named, None if found is None else found.value
    name = (await look.cluster()).parameter_group
    own = (await look.parameters(name, "user")).get(key)
    default = (await look.family(family)).get(key)
    chosen = own or default
    return name, None if chosen is None else chosen.value


def _modify(group_name: str, name: str, value: str, *, method: str = "pending-reboot") -> str:
    return (
        f"aws rds modify-db-cluster-parameter-group --db-cluster-parameter-group-name {group_name}"
        f" --parameters ParameterName={name},ParameterValue={value},ApplyMethod={method}"
    )
