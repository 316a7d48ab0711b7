"""How work in progress may end when a fault was ordered for it.

The statuses are AWS's own: `cloning-failed`, `incompatible-parameters`, `INVALID_CONFIGURATION`,
`SWITCHOVER_FAILED`; an `available` that is shown too early was seen on AWS for instances of green
(terraform-provider-aws 36241).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rehearsal.servers.ground import ServerError

if TYPE_CHECKING:
    from rehearsal.aws.control import Control
    from rehearsal.aws.models import Cluster, Instance

CLONE_FAILS = "clone-fails"
INSTANCE_FAILS = "instance-fails"
INSTANCE_HANGS = "instance-hangs"
GREEN_FAILS = "green-fails"
EARLY = "early"
FAIL_SWITCHOVER = "fail-switchover"
SWITCHOVER_TIMES_OUT = "switchover-times-out"
SWITCHOVER_FAILS = "switchover-fails"
KEEP_NAMES = "servers-keep-names"
RESET_COUNTERS = "reset-counters"
LOST = "lost"
"""The counters go as in a crash, without a mark of a reset."""

_HANG_LOOK_S = 0.05

GREEN_REASON = (
    "Creation of blue/green deployment failed due to incompatible parameter settings. See "
    "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments.html to "
    "help resolve the issues, then delete and recreate the blue/green deployment."
)


class NotUndone(Exception):
    """A switchover failed and AWS does not return the deployment to AVAILABLE."""


def clone(control: Control, made: Cluster) -> None:
    """Let a clone fail, if that was ordered.

    Raises `ServerError` then.
    """
    if control.orders.take(CLONE_FAILS, made.identifier):
        raise ServerError("an ordered fault of the rehearsal.")


def instance(control: Control, made: Instance) -> str | None:
    """Hang in `creating` as long as that was ordered; return the status that it fails with."""
    if order := control.orders.take(INSTANCE_HANGS, made.identifier):
        until = time.monotonic() + float(order.value or 0)
        while time.monotonic() < until and not made.gone:
            control.pace.wait(_HANG_LOOK_S)
    order = control.orders.take(INSTANCE_FAILS, made.identifier)
    return None if order is None else order.value


def green_member(control: Control, member: Instance) -> None:
    """Let a member of green be busy for a while, though it and the deployment say otherwise."""
    member.status = "modifying"
    with shown_early(control, member):
        pass
    member.status = "available"


@contextmanager
def shown_early(control: Control, resource: Cluster | Instance) -> Iterator[None]:
    """Let a resource be shown as available while it is not, for the seconds that were ordered."""
    order = control.orders.take(EARLY)
    if order is None:
        yield
        return
    until = time.monotonic() + float(order.value or 0)
    resource.shown = "available"
    try:
        yield
        control.pace.wait(max(0.0, until - time.monotonic()))
    finally:
        resource.shown = None


def named_anew(control: Control, *clusters: Cluster) -> None:
    """Let servers bear their new names: at once, or as late as that was ordered, or never."""

    def name() -> None:
        for each in clusters:
            control.identify(each)

    if (order := control.orders.take(KEEP_NAMES)) is None:
        name()
    elif order.value is not None:
        seconds = float(order.value)

        def later() -> None:
            control.pace.wait(seconds)
            name()

        control.background("name the servers anew", later)


def counters(control: Control, *clusters: Cluster) -> None:
    """Let servers count from 0, if that was ordered for the switchover; one order a cluster."""
    for each in clusters:
        if order := control.orders.take(RESET_COUNTERS):
            control.fleet.forget_counters(each.resource_id, crash=order.value == LOST)


def switchover(control: Control, phase: str, timeout_s: float) -> None:
    """Let a switchover fail in a phase, if that was ordered; writes are stopped by then.

    Raises `ServerError` where everything is undone, `NotUndone` where it is not.
    """
    if phase != "drain":
        return
    if control.orders.take(FAIL_SWITCHOVER):
        raise ServerError("an ordered fault of the rehearsal.")
    if control.orders.take(SWITCHOVER_FAILS):
        raise NotUndone("an ordered fault of the rehearsal.")
    if order := control.orders.take(SWITCHOVER_TIMES_OUT):
        control.pace.wait(timeout_s if order.value is None else float(order.value))
        raise ServerError(f"the switchover took longer than the timeout of {timeout_s:g} s.")
