"""Other runs of blueprime on the cluster, told by what they have left and by the holder's mark."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from runbook.aws import Call
from runbook.aws.facts import Cluster
from runbook.ownership import holder
from runbook.ownership import tags as traces
from runbook.ownership.holder import HOLDER_TAG, HolderTag
from runbook.ownership.tags import Region, Traces
from runbook.preflight.check import check
from runbook.preflight.result import Result, block, passed
from runbook.preflight.survey import Survey


@dataclass(frozen=True, slots=True)
class Other:
    """A run that is not the one that looks."""

    traces: Traces
    mark: HolderTag | None
    marked: tuple[Cluster, ...]
    """The clusters that bear its mark."""

    @property
    def run(self) -> str:
        """Return its id."""
        return self.traces.run

    def lives(self, production: Cluster) -> bool:
        """Return whether it may still act on the cluster: where that cannot be told, it may."""
        left = self.traces
        if left.deployment is not None:
            return True
        if self.mark is not None:
            return not self.mark.ended
        if HOLDER_TAG in production.tags:
            # Whoever has marked it since could begin only when this one had ended.
            return False
        aside = any(traces.made_by(c, production.identifier, self.run) for c in left.tagged)
        return aside or (bool(left.group) and left.group != production.parameter_group)


def others(region: Region, production: Cluster, run: str) -> list[Other]:
    """Return the runs, but `run`, that are or were on the cluster of a production name, by id."""
    name = production.identifier
    found = {each.run: each for each in traces.find(region, name)}
    marked: dict[str, list[Cluster]] = {}
    for cluster in region.clusters:
        mark = HolderTag.parse(cluster.tags.get(HOLDER_TAG, ""))
        if mark is not None and traces.bears_name(cluster, name, mark.run):
            marked.setdefault(mark.run, []).append(cluster)
    return [
        Other(
            found.get(each, Traces(each)),
            holder.latest(marked.get(each, ()), each),
            tuple(marked.get(each, ())),
        )
        for each in sorted({*found, *marked} - {run})
    ]


@check(
    "cluster.another-run",
    why="Two runs on one cluster undo each other's work: what one takes for a leftover is the "
    "other's way back.",
)
async def another_run(look: Survey) -> AsyncIterator[Result]:
    """Another run of blueprime is on the cluster, here or on another machine."""
    cluster = await look.cluster()
    region = await traces.look(look.context.aws)
    found = others(region, cluster, look.context.run)
    living = [each for each in found if each.lives(cluster)]
    for each in living:
        yield block(f"run {each.run}", _whose(cluster, each), _ways(look, cluster, each))
    text = cluster.tags.get(HOLDER_TAG, "")
    unread = bool(text) and HolderTag.parse(text) is None
    if unread:
        yield block(
            cluster.identifier,
            f"Its tag {HOLDER_TAG} says who holds it in words that are not known here: {text}.",
            "Use the blueprime that has set it. If no run has the cluster any more: "
            f"{_remove(look, [cluster])}",
        )
    if not living and not unread:
        left = "; ".join(
            f"left by run {each.run}, which has ended: {', '.join(words)}"
            for each in found
            if (words := each.traces.words())
        )
        yield passed(
            cluster.identifier, f"no other run of blueprime{f' goes on; {left}' if left else ''}"
        )


def _whose(cluster: Cluster, other: Other) -> str:
    """Return whose a run is, from where, since when, and what it has there."""
    if other.mark is not None:
        held = f"held by {other.mark.words}"
    else:
        made = [other.traces.deployment, *other.traces.tagged]
        moments = [each.created_at for each in made if each is not None and each.created_at]
        since = f" It is there since {min(moments):%Y-%m-%d %H:%M:%S} UTC." if moments else ""
        held = f"and nothing says who holds it, or whether it has ended.{since}"
    has = ", ".join(other.traces.words()) or "nothing but this mark"
    return (
        f"Run {other.run} of blueprime is on {cluster.identifier}, {held.rstrip('.')}. "
        f"It has there: {has}."
    )


def _ways(look: Survey, cluster: Cluster, other: Other) -> str:
    """Return what may be done about a run: join it, adopt it, or leave it."""
    there = other.mark.machine if other.mark else "the machine that has its journal"
    join = (
        f"Join it: on {there}, blueprime watch {other.run}; or have it handed over from there: "
        f"blueprime handover {other.run}."
    )
    leave = "Or leave it, and begin once it has ended."
    if other.traces.words():
        take = (
            "Or adopt it, if its journal is lost or nobody acts there any more: blueprime adopt "
            f"{cluster.identifier} --run {other.run}."
        )
    else:
        take = (
            "Only its mark is there, so it cannot be adopted. If nobody has that run any more: "
            f"{_remove(look, other.marked)}"
        )
        return f"{join} {leave} {take}"
    return f"{join} {take} {leave}"


def _remove(look: Survey, clusters: Sequence[Cluster]) -> str:
    """Return the commands that take the holder's mark from clusters."""
    calls = (
        Call(
            "rds",
            "RemoveTagsFromResource",
            {"ResourceName": cluster.arn, "TagKeys": [HOLDER_TAG]},
        )
        for cluster in clusters
    )
    return "; ".join(call.cli(look.plan.cluster.region) for call in calls)
