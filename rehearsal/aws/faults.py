"""The faults of AWS that may be ordered by name: of the wire, of the describes, of resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rehearsal.aws import operation_faults, resource_faults, wire
from rehearsal.aws.control import Control
from rehearsal.aws.errors import RdsFault
from rehearsal.aws.fault_orders import EVERY

_LATE_S = "3"
_EARLY_S = "3"
_HANGING_S = "86400"
_SIDES = 2

KINDS: Mapping[str, str] = {
    wire.THROTTLE: "[ACTION [COUNT]] answer the next calls with Throttling",
    wire.SERVER_ERROR: "[ACTION [COUNT]] answer the next calls with ServiceUnavailable",
    wire.LOSE_RESPONSE: "[ACTION [COUNT]] perform the next calls, then close the connection",
    wire.LOSE_REQUEST: "[ACTION [COUNT]] close the connection of the next calls, not performed",
    wire.HANG: "[ACTION [COUNT]] leave the next calls without an answer, not performed",
    wire.PERFORM_LATE: "[ACTION [SECONDS]] close the connection of the next call, perform it later",
    wire.DENY: "ACTION refuse every call of an action with AccessDenied",
    "allow": "ACTION end that",
    wire.EXPIRED: "answer every call with ExpiredToken",
    "renew-credentials": "end that",
    "trail": "SECONDS let every describe answer as things were so long ago; 0 ends it",
    operation_faults.EARLY: "[SECONDS] show the next new resource as available too early",
    operation_faults.FAIL_SWITCHOVER: "cancel the next switchover while writes are stopped",
    operation_faults.SWITCHOVER_TIMES_OUT: "[SECONDS] cancel it after so long, or at its timeout",
    operation_faults.SWITCHOVER_FAILS: "let it return, and the deployment end in SWITCHOVER_FAILED",
    operation_faults.KEEP_NAMES: "[SECONDS] let servers keep their names in the next switchover",
    operation_faults.RESET_COUNTERS: "[lost] let both sides count their writes from 0 after the "
    "next switchover, by a reset, or without a mark of one as in a crash",
    operation_faults.GREEN_FAILS: "let the next deployment end in INVALID_CONFIGURATION",
    operation_faults.CLONE_FAILS: "let the next clone end in cloning-failed",
    operation_faults.INSTANCE_FAILS: "[STATUS] let the next instance end in that status, or in "
    "incompatible-parameters",
    operation_faults.INSTANCE_HANGS: "[SECONDS] let the next instance hang in creating",
    "invalidate-deployment": "CLUSTER turn its deployment INVALID_CONFIGURATION",
    "lose-deployment": "CLUSTER delete its deployment, as somebody else might",
    "lose-cluster": "CLUSTER delete it with its instances, as somebody else might",
    "lose-writer": "CLUSTER let its writer die: a reader takes over, and every session ends",
    "await-maintenance": "CLUSTER let maintenance wait for it",
    "set-status": "NAME STATUS put a cluster or an instance into a status",
    "stall-green": "CLUSTER let green of its deployment stop following",
    "resume-green": "CLUSTER let green follow again",
}
"""Every fault of AWS, with its arguments and what it does."""

_COUNTED = (wire.THROTTLE, wire.SERVER_ERROR, wire.LOSE_RESPONSE, wire.LOSE_REQUEST, wire.HANG)
_TIMED = {
    operation_faults.EARLY: _EARLY_S,
    operation_faults.SWITCHOVER_TIMES_OUT: None,
    operation_faults.KEEP_NAMES: None,
    operation_faults.INSTANCE_HANGS: _HANGING_S,
}
"""With the seconds that are meant where none are given; None leaves it to the call."""

_PLAIN = (
    operation_faults.FAIL_SWITCHOVER,
    operation_faults.SWITCHOVER_FAILS,
    operation_faults.GREEN_FAILS,
    operation_faults.CLONE_FAILS,
)


class FaultError(Exception):
    """A fault that cannot be ordered as asked."""


class AwsFaults:
    """Orders the faults of `KINDS` from one control plane."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._named: dict[str, Callable[[str], None]] = {
            wire.DENY: lambda action: control.orders.place(wire.DENY, action, count=EVERY),
            "allow": lambda action: control.orders.withdraw(wire.DENY, action),
            "trail": lambda seconds: control.trail.set(_seconds(seconds)),
            "invalidate-deployment": lambda name: resource_faults.invalidate_deployment(
                control, name
            ),
            "lose-deployment": lambda name: resource_faults.lose_deployment(control, name),
            "lose-writer": lambda name: resource_faults.lose_writer(control, name),
            "await-maintenance": lambda name: resource_faults.await_maintenance(control, name),
            "lose-cluster": lambda name: resource_faults.lose_cluster(control, name),
            "stall-green": lambda name: resource_faults.follow(control, name, on=False),
            "resume-green": lambda name: resource_faults.follow(control, name, on=True),
        }

    def order(self, kind: str, *arguments: str) -> None:
        """Order a fault of `KINDS`; raise `FaultError` for what makes no sense."""
        orders = self._control.orders
        try:
            match kind, arguments:
                case wire.EXPIRED, ():
                    orders.place(kind, count=EVERY)
                case "renew-credentials", ():
                    orders.withdraw(wire.EXPIRED)
                case wire.PERFORM_LATE, _ if len(arguments) <= 2:
                    action, seconds = (*arguments, None, None)[:2]
                    orders.place(kind, action, value=str(_seconds(seconds or _LATE_S)))
                case "set-status", (name, status):
                    resource_faults.set_status(self._control, name, status)
                case _, (argument,) if kind in self._named:
                    self._named[kind](argument)
                case _ if kind in _COUNTED and len(arguments) <= 2:
                    action, count = (*arguments, None, None)[:2]
                    orders.place(kind, action, count=_count(count))
                case operation_faults.INSTANCE_FAILS, ():
                    orders.place(kind, value="incompatible-parameters")
                case operation_faults.INSTANCE_FAILS, (status,):
                    orders.place(kind, value=status)
                case operation_faults.RESET_COUNTERS, () | (operation_faults.LOST,):
                    orders.place(kind, count=_SIDES, value=arguments[0] if arguments else None)
                case _ if kind in _TIMED and len(arguments) <= 1:
                    word = arguments[0] if arguments else _TIMED[kind]
                    orders.place(kind, value=None if word is None else str(_seconds(word)))
                case _ if kind in _PLAIN and not arguments:
                    orders.place(kind)
                case _:
                    raise FaultError(f"The fault {kind} is ordered so: {kind} {KINDS[kind]}")
        except RdsFault as refusal:
            raise FaultError(refusal.message) from refusal


def _count(word: str | None) -> int:
    if word is None:
        return 1
    if not word.isdigit() or word == "0":
        raise FaultError(f"A fault strikes once or more often, not {word} times.")
    return int(word)


def _seconds(word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e6:
        raise FaultError(f"{word} is no number of seconds.")
    return seconds
