"""What must always hold, looked at from the world's side at every effect, not through blueprime."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runbook.aws.call import Call
from runbook.base.downtime import STOPPED_BY_HAND
from tests.guards import stakes
from tests.guards.changes import INTENT_OF
from tests.guards.clock import Killed
from tests.guards.control import ControlPlane
from tests.guards.ledger import Ledger
from tests.guards.things import APPLICATION, SOMEBODY, WRITTEN, Cluster, Violation

TALLY: Counter[str] = Counter()
"""How often what was done and checked, over all nights of this process."""


MARKS = "AddTagsToResource"
"""The one call that may be written down as a claim, and not as a change of a step."""


def slot_prefix(run: str) -> str:
    return f"blueprime_{run}_"


class Guard:
    """Watches what one journal makes of one run.

    `blue` is the resource id of the cluster that it is to upgrade; `known` is up to which change of
    each run the journal knows it.
    """

    def __init__(
        self, world: ControlPlane, journal: Path, run: str, blue: str, known: Counter[str]
    ) -> None:
        self._world = world
        self._run = run
        self._blue = blue
        self._known = known
        self._ledger = Ledger(journal, run)
        self._open_before: set[str] = set()
        self.violation: Violation | None = None

    def close(self) -> None:
        self._ledger.close()

    def _refuse(self, wrong: bool, words: str) -> None:
        TALLY["checks"] += 1
        if wrong:
            # Whoever performs takes any error for a lost answer: so the process ends here.
            self.violation = Violation(words)
            raise Killed

    def _refuse_words(self, words: str) -> None:
        self._refuse(bool(words), words)

    def cannot(self, words: str) -> None:
        """End the process: what it asks for is not simulated."""
        self._refuse(True, words)

    # Before something is changed.

    def before_call(self, call: Call) -> None:
        """Check that a call was written down, and that it takes away nothing that must stay."""
        shown = [preview for _, preview in self._ledger.intents()]
        claimed = call.action == MARKS and any(call.text() in t for t in self._ledger.claims())
        self._refuse(
            call.text() not in shown and not claimed, f"no intent on disk for {call.text()}"
        )
        for victim in self._victims(call):
            self._check_deletion(call, victim)
        self._refuse_words(stakes.led_away(self._world, call))
        self._check_others(call)
        self._changes(f"{call.action} of {call.parameters}")

    def before_statement(
        self, cluster: Cluster, database: str, name: str, args: Sequence[Any], text: str
    ) -> None:
        """Check that a statement was written down, and that it harms nothing that serves."""
        pattern = INTENT_OF.get(name)
        written = any(
            pattern.search(key) if pattern else text in preview
            for key, preview in self._ledger.intents()
        )
        self._refuse(not written, f"no intent on disk for {name} on {cluster.name}: {text}")
        self._refuse(
            cluster.made_by == SOMEBODY and name not in ("analyze", "refresh"),
            f"{name} on {cluster.name}, which somebody else made",
        )
        world, ledger = self._world, self._ledger
        self._refuse_words(stakes.closed(world, ledger, cluster, name, args, self._blue))
        self._refuse_words(stakes.overwritten(world, cluster, name))
        self._refuse_words(stakes.let_go(world, ledger, cluster, name, args, self._run))
        self._changes(f"{name} on {cluster.name}")

    def before_command(self, argv: tuple[str, ...]) -> None:
        """Check that a command of the plan was written down, and stops what it is to stop."""
        line = " ".join(argv)
        keys = [key for key, preview in self._ledger.intents() if line in preview]
        self._refuse(not keys, f"no intent on disk for {line}")
        if argv[-1] == "stop":
            role = keys[0].split("/")[0]
            self._refuse_words(stakes.stopped(self._world, self._ledger, role, self._blue))
        self._changes(line)
        if not self._world.application.running:
            self._open_before = set()

    def before_asked(self, gate: str) -> None:
        """Check that a person may do by hand what they are asked for."""
        if gate.startswith(STOPPED_BY_HAND):
            role = gate.removeprefix(f"{STOPPED_BY_HAND}-")
            self._refuse_words(stakes.stopped(self._world, self._ledger, role, self._blue))
        self._changes(f"the request {gate}")

    def _changes(self, what: str) -> None:
        """Check that the journal is not one that was left behind, and count the change."""
        TALLY["effects"] += 1
        world, run = self._world, self._run
        behind = world.changes[run] - self._known[run]
        self._refuse(
            behind > 0 and not world.tagless,
            f"{what}, by a journal that knows nothing of the last {behind} changes",
        )
        world.changes[run] += 1
        self._known[run] = world.changes[run]
        self._open_before = {each.resource_id for each in world.opened()}

    def _victims(self, call: Call) -> list[Cluster]:
        """Return the clusters that would go by a call, or lose an instance or their protection."""
        world, p = self._world, call.parameters
        match call.action:
            case "DeleteDBCluster":
                found = world.named(p["DBClusterIdentifier"])
            case "DeleteDBInstance":
                instance = world.instance_named(p["DBInstanceIdentifier"])
                found = world.clusters.get(instance.cluster) if instance else None
            case "DeleteBlueGreenDeployment" if p.get("DeleteTarget"):
                made = world.deployments.get(p["BlueGreenDeploymentIdentifier"])
                found = world.clusters.get(made.target) if made else None
            case "ModifyDBCluster" if p.get("DeletionProtection") is False:
                found = world.named(p["DBClusterIdentifier"])
            case _:
                found = None
        return [found] if found else []

    def _check_deletion(self, call: Call, victim: Cluster) -> None:
        TALLY["deletions"] += 1
        serves = victim.open or victim is self._world.serving()
        self._refuse(serves, f"{call.action} of {victim.name}, which serves")
        if victim.resource_id == self._blue:
            consent = (self._run, "delete-old-blue", victim.name)
            given = consent in self._world.consents and self._ledger.entry()[0] == "commit"
            self._refuse(not given, f"{call.action} of old blue {victim.name} without its gate")
            return
        self._refuse(
            victim.made_by != self._run,
            f"{call.action} of {victim.name}, made by {victim.made_by or 'nobody in this run'}",
        )

    def _check_others(self, call: Call) -> None:
        """Check deployments, groups and renames: nothing of somebody else's is touched."""
        world, p = self._world, call.parameters
        touched = None
        match call.action:
            case "DeleteBlueGreenDeployment" | "SwitchoverBlueGreenDeployment":
                touched = world.deployments.get(p["BlueGreenDeploymentIdentifier"])
            case "DeleteDBClusterParameterGroup":
                touched = world.groups.get(p["DBClusterParameterGroupName"])
            case "ModifyDBCluster" | "AddTagsToResource":
                name = p.get("DBClusterIdentifier") or p["ResourceName"].rsplit(":", 1)[-1]
                found = world.named(name)
                touched = None if found and found.resource_id == self._blue else found
        if touched is not None:
            self._refuse(
                touched.made_by != self._run,
                f"{call.action} of {touched.name}, which this run did not make",
            )

    # After something was changed.

    def after_change(self) -> None:
        """Check who is let in where, and that nothing was made twice."""
        world = self._world
        opened = world.opened()
        names = ", ".join(each.name for each in opened)
        self._refuse(len(opened) > 1, f"two clusters are open: {names}")
        for each in opened:
            if each.resource_id not in self._open_before and self._is_captured(each):
                self._check_capture(each)
        clones = [c.name for c in world.clusters.values() if self._is_clone(c)]
        self._refuse(len(clones) > 1, f"cloned twice: {', '.join(clones)}")
        made = [d.name for d in world.deployments.values() if d.made_by == self._run]
        self._refuse(len(made) > 1, f"two deployments of one run: {', '.join(made)}")
        snapshots = Counter(made for made in world.made if made[:2] == (self._run, "snapshot"))
        again = [name for (_, _, name), times in snapshots.items() if times > 1]
        self._refuse(bool(again), f"made twice: {', '.join(again)}")

    def _is_clone(self, cluster: Cluster) -> bool:
        """Return whether this run cloned it: green is of no clone group."""
        ours = cluster.made_by == self._run and cluster.status != "deleting"
        return ours and bool(cluster.clone_group)

    def _is_captured(self, opened: Cluster) -> bool:
        """Return whether a cluster must hold every write from its opening on.

        New blue always; blue prime where the plan protects a rollback, unless a person took the way
        that gives that up, or ended it.
        """
        blue = self._world.clusters.get(self._blue)
        if opened.made_by != self._run or blue is None:
            return False
        if opened.version != blue.version:
            return True
        given_up = self._ledger.entry()[1] in ("blue-prime-for-good", "finalize", "")
        return self._ledger.protects_a_rollback() and not given_up

    def _check_capture(self, opened: Cluster) -> None:
        """Check that a cluster is opened only with every database's slot in place."""
        TALLY["openings of captured clusters"] += 1
        held = {
            slot.database
            for name, slot in opened.slots.items()
            if name.startswith(slot_prefix(self._run)) and not slot.lost
        }
        missing = sorted(set(opened.databases) - held)
        self._refuse(bool(missing), f"traffic on {opened.name} before the capture of {missing}")

    # In between.

    def protected(self) -> str:
        """Return why the way that is held would lose something; an empty string if it would not."""
        world = self._world
        for new_blue in world.clusters.values():
            slots = {s.database: s for n, s in new_blue.slots.items() if self._own(n)}
            if WRITTEN not in slots:
                continue
            if set(slots) != set(new_blue.databases):
                return "a database has no slot"
            primes = [c for c in world.clusters.values() if self._follows(c)]
            if not primes:
                return "no cluster follows the slots"
            return self._complete(new_blue, slots[WRITTEN].confirmed, primes[0])
        return "there are no slots"

    def _own(self, slot: str) -> bool:
        return slot.startswith(slot_prefix(self._run))

    def _follows(self, cluster: Cluster) -> bool:
        return all(
            any(self._own(s.slot) and s.enabled for s in each.subscriptions.values())
            for each in cluster.databases.values()
        )

    def _complete(self, new_blue: Cluster, confirmed: int, prime: Cluster) -> str:
        rows, there = new_blue.databases[WRITTEN].rows, prime.databases[WRITTEN].rows
        missing = [row for row, at in rows.items() if row not in there and at <= confirmed]
        if missing:
            return f"{len(missing)} rows that the slot has passed are not on {prime.name}"
        return ""

    def nothing_lost(self) -> None:
        """Check that the cluster that serves has every write that was ever acknowledged."""
        world = self._world
        serving = world.serving()
        if serving is None or world.accepted_loss:
            return
        TALLY["settled"] += 1
        rows = serving.databases[WRITTEN].rows
        missing = sorted(set(world.application.acknowledged) - set(rows))
        self._refuse(
            bool(missing),
            f"{len(missing)} acknowledged writes are not on {serving.name}: {missing}",
        )
        given = max(world.application.acknowledged.values(), default=0)
        behind = serving.databases[WRITTEN].sequence < given
        self._refuse(behind, f"the sequence on {serving.name} is behind {given}")
        self._refuse(not serving.roles[APPLICATION].login, f"{serving.name} was left closed")
