"""SwitchoverBlueGreenDeployment: green takes blue's names, or everything is as before.

AWS documents both `SWITCHOVER_FAILED` and (by observation) a return to `AVAILABLE` after a
switchover that was canceled. Here a switchover that was undone completely returns to `AVAILABLE`
with the reason in `StatusDetails`; `SWITCHOVER_FAILED` is left for one that could not be undone.
"""

from __future__ import annotations

from collections.abc import Sequence

from rehearsal.aws import errors, operation_faults
from rehearsal.aws.control import Control, Named
from rehearsal.aws.deployments import find
from rehearsal.aws.models import Cluster, CustomEndpoint, Deployment, Instance, Pair
from rehearsal.aws.registry import Params, Shape, action, required
from rehearsal.aws.shapes import deployment_shape
from rehearsal.servers.ground import ServerError

_DEFAULT_TIMEOUT_S = 300

_KINDS: dict[type, str] = {
    Cluster: "DB cluster",
    Instance: "DB instance",
    CustomEndpoint: "DB cluster endpoint",
}


@action("SwitchoverBlueGreenDeployment")
def switch_over(control: Control, params: Params) -> Shape:
    """Begin the switchover; the answer's status is already SWITCHOVER_IN_PROGRESS."""
    with control.lock:
        deployment = find(control, required(params, "BlueGreenDeploymentIdentifier"))
        timeout_s = params.get("SwitchoverTimeout") or _DEFAULT_TIMEOUT_S
        if not 30 <= timeout_s <= 3600:
            raise errors.invalid_value("SwitchoverTimeout must be from 30 to 3600 seconds.")
        if deployment.status != "AVAILABLE":
            raise errors.deployment_state(
                f"The blue/green deployment {deployment.identifier} isn't in AVAILABLE state. "
                f"Status: {deployment.status}"
            )
        _check_members(deployment)
        deployment.status = "SWITCHOVER_IN_PROGRESS"
        deployment.details = None
        shape = deployment_shape(control, deployment)
        control.background(
            f"switch over {deployment.name}",
            lambda: _Switchover(control, deployment, timeout_s)(),
            of=deployment,
            failed=lambda words: _broken(deployment, words),
        )
        return {"BlueGreenDeployment": shape}


def _check_members(deployment: Deployment) -> None:
    for pair in deployment.pairs:
        for side in (pair.source, pair.target):
            if side is None or side.gone or side.status != "available":
                name = side.identifier if side else pair.source.identifier
                kind = _KINDS[type(pair.source)]
                raise errors.deployment_state(f"{kind} {name} is not in available state")


def _broken(deployment: Deployment, words: str) -> None:
    """Tell by its status that a switchover ended where nobody foresaw it."""
    if deployment.status == "SWITCHOVER_IN_PROGRESS":
        deployment.status, deployment.details = "SWITCHOVER_FAILED", words


class _Switchover:
    """One switchover, run in the background."""

    def __init__(self, control: Control, deployment: Deployment, timeout_s: float) -> None:
        green = deployment.target
        assert green is not None
        self._control = control
        self._deployment = deployment
        self._timeout_s = timeout_s
        self._blue, self._green = deployment.source, green
        self._route = f"from DB cluster {self._blue.identifier} to {green.identifier}"
        self._phase = ""

    def __call__(self) -> None:
        """Switch over, or return to the former state."""
        control, deployment = self._control, self._deployment
        self._mark("SWITCHOVER_IN_PROGRESS")
        control.event(deployment, "Switchover from blue to green started.", "notification")
        control.event(self._blue, f"Switchover {self._route} started.", "notification")
        try:
            with control.pace.at_least("switchover-guardrails"):
                pass
            control.fleet.switch_over(
                self._blue.resource_id,
                self._green.resource_id,
                limit_s=self._timeout_s,
                swap=self._swap,
                on_phase=self._on_phase,
            )
        except ServerError as error:
            self._cancel(str(error))
            return
        except operation_faults.NotUndone as error:
            self._cancel(str(error), for_good=True)
            return
        except Exception as error:
            self._cancel(f"{type(error).__name__}: {error}")
            raise
        operation_faults.counters(control, self._blue)
        with control.pace.at_least("switchover-finish"):
            pass
        with control.lock:
            self._mark("SWITCHOVER_COMPLETED")
            deployment.status = "SWITCHOVER_COMPLETED"
            control.event(
                deployment, "Switchover completed on blue/green deployment.", "notification"
            )

    def _on_phase(self, phase: str) -> None:
        control = self._control
        before, self._phase = self._phase, phase
        if before == "sync_sequences":
            control.event(
                self._blue,
                f"Sequence sync for switchover of DB cluster {self._blue.identifier} to "
                f"{self._green.identifier} has completed.",
                "notification",
            )
        if phase == "sync_sequences":
            control.event(
                self._blue,
                f"Sequence sync for switchover of DB cluster {self._blue.identifier} to "
                f"{self._green.identifier} has initiated. Switchover when using sequences may "
                "lead to extended downtime.",
                "notification",
            )
        if phase == "open_writes":
            operation_faults.counters(control, self._green)
        operation_faults.switchover(control, phase, self._timeout_s)

    def _swap(self) -> None:
        """Give green the production names and blue the `-oldN` ones; the ports follow."""
        control, deployment = self._control, self._deployment
        with control.pace.at_least("switchover-rename"):
            pass
        with control.lock:
            green_name, name = self._green.identifier, self._blue.identifier
            for pair in deployment.pairs:
                _swap_names(control, pair)
            deployment.switched = True
            control.route(self._green)
            control.route(self._blue)
            control.event(
                self._green,
                f"Switchover {self._route} completed. Renamed {name} to "
                f"{self._blue.identifier} and {green_name} to {name}.",
                "notification",
            )
        operation_faults.named_anew(control, self._green, self._blue)

    def _mark(self, status: str) -> None:
        with self._control.lock:
            for pair in self._deployment.pairs:
                pair.status = status

    def _cancel(self, reason: str, *, for_good: bool = False) -> None:
        control, deployment = self._control, self._deployment
        with control.lock:
            undone = not deployment.switched and not for_good
            self._mark("AVAILABLE" if undone else "SWITCHOVER_FAILED")
            deployment.status = "AVAILABLE" if undone else "SWITCHOVER_FAILED"
            deployment.details = f"Switchover {self._route} was canceled due to {reason}"
            control.event(self._blue, deployment.details, "failure")
            control.event(deployment, "Switchover canceled on blue/green deployment.", "failure")


def _swap_names(control: Control, pair: Pair) -> None:
    blue, green = pair.source, pair.target
    name = blue.identifier
    assert green is not None
    taken: dict[type, Sequence[Named]] = {
        Cluster: control.clusters,
        Instance: control.instances,
        CustomEndpoint: control.custom_endpoints,
    }
    control.release(green)
    control.name(blue, _old_name(name, taken[type(blue)]))
    control.name(green, name)
    green.tags = dict(blue.tags)


def _old_name(name: str, taken: Sequence[Named]) -> str:
    names = {each.identifier for each in taken}
    number = 1
    while f"{name}-old{number}" in names:
        number += 1
    return f"{name}-old{number}"
