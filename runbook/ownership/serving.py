"""Who serves: the clusters are asked before anything is closed, opened, changed inside or deleted.

A journal may know less than the world: an older copy of it was put back, another machine went on.
So what this run believes (`believed`) is held against what its clusters say (`look`), in this one
place, for every step and repair and whatever the endpoint method. Where the two disagree nothing is
done.

What is believed rests on the facts `traffic` (where the applications were let in) and
`serving.<cluster>` (what this run did to it last), which the runner keeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import psycopg

from runbook.amounts import counted
from runbook.aws.facts import Cluster
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import ClusterImpact, Gate, Impact
from runbook.failures import Refused
from runbook.plan.model import EndpointMethod
from runbook.postgres import admission
from runbook.postgres.admission import Admission
from runbook.postgres.connect import UNREACHABLE, CannotConnect
from runbook.postgres.fence_sql import ClientSession
from runbook.postgres.statement import quoted

ANSWERS_S = 5.0
"""How long a cluster has to answer: the applications may be down meanwhile."""

NAMED = 3
"""So many sessions and roles are named in a sentence."""


class Access(StrEnum):
    """What this run did last to a cluster's door, kept under `door_fact`."""

    CLOSING = "closing"
    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Believed:
    """What the journal says of one cluster."""

    serves: bool
    """Whether the applications were let in there and nowhere else since."""
    door: Access | None
    """None: this run has neither closed nor opened it."""

    @property
    def shut(self) -> bool:
        """Whether this run has closed it for good, so that only another hand can have opened it."""
        return self.door is Access.CLOSED and not self.serves

    @property
    def words(self) -> str:
        """Return it in words."""
        if self.serves:
            return "it serves the applications"
        return "it is closed to the applications" if self.shut else "it serves nobody"


@dataclass(frozen=True, slots=True)
class ClusterUse:
    """What a cluster of the run says now."""

    role: Role
    cluster: Cluster
    admission: Admission | None
    """None: it has no instance to ask, or did not answer."""
    unknown: str = ""
    """Why it could not be asked though an instance of it is up; else empty."""
    refuses: bool = False
    """Whether it answered, and refused this one connection or question: it runs."""

    @property
    def answers(self) -> bool:
        """Whether it was heard to answer."""
        return self.admission is not None or self.refuses


_NONE: Mapping[Role, ClusterUse] = {}


def door_fact(role: Role) -> str:
    """Return the key under which the last closing or opening of a cluster is kept."""
    return f"serving.{role.identity.slug}"


def roles_of_now(context: RunContext) -> tuple[Role, ...]:
    """Return the parts that clusters play now, bound or not."""
    if context.fact("switchover") is None:
        return (Role.BLUE, Role.GREEN)
    return (Role.NEW_BLUE, Role.OLD_BLUE, Role.BLUE_PRIME)


def believed(context: RunContext, role: Role) -> Believed:
    """Return what the journal says of a cluster."""
    traffic = context.fact("traffic")
    if traffic is None:
        serves = role is Role.BLUE
    else:
        on = traffic.get("on")
        serves = bool(traffic.get("open") and on and Role(on).identity is role.identity)
    kept = context.fact(door_fact(role))
    if kept is None and role is Role.BLUE_PRIME:
        # A clone has the settings and roles of what it was made from.
        kept = context.fact(door_fact(Role.OLD_BLUE))
    door = None if kept is None else Access(kept)
    # While it is being closed, applications may be in or out.
    return Believed(serves and door not in (Access.CLOSING, Access.CLOSED), door)


async def look(
    context: RunContext,
    clusters: Iterable[Cluster] | None = None,
    silent: Mapping[Role, ClusterUse] = _NONE,
) -> dict[Role, ClusterUse]:
    """Ask each cluster of the run that exists; only looks.

    `clusters`: the run's own, where AWS was asked for them just now. `silent`: those that did not
    answer a moment ago, and are not waited for again.
    """
    listed = await own_clusters(context) if clusters is None else clusters
    by_id = {cluster.resource_id: cluster for cluster in listed}
    there = [
        (role, by_id[bound])
        for role in roles_of_now(context)
        if (bound := context.bound(role)) is not None and bound in by_id
    ]
    asked = (_ask(context, role, cluster) for role, cluster in there if role not in silent)
    found = await asyncio.gather(*asked)
    return {**silent, **{seen.role: seen for seen in found}}


def bound_clusters(context: RunContext) -> list[str]:
    """Return the resource ids of the clusters that play a part in the run."""
    parts = (Role.BLUE, Role.GREEN, Role.BLUE_PRIME)
    return [resource_id for role in parts if (resource_id := context.bound(role)) is not None]


async def own_clusters(context: RunContext) -> list[Cluster]:
    """Return the clusters that play a part in the run and exist, as AWS describes them now."""
    return await context.rds.clusters_of(bound_clusters(context))


def _refuses(error: Exception) -> bool:
    """Return whether only a server that runs can have answered so."""
    if isinstance(error, CannotConnect):
        return error.server_runs
    return isinstance(error, psycopg.Error) and not isinstance(error, psycopg.OperationalError)


async def _ask(context: RunContext, role: Role, cluster: Cluster) -> ClusterUse:
    if not cluster.members or cluster.status in ("creating", "deleting") or cluster.failed:
        return ClusterUse(role, cluster, None)
    try:
        async with asyncio.timeout(ANSWERS_S), context.connect(role) as connection:
            found = await admission.look(connection, context.plan.traffic.application_roles)
    except (TimeoutError, *UNREACHABLE) as error:
        instances = await context.instances_of(cluster)
        if not any(instance.available for instance in instances):
            return ClusterUse(role, cluster, None)
        words = str(error).strip().partition("\n")[0] or f"no answer in {ANSWERS_S:.0f} s"
        return ClusterUse(role, cluster, None, words, refuses=_refuses(error))
    return ClusterUse(role, cluster, found)


def differences(context: RunContext, seen: Mapping[Role, ClusterUse]) -> list[str]:
    """Return where a cluster is not as the journal says: what serves, and what this run closed."""
    found = []
    for each in seen.values():
        what = believed(context, each.role)
        words = _does_not_serve(context, each) if what.serves else _opened(each, what)
        if words:
            found.append(_both(each, what, words))
    return found


def disagreements(
    context: RunContext, seen: Mapping[Role, ClusterUse], stakes: Iterable[ClusterImpact]
) -> list[str]:
    """Return why changes must not be made, each with what the journal says and what was seen.

    What does not serve any more speaks against any change; what was opened by another hand, only
    against those that touch it.
    """
    wrong = any(
        believed(context, each.role).serves and _does_not_serve(context, each)
        for each in seen.values()
    )
    found = differences(context, seen) if wrong else []
    for stake in sorted(set(stakes), key=lambda stake: (stake.kind, stake.role)):
        found += _against(context, seen, stake)
    return list(dict.fromkeys(found))


def _against(
    context: RunContext, seen: Mapping[Role, ClusterUse], stake: ClusterImpact
) -> list[str]:
    """Return what speaks against one kind of change to one cluster."""
    if stake.kind is Impact.OPEN:
        others = [each for each in seen.values() if each.role.identity is not stake.role.identity]
        return [words for each in others if (words := _would_be_second(context, each))]
    target = next((s for s in seen.values() if s.role.identity is stake.role.identity), None)
    if target is None:
        return []
    what = believed(context, target.role)
    serving = next((each for each in seen.values() if believed(context, each.role).serves), None)
    found = []
    if stake.kind is not Impact.STOP and serving is not None and serving.unknown:
        found.append(
            f"{_name(serving)} serves the applications by the journal, and cannot be asked: "
            f"{serving.unknown}"
        )
    match stake.kind:
        case Impact.DELETE:
            found += _in_use(context, target, what)
        case Impact.CLOSE if what.serves:
            found.append(_both(target, what, "it is to be closed"))
        case Impact.CLOSE | Impact.CHANGE if not what.serves:
            # Whoever is inside while another cluster surely serves has come by a stale name.
            strict = serving is None
            if words := _opened(target, what) or (_inside(context, target) if strict else ""):
                found.append(_both(target, what, words))
    return found


def _does_not_serve(context: RunContext, seen: ClusterUse) -> str:
    """Return what says that a cluster that should serve does not; empty where nothing does."""
    name = context.plan.cluster.identifier
    if seen.cluster.identifier != name and _bears_the_name(context, seen.role):
        return f"it is named {seen.cluster.identifier}, not {name}"
    found = seen.admission
    if found is None:
        return ""
    if found.in_recovery:
        return "it is in recovery, and takes no writes"
    if not found.writable:
        return "every database is read-only to clients"
    if context.plan.traffic.application_roles and not found.able and not found.sessions:
        return "none of the applications' roles may log in"
    return ""


def _bears_the_name(context: RunContext, role: Role) -> bool:
    """Return whether a cluster has the production name while it serves, whatever the method.

    AWS's own switchover renames; blueprime renames old blue and blue prime by that method alone.
    """
    if role in (Role.BLUE, Role.NEW_BLUE):
        return True
    return context.plan.endpoint.method is EndpointMethod.RENAME


def _would_be_second(context: RunContext, seen: ClusterUse) -> str:
    """Return why another cluster may not be opened beside this one."""
    what = believed(context, seen.role)
    if what.serves:
        return _both(seen, what, "another cluster is to be opened")
    if inside := _inside(context, seen):
        return _both(seen, what, inside)
    found = seen.admission
    if found is not None and found.open and what.door is not None:
        return _both(seen, what, open_words(found))
    return ""


def _in_use(context: RunContext, seen: ClusterUse, what: Believed) -> list[str]:
    """Return why a cluster may not be deleted."""
    found = []
    if what.serves:
        found.append(_both(seen, what, "it is to be deleted"))
    if seen.cluster.identifier == context.plan.cluster.identifier:
        found.append(_both(seen, what, "it bears the production name"))
    if words := _opened(seen, what) or _visited(context, seen):
        found.append(_both(seen, what, words))
    # Before the switchover AWS itself deletes no green that has come to serve.
    doubted = seen.unknown and seen.role is not Role.GREEN
    if doubted and not context.accepted(unasked_key(seen)):
        found.append(f"{_name(seen)} cannot be asked whether it serves: {seen.unknown}")
    return found


def _opened(seen: ClusterUse, what: Believed) -> str:
    """Return what says that another hand has opened a cluster that this run closed."""
    found = seen.admission
    return open_words(found) if found is not None and found.open and what.shut else ""


def _inside(context: RunContext, seen: ClusterUse) -> str:
    """Return which of the applications' sessions could write there; empty where none is known.

    Without a list of their roles nothing tells them from those of monitoring.
    """
    if seen.admission is None or not context.plan.traffic.application_roles:
        return ""
    return sessions_words(seen.admission.inside)


def _visited(context: RunContext, seen: ClusterUse) -> str:
    """Return who is inside a cluster that is to go: readers of the applications count as well."""
    if seen.admission is None:
        return ""
    listed = bool(context.plan.traffic.application_roles)
    return sessions_words(seen.admission.sessions if listed else seen.admission.inside)


def sessions_words(sessions: Sequence[ClientSession]) -> str:
    """Return how many sessions there are, and some of them; empty for none."""
    return f"{counted(len(sessions), 'session')}: {_some(map(str, sessions))}" if sessions else ""


def open_words(found: Admission) -> str:
    """Return who may log in and write, and where."""
    return (
        f"{_some(map(quoted, found.able))} may log in and write in "
        f"{_some(map(quoted, found.writable))}"
    )


def _some(names: Iterable[str]) -> str:
    each = list(names)
    return ", ".join(each[:NAMED]) + (f" and {len(each) - NAMED} more" if each[NAMED:] else "")


def _name(seen: ClusterUse) -> str:
    return f"{seen.cluster.identifier} ({seen.role.value})"


def _both(seen: ClusterUse, what: Believed, words: str) -> str:
    """Return both sides of a disagreement."""
    return f"{_name(seen)}: by the journal {what.words}; {words}"


def unasked_key(seen: ClusterUse) -> str:
    """Return the key of the gate at which a person lets a cluster go that cannot be asked."""
    return f"delete-unasked-{seen.role.slug}"


async def unasked_gates(context: RunContext, *roles: Role) -> list[Gate]:
    """Return the decisions to delete clusters that cannot be asked whether they serve."""
    seen = await look(context)
    return [
        Gate(
            key=unasked_key(each),
            question=f"{_name(each)} cannot be asked whether it serves the applications: "
            f"{each.unknown} Delete it all the same?",
            reversible="It cannot be undone. Make sure that no application uses it.",
            must_type=each.cluster.identifier,
            valid_s=600,
            by_person=True,
        )
        for each in seen.values()
        if each.unknown and any(each.role.identity is role.identity for role in roles)
    ]


def refuse_unless_agreed(
    context: RunContext, seen: Mapping[Role, ClusterUse], stakes: Iterable[ClusterImpact]
) -> None:
    """Raise `Refused` where journal and world disagree: none of the changes is made then."""
    found = disagreements(context, seen, stakes)
    if found:
        name = context.plan.cluster.identifier
        raise Refused(
            f"The clusters and this journal disagree: {'; '.join(found)}.",
            now="The change was not made.",
            todo="Find out who has changed it, or who is inside. End sessions that have no "
            "business there, then run the step again. If another machine holds this run, "
            f"go on there. To go on here instead: blueprime adopt {name}.",
        )
