"""Where changes are made: which cluster, by its part and its name now, and in which databases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Effect
from runbook.ownership import serving


async def names(context: RunContext) -> Mapping[Role, str]:
    """Return the name that each cluster of the run has now; asks AWS once."""
    by_id = {each.resource_id: each.identifier for each in await serving.own_clusters(context)}
    bound = {role: context.bound(role) for role in serving.roles_of_now(context)}
    return {role: by_id[each] for role, each in bound.items() if each in by_id}


def places(effects: Iterable[Effect], called: Mapping[Role, str]) -> str:
    """Return where changes are made, e.g. `blue prime (orders-prime), database shop`.

    Empty where they are made on no cluster of the run.
    """
    found: dict[Role, dict[str, None]] = {}
    for effect in effects:
        if effect.on is not None:
            inside = found.setdefault(effect.on, {})
            inside.update({effect.database: None} if effect.database else {})
    return "; ".join(_place(role, list(inside), called) for role, inside in found.items())


def _place(role: Role, databases: list[str], called: Mapping[Role, str]) -> str:
    cluster = f"{role.value} ({called[role]})" if role in called else role.value
    if not databases:
        return cluster
    return f"{cluster}, database{'' if len(databases) == 1 else 's'} {', '.join(databases)}"
