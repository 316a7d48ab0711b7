"""The plan: what the operator decides beforehand, as a TOML file.

Nothing in it is a secret: credentials are named by reference only. It is validated strictly, and
each error names the file, the key and the line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    model_validator,
)

from runbook.plan.arguments import hold_secret
from runbook.plan.aws import AwsSection
from runbook.plan.connection import ConnectionSection, CredentialsSection
from runbook.plan.limits import DAY, MINUTE, LimitsSection, Patience, Pause, Short
from runbook.plan.reading import PlanError as PlanError
from runbook.plan.reading import placed, problem, read
from runbook.plan.section import Section, shaped


class Order(StrEnum):
    """What comes first after the capture."""

    TRAFFIC_FIRST = "traffic-first"
    PROTECT_FIRST = "protect-first"


class EndpointMethod(StrEnum):
    """How applications are led to the cluster that serves after a rollback."""

    RENAME = "rename"
    ROUTE53 = "route53"
    COMMAND = "command"
    MANUAL = "manual"


class StopMethod(StrEnum):
    """How the applications are stopped and started."""

    COMMAND = "command"
    MANUAL = "manual"
    ROLES = "roles"


def _no_secret(words: tuple[str, ...]) -> tuple[str, ...]:
    if hold_secret(words):
        # Nor is it repeated here.
        raise ValueError(
            "holds a password or key in clear, which ps would show and a plan never keeps: let the "
            "command take it from a file or a variable of the environment"
        )
    return words


Command = Annotated[tuple[str, ...], AfterValidator(_no_secret)]
"""An argument list, run without a shell."""


class ClusterSection(Section):
    """The production cluster."""

    identifier: Annotated[
        str,
        shaped(
            r"(?=.{1,63}$)[A-Za-z](?:-?[A-Za-z0-9]+)*",
            "must be the name of a cluster: a letter, then letters, digits and single hyphens, "
            "63 at most",
        ),
    ]
    resource_id: Annotated[
        str, shaped(r"cluster-\S+", 'must be what AWS calls DbClusterResourceId: "cluster-..."')
    ]
    """`DbClusterResourceId`, the name that never changes."""
    region: Annotated[str, Field(min_length=1)]
    account: Annotated[
        str, shaped(r"[0-9]{12}", "must be the 12 digits of an AWS account, in quotes")
    ]


class UpgradeSection(Section):
    """What green becomes, and what comes first after the capture."""

    target_version: Annotated[
        str, shaped(r"[0-9]+(\.[0-9]+)*", 'must be a version, in quotes: "17.7"')
    ]
    order: Order = Order.TRAFFIC_FIRST
    cluster_parameter_group: str = ""
    """The group of the new family for green; empty: blueprime makes one from blue's own values."""
    instance_parameter_group: str = ""
    switchover_timeout_s: Annotated[int, Field(ge=30, le=3600)] = 300
    analyze_green: bool = True
    """Run ANALYZE on green before the switchover: statistics are lost before version 18."""


class TrafficSection(Section):
    """How the applications are stopped and started, and which roles they use."""

    stop: StopMethod
    stop_command: Command = ()
    """Must be safe to repeat, like the next."""
    start_command: Command = ()
    command_timeout_s: Short = 60.0
    application_roles: tuple[str, ...] = ()
    """The database roles that the applications log in with: watched, and named when seen."""
    lock_roles: bool = True
    """Take LOGIN from the application roles while the fence stands, on both sides."""

    @model_validator(mode="after")
    def _complete(self) -> TrafficSection:
        if self.stop is StopMethod.COMMAND and not (self.stop_command and self.start_command):
            raise ValueError('stop = "command" needs stop_command and start_command')
        if self.stop is StopMethod.ROLES and not (self.lock_roles and self.application_roles):
            raise ValueError('stop = "roles" needs application_roles, and lock_roles = true')
        return self


class FenceSection(Section):
    """How long nothing must be seen to write before the fence counts as proved."""

    window_s: Annotated[float, Field(gt=0, le=MINUTE)] = 2.0
    limit_s: Short = 120.0

    @model_validator(mode="after")
    def _within(self) -> FenceSection:
        if self.window_s >= self.limit_s:
            raise ValueError("window_s must be shorter than limit_s, or no fence is ever proved")
        return self


class ProtectionSection(Section):
    """When the run may call itself protected."""

    lag_limit_bytes: Annotated[int, Field(gt=0, le=1 << 40)] = 64 * 1024 * 1024
    lag_limit_s: Short = 30.0
    fresh_s: Short = 10.0
    """A figure older than this is unknown."""
    sample_every_s: Pause = 1.0
    bake_s: Patience = 0.0
    """How long an unattended run watches before it goes on; a person decides otherwise."""


class EndpointSection(Section):
    """How a rollback leads the applications back."""

    method: EndpointMethod = EndpointMethod.RENAME
    hosted_zone_id: str = ""
    record: str = ""
    ttl_s: Annotated[int, Field(gt=0, le=DAY)] = 5
    command: Command = ()
    """Gets the host and port of the cluster to serve as its last two arguments."""

    @model_validator(mode="after")
    def _complete(self) -> EndpointSection:
        if self.method is EndpointMethod.ROUTE53 and not (self.hosted_zone_id and self.record):
            raise ValueError('method = "route53" needs hosted_zone_id and record')
        if self.method is EndpointMethod.COMMAND and not self.command:
            raise ValueError('method = "command" needs command')
        return self


class RollbackSection(Section):
    """What becomes of new blue in a rollback to blue prime."""

    protect: bool = True
    """Feed new blue from blue prime afterwards, so that going forward again loses nothing."""


class CompareMode(StrEnum):
    """What is compared beside the number of rows, which always is."""

    ALL = "all"
    """Every row."""
    SAMPLED = "sampled"
    """Every row of small tables, a share of the rows of large ones."""
    COUNTS = "counts"
    """Nothing."""


class CompareSection(Section):
    """How far blue prime is compared with new blue inside the rollback's fence."""

    mode: CompareMode = CompareMode.ALL
    hash_budget_s: Patience = 60.0
    """Contents are compared as far as this many seconds reach, the smallest tables first."""
    sampled_share: float = Field(default=0.02, gt=0, le=1)
    """Of the rows of large tables, how many are compared where the mode is `sampled`."""
    parallel: Annotated[int, Field(gt=0, le=64)] = 4
    """Connections to each side."""


class CommitSection(Section):
    """What the end of the way back removes."""

    delete_blue_prime: bool = True
    delete_old_blue: bool = False
    final_snapshot: bool = True


DATA_KINDS = {
    "sequences": "their positions do not replicate; a rollback carries them over inside its fence",
    "large_objects": "they do not replicate: what is written to them after the switchover is lost "
    "by a rollback, and any change on blue degrades the deployment",
    "unlogged_tables": "they do not replicate, and no copy of the cluster has their rows: the "
    "upgrade empties them, and so does a rollback",
    "materialized_views": "a rollback refreshes them; REFRESH on blue may break the deployment",
}
"""The kinds of data that logical replication does not carry, and what becomes of each.

https://www.postgresql.org/docs/current/logical-replication-restrictions.html
"""

_CHECK = r"[a-z]+\.[a-z-]+"


def _acknowledgement(value: str) -> str:
    if value not in DATA_KINDS and not re.fullmatch(rf"{_CHECK}(:.+)?", value, re.DOTALL):
        raise ValueError(
            f"must be a kind of data ({', '.join(DATA_KINDS)}), or a check as `blueprime check` "
            "names it: its key, or key:subject"
        )
    return value


class Waive(Section):
    """A block that the plan lets through, where it can be survived."""

    check: Annotated[str, shaped(_CHECK, "must be the key of a check: family.name")]
    subject: Annotated[str, Field(min_length=1)]
    gives_up: Annotated[str, Field(min_length=10)]
    """What is lost by it, in the operator's words: it stands in the report."""


class Plan(Section):
    """What the operator decides beforehand."""

    version: Literal[1]
    cluster: ClusterSection
    upgrade: UpgradeSection
    credentials: CredentialsSection
    aws: AwsSection = AwsSection()
    connection: ConnectionSection = ConnectionSection()
    traffic: TrafficSection
    fence: FenceSection = FenceSection()
    protection: ProtectionSection = ProtectionSection()
    endpoint: EndpointSection = EndpointSection()
    rollback: RollbackSection = RollbackSection()
    compare: CompareSection = CompareSection()
    commit: CommitSection = CommitSection()
    limits: LimitsSection = LimitsSection()
    acknowledge: tuple[Annotated[str, AfterValidator(_acknowledgement)], ...] = ()
    """Kinds of data that are present and not replicated back, and warnings of the preflight (`key`
    or `key:subject`), accepted by name."""
    waive: tuple[Waive, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the plan as the journal keeps it."""
        return self.model_dump(mode="json")


def load(path: Path, can_waive: Mapping[str, bool]) -> Plan:
    """Read and validate a plan file; raise `PlanError` naming each problem's line and key.

    `can_waive` names the checks of the preflight, and says of each whether a plan may waive it.
    """
    text, data = read(path)
    try:
        plan = Plan.model_validate(data)
    except ValidationError as error:
        raise PlanError(path, [problem(path, text, item) for item in error.errors()]) from error
    if problems := _misnamed(path, text, plan, can_waive):
        raise PlanError(path, problems)
    return plan.model_copy(update={"credentials": plan.credentials.beside(path.parent)})


def from_json(data: Mapping[str, Any]) -> Plan:
    """Return the plan that a journal kept; raise `PlanError` where it is none for this version."""
    try:
        return Plan.model_validate(data)
    except ValidationError as error:
        kept = Path("the plan that the journal keeps")
        raise PlanError(kept, [problem(kept, "", item) for item in error.errors()]) from error


def _misnamed(path: Path, text: str, plan: Plan, can_waive: Mapping[str, bool]) -> list[str]:
    """Return the problems of a plan that names checks which do not exist or cannot be waived."""
    problems = [
        placed(path, text, ["acknowledge", number], f"no check is named {value}")
        for number, value in enumerate(plan.acknowledge)
        if value not in DATA_KINDS and value.partition(":")[0] not in can_waive
    ]
    for number, waiver in enumerate(plan.waive):
        if not can_waive.get(waiver.check):
            possible = ", ".join(key for key, waives in can_waive.items() if waives)
            words = "cannot be waived" if waiver.check in can_waive else "is no check"
            words = f"{waiver.check} {words}; these can be: {possible}"
            problems.append(placed(path, text, ["waive", number, "check"], words))
    return problems
