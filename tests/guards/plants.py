"""Defects planted in the procedure, to see that they break the rules, and that it is noticed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from runbook.base.effect_state import Looked
from runbook.base.roles import Role
from runbook.base.step import Effect
from runbook.failures import Finding
from runbook.ownership import holder, serving
from runbook.ownership.permission import Permission
from runbook.procedure.runner import Runner
from runbook.procedure.steps import traffic
from runbook.procedure.steps.finish import cleanup, commit
from runbook.procedure.steps.protect import blue_prime, create_slots, subscribe
from runbook.procedure.steps.rollback import counters, fail_back
from runbook.procedure.steps.shared import deletion
from runbook.procedure.steps.shared.effects import yes
from runbook.proofs import late_writes, write_fence

Plant = Callable[[], list[tuple[Any, str, Any]]]
"""Tells which attributes of which objects are replaced, and by what."""


async def _nothing(*_: Any, **__: Any) -> None:
    return None


async def _no_gates(*_: Any) -> Sequence[Any]:
    return ()


def _tags_ignored() -> list[tuple[Any, str, Any]]:
    async def found(world: Any, role: Role) -> Any:
        return await world.find(role)

    async def ours(*_: Any) -> str:
        return ""

    return [(cleanup, "own", found), (commit, "own", found), (blue_prime, "_not_ours", ours)]


def _serving_ignored() -> list[tuple[Any, str, Any]]:
    def serves(world: Any, role: Role) -> bool:
        return False

    places = (cleanup, deletion)
    return [*((place, "serves", serves) for place in places), *_clusters_unasked()]


def _clusters_unasked() -> list[tuple[Any, str, Any]]:
    return [(serving, "disagreements", lambda *_: [])]


def _mark_ignored() -> list[tuple[Any, str, Any]]:
    return [(holder, "left_behind", lambda *_: None)]


def _refused_claims_counted() -> list[tuple[Any, str, Any]]:
    real = holder.next_mark

    def rises(world: Any, clusters: Any, *, who: str) -> Any:
        made = real(world, clusters, who=who)
        own = (world.fact(holder.FACT) or {}).get("number", 0)
        return dataclasses.replace(made, number=max(made.number, own + 1))

    return [(holder, "next_mark", rises)]


def _claim_unwritten() -> list[tuple[Any, str, Any]]:
    return [(Permission, "_keep", lambda *_, **__: None)]


def _commit_unasked() -> list[tuple[Any, str, Any]]:
    return [(commit.AssessCommit, "gates", _no_gates)]


def _sides_mixed_up() -> list[tuple[Any, str, Any]]:
    real = subscribe.SubscriptionEffect.__init__

    def mixes(
        self: Any, world: Any, publisher: Role, subscriber: Role, *args: Any, **more: Any
    ) -> None:
        real(self, world, subscriber, publisher, *args, **more)

    return [(subscribe.SubscriptionEffect, "__init__", mixes)]


def _gate_forgotten() -> list[tuple[Any, str, Any]]:
    return [(commit.DeleteOldBlue, "gates", _no_gates)]


def _fence_skipped() -> list[tuple[Any, str, Any]]:
    async def looks_locked(self: Any) -> Finding:
        return yes("none of them may log in")

    return [
        (traffic.LockRoles, "probe", looks_locked),
        (write_fence, "prove", _nothing),
        (write_fence, "refuse_if_open", _nothing),
        (late_writes, "prove_none_slipped_in", _nothing),
        *_clusters_unasked(),
    ]


def _turned_while_open() -> list[tuple[Any, str, Any]]:
    return [
        *_fence_skipped(),
        (counters.SyncSequences, "verify", _nothing),
        (counters.Compare, "verify", _nothing),
    ]


def _left_open() -> list[tuple[Any, str, Any]]:
    return [
        *_turned_while_open(),
        (fail_back.CloseCluster, "effects", _no_gates),
        (fail_back.CloseCluster, "verify", _nothing),
    ]


def _intent_too_late() -> list[tuple[Any, str, Any]]:
    async def eager(self: Runner, attempt: Any, effect: Effect, look: Looked) -> None:
        if look.to_be_made:
            await effect.perform()

    return [(Runner, "_settle_effect", eager)]


def _slots_read_before() -> list[tuple[Any, str, Any]]:
    return [(blue_prime, "refuse_if_read", _nothing), (subscribe, "refuse_if_read", _nothing)]


def _names_alone() -> list[tuple[Any, str, Any]]:
    return [(blue_prime, "_refuse_renamed", _nothing)]


def _capture_pretended() -> list[tuple[Any, str, Any]]:
    async def pretends(self: Any, world: Any, watch: Any) -> None:
        watch.evidence("", key="capture", value={"publisher": self.publisher.value})

    return [
        (create_slots.CreateSlots, "effects", _no_gates),
        (create_slots.CreateSlots, "verify", pretends),
    ]


PLANTS: dict[str, Plant] = {
    "the tag is not checked": _tags_ignored,
    "who serves is not checked": _serving_ignored,
    "the clusters are not asked": _clusters_unasked,
    "the mark is not looked at": _mark_ignored,
    "the claim is not written down": _claim_unwritten,
    "a claim that AWS refused counts": _refused_claims_counted,
    "the end of the way back is not asked for": _commit_unasked,
    "what serves is subscribed": _sides_mixed_up,
    "a rollback has no fence": _turned_while_open,
    "the side that is left stays open": _left_open,
    "old blue's gate is forgotten": _gate_forgotten,
    "the fence is skipped": _fence_skipped,
    "the intent is not written": _intent_too_late,
    "slots that were read feed a new clone": _slots_read_before,
    "a clone is known by its name alone": _names_alone,
    "a rollback's capture is only said to be there": _capture_pretended,
}


@contextmanager
def planted(plant: Plant) -> Iterator[None]:
    """Put a defect in place for the length of a block."""
    with ExitStack() as stack:
        for holder, name, instead in plant():
            stack.enter_context(patch.object(holder, name, instead))
        yield
