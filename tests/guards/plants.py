"""Defects planted in the procedure, to see that they break the rules, and that it is noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from runbook import fencing, slipped
from runbook.roles import Role
from runbook.runner import Runner
from runbook.step import Effect, Finding
from runbook.steps import capture, clone, commit, remove, subscribe, traffic
from runbook.steps.effects import yes

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

    return [(remove, "own", found), (commit, "own", found), (clone, "_not_ours", ours)]


def _serving_ignored() -> list[tuple[Any, str, Any]]:
    return [(remove, "serves", lambda world, role: False)]


def _gate_forgotten() -> list[tuple[Any, str, Any]]:
    return [(commit.DeleteOldBlue, "gates", _no_gates)]


def _fence_skipped() -> list[tuple[Any, str, Any]]:
    async def looks_locked(self: Any) -> Finding:
        return yes("none of them may log in")

    return [
        (traffic.LockRoles, "probe", looks_locked),
        (fencing, "prove", _nothing),
        (fencing, "refuse_if_open", _nothing),
        (slipped, "prove_none_slipped_in", _nothing),
    ]


def _intent_too_late() -> list[tuple[Any, str, Any]]:
    async def eager(self: Runner, attempt: Any, effect: Effect) -> None:
        await effect.perform()

    return [(Runner, "_settle_effect", eager)]


def _slots_read_before() -> list[tuple[Any, str, Any]]:
    return [(clone, "refuse_if_read", _nothing), (subscribe, "refuse_if_read", _nothing)]


def _names_alone() -> list[tuple[Any, str, Any]]:
    return [(clone, "_refuse_renamed", _nothing)]


def _capture_pretended() -> list[tuple[Any, str, Any]]:
    async def pretends(self: Any, world: Any, watch: Any) -> None:
        watch.evidence("", key="capture", value={"publisher": self.publisher.value})

    return [(capture.Capture, "effects", _no_gates), (capture.Capture, "verify", pretends)]


PLANTS: dict[str, Plant] = {
    "the tag is not checked": _tags_ignored,
    "who serves is not checked": _serving_ignored,
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
