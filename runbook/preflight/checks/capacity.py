"""Room in the account for what the run makes."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runbook.amounts import counted, sized
from runbook.postgres import catalog
from runbook.postgres.fix import Fix, FixKind
from runbook.preflight.check import check
from runbook.preflight.result import Result, block, passed, unseen, warn
from runbook.preflight.survey import Survey, settings

_QUOTAS = {
    "DBClusters": "DB clusters",
    "DBInstances": "DB instances",
    "DBClusterParameterGroups": "DB cluster parameter groups",
}
"""Quota, by the API's name -> as Service Quotas names it."""

_LAST_CHEAP_CLONE = 15
_MUCH_WAL_BYTES = 1024**3


@check(
    "capacity.quotas",
    why="Green and blue prime come on top of blue: two clusters and twice its instances.",
)
async def quotas(look: Survey) -> AsyncIterator[Result]:
    """A quota of the account is nearly used up."""
    found = await look.context.rds.account_quotas()
    instances = len(await look.instances())
    done = await look.own_deployment_stands()
    needed = {
        "DBClusters": 1 if done else 2,
        "DBInstances": instances * (1 if done else 2),
        "DBClusterParameterGroups": 0 if done or look.plan.upgrade.cluster_parameter_group else 1,
    }
    needed = {name: need for name, need in needed.items() if need}
    missing = [name for name in needed if name not in found]
    for name in missing:
        yield unseen(
            name,
            f"AWS does not say how much of the quota is used; {needed[name]} more are needed.",
            f"Look at it in Service Quotas ({_QUOTAS[name]}).",
            survives="a quota that is used up stops the run in the middle",
        )
    short = [
        (name, found[name].limit - found[name].used, need)
        for name, need in needed.items()
        if name in found and found[name].limit - found[name].used < need
    ]
    for name, free, need in short:
        yield block(
            name,
            f"{need} more are needed, {free} are free of {found[name].limit}.",
            "Raise the quota in Service Quotas, or delete what is no longer used.",
        )
    if not short and not missing:
        yield passed(look.plan.cluster.account, "room for green and blue prime")


@check(
    "capacity.clones",
    why="After 15 copy-on-write clones of one volume the next is a full copy, which takes hours.",
)
async def clones(look: Survey) -> AsyncIterator[Result]:
    """Blue's volume has so many clones that blue prime would be copied in full."""
    group = (await look.cluster()).clone_group_id
    # Blue among them; none where it shares its storage with nobody.
    shared = await look.context.rds.clone_group_size(group) if group else 0
    # Green is a clone too, and is made before blue prime.
    before = max(0, shared - 1) + (0 if await look.own_deployment_stands() else 1)
    subject = look.plan.cluster.identifier
    if before >= _LAST_CHEAP_CLONE:
        yield warn(
            subject,
            f"{shared} clusters share its volume, and green comes before blue prime, which would "
            "be a full copy.",
            "Delete clones that are no longer used.",
        )
    else:
        others = (
            f"{counted(shared - 1, 'other cluster shares', 'other clusters share')}"
            if shared > 1
            else "no other cluster shares"
        )
        yield passed(subject, f"{others} its volume; a clone is quick")


@check(
    "capacity.slot-limit",
    why="A slot that falls further behind loses its WAL, and the way back with it.",
)
async def slot_limit(look: Survey) -> AsyncIterator[Result]:
    """max_slot_wal_keep_size limits what a slot may hold back."""
    group = (await look.cluster()).parameter_group
    found = (await look.server(settings)).get("max_slot_wal_keep_size")
    if found is None:
        yield unseen(
            group,
            "The server does not say its max_slot_wal_keep_size.",
            "Look at it in the cluster parameter group.",
            survives="a slot that is too far behind loses its WAL, and the way back with it",
        )
        return
    if int(found.value) < 0:
        yield passed(group, "no limit to the WAL that a slot keeps")
        return
    yield warn(
        group,
        f"max_slot_wal_keep_size is {found.value} {found.unit}: a slot that is further behind is "
        "lost.",
        "Set it to -1, or so high that blue prime may be down for hours: aws rds "
        f"modify-db-cluster-parameter-group --db-cluster-parameter-group-name {group} "
        "--parameters ParameterName=max_slot_wal_keep_size,ParameterValue=-1,ApplyMethod=immediate",
    )


@check(
    "capacity.kept-wal",
    why="WAL that a slot keeps grows until somebody reads it, stops vacuum, and slows the "
    "switchover down.",
)
async def kept_wal(look: Survey) -> AsyncIterator[Result]:
    """A slot keeps much WAL, or has lost it already."""
    found = await look.server(catalog.replication_slots)
    heavy = [
        slot
        for slot in found
        if (slot.retained_bytes or 0) >= _MUCH_WAL_BYTES
        or slot.wal_status in ("unreserved", "lost")
    ]
    for slot in heavy:
        kept = "an unknown amount" if slot.retained_bytes is None else sized(slot.retained_bytes)
        yield warn(
            slot.name,
            f"The {slot.slot_type} slot keeps {kept} of WAL ({slot.wal_status}).",
            "Let its reader catch up, or, if nobody needs it: "
            f"SELECT pg_drop_replication_slot('{slot.name}');",
            fix=None if slot.active else Fix(FixKind.DROP_SLOT, "", (slot.name,)),
        )
    if not heavy:
        yield passed(
            look.plan.cluster.identifier, f"{counted(len(found), 'slot')}, none keeps much WAL"
        )
