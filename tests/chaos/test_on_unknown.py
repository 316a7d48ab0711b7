"""A change of which no look can tell: the run stops with exit code 4, or goes on as it was told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import boto3
import pytest

from runbook.base.offer import Pending
from runbook.failures import Answer, Finding
from runbook.run.session import Session
from state.enums import Outcome
from state.records import Effect
from tests.workspace import Workspace
from tui.cli.headless import OnUnknown, Unknowns

UNKNOWN = 4


def rds(workspace: Workspace) -> Any:
    environment = workspace.lab_environment()
    connect: Any = boto3.client
    return connect(
        "rds",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def test_what_nobody_can_tell_needs_a_person(workspace: Workspace) -> None:
    workspace.lab()
    plan = workspace.plan()
    workspace.run("lab", "traffic", "start")
    env = workspace.lab_environment()
    first = workspace.last_line(
        "auto", str(plan), "--until", "freeze-old-blue", "--yes", "--json", env=env
    )
    run = first["run"]
    aws = rds(workspace)
    foreign = f"orders-prime-{run}"
    aws.create_db_cluster(
        DBClusterIdentifier=foreign,
        Engine="aurora-postgresql",
        EngineVersion=first["engine"]["from"],
        MasterUsername="master",
        MasterUserPassword="not-blueprimes",
    )
    stopped = workspace.run("auto", run, "--yes", "--json", expect=UNKNOWN)
    assert "does not bear this run's tag" in stopped.stderr
    assert f"blueprime auto {run} --yes --on-unknown retry" in stopped.stderr
    assert '"unknown": [{"step": "clone"' in stopped.stdout.splitlines()[-1]
    # Told to try all the same: AWS refuses the name, and nothing of it was changed.
    refused = workspace.run("auto", run, "--yes", "--json", "--on-unknown", "retry", expect=None)
    assert refused.returncode != 0
    aws.delete_db_cluster(DBClusterIdentifier=foreign, SkipFinalSnapshot=True)
    ended = workspace.last_line("auto", run, "--yes", "--json")
    assert ended["result"] == "protected"
    verdict = workspace.ledger()
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)


class Held:
    """A session with unknown changes, which keeps what is decided of them."""

    def __init__(self, *answers: Answer) -> None:
        self.decided: list[tuple[int, str]] = []
        self._answers = answers

    async def findings(self) -> list[Pending]:
        return [
            Pending(
                Effect(
                    *(number, 1, f"key-{number}", "a change", "CALL()", datetime.now(UTC)),
                    *(Outcome.UNKNOWN, None, {}, ""),
                ),
                "a-step",
                Finding(answer, "looked"),
                (),
            )
            for number, answer in enumerate(self._answers)
        ]

    async def resolve(self, effect: int, choice: str, reason: str) -> None:
        self.decided.append((effect, choice))


@pytest.mark.parametrize(
    ("policy", "answers", "goes_on", "decided"),
    [
        ("stop", (Answer.YES, Answer.NO), True, []),
        ("stop", (Answer.YES, Answer.UNKNOWN), False, []),
        ("adopt", (Answer.NO, Answer.UNKNOWN), True, [(1, "adopt")]),
        ("retry", (Answer.UNKNOWN, Answer.UNKNOWN), True, [(0, "retry"), (1, "retry")]),
        ("adopt", (), False, []),
    ],
)
async def test_only_what_no_look_can_tell_is_decided_by_the_option(
    policy: str, answers: tuple[Answer, ...], goes_on: bool, decided: list[tuple[int, str]]
) -> None:
    held = Held(*answers)
    unknowns = Unknowns(cast(Session, held), OnUnknown(policy))
    assert await unknowns.may_go_on() is goes_on
    assert held.decided == decided


async def test_what_is_unknown_again_after_it_was_decided_stops() -> None:
    unknowns = Unknowns(cast(Session, Held(Answer.UNKNOWN)), OnUnknown.RETRY)
    assert await unknowns.may_go_on()
    assert not await unknowns.may_go_on()
