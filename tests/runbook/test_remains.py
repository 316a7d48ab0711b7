"""What a run leaves in AWS is named with what it is billed by and the command that removes it."""

from __future__ import annotations

import asyncio
import json
import shlex
from typing import Any

import pytest
from botocore import xform_name

from runbook.aws import Aws
from runbook.aws.errors import AccessDenied
from runbook.aws.logs import Logs
from runbook.aws.rds import Rds
from runbook.base import derived_names
from runbook.base.context import RUN_TAG, RunContext
from runbook.base.kept import EmptyJournal
from runbook.plan.model import Plan
from runbook.procedure.steps.shared import remains
from state.records import Json
from state.remains import Remains, kept, words
from tests.rehearsal_aws.conftest import ACCOUNT, REGION, Lab
from tests.rehearsal_aws.conftest import lab as lab  # the fixture

RUN = "k3f9qa"
OWN = [{"Key": RUN_TAG, "Value": RUN}]


class Facts(EmptyJournal):
    """A journal that has bound the roles."""

    def __init__(self, **facts: Json) -> None:
        self._facts = facts

    def fact(self, run: str, key: str) -> Json | None:
        return self._facts.get(key)


@pytest.fixture(autouse=True)
def _aws(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": lab.url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)


async def _look(lab: Lab, **facts: Json) -> Remains:
    (blue, *_) = lab.control.clusters
    plan = Plan.model_validate(
        {
            "version": 1,
            "cluster": {
                "identifier": "orders",
                "resource_id": blue.resource_id,
                "region": REGION,
                "account": ACCOUNT,
            },
            "upgrade": {"target_version": "17.9"},
            "credentials": {"user": "postgres", "password": "env:P"},
            "traffic": {"stop": "manual"},
        }
    )
    context = RunContext(run=RUN, plan=plan, journal=Facts(**facts), aws=Aws(REGION))
    return await remains.look(context)


def _leave_everything(lab: Lab) -> dict[str, Json]:
    """Leave a clone with an instance, a snapshot, a group and logs; return the run's facts."""
    client, logs = lab.client(), lab.client("logs")
    name = derived_names.blue_prime("orders", RUN)
    client.restore_db_cluster_to_point_in_time(
        DBClusterIdentifier=name,
        SourceDBClusterIdentifier="orders",
        RestoreType="copy-on-write",
        UseLatestRestorableTime=True,
        DeletionProtection=True,
        Tags=OWN,
    )
    lab.settle()
    client.create_db_instance(
        DBInstanceIdentifier=f"{name}-1",
        DBClusterIdentifier=name,
        Engine="aurora-postgresql",
        DBInstanceClass="db.r6g.large",
    )
    client.create_db_cluster_snapshot(
        DBClusterSnapshotIdentifier=derived_names.final_snapshot(RUN),
        DBClusterIdentifier="orders",
        Tags=OWN,
    )
    client.create_db_cluster_parameter_group(
        DBClusterParameterGroupName=derived_names.parameter_group(RUN),
        DBParameterGroupFamily="aurora-postgresql17",
        Description="green",
        Tags=OWN,
    )
    # moto keeps its logs from one lab to the next.
    for row in logs.describe_log_groups()["logGroups"]:
        logs.delete_log_group(logGroupName=row["logGroupName"])
    for cluster in (name, "orders", "orders-old1", "orders-archive"):
        logs.create_log_group(logGroupName=f"/aws/rds/cluster/{cluster}/postgresql")
    lab.settle()
    prime = lab.control.cluster(name)
    return {
        "role.blue-prime": {"resource_id": prime.resource_id, "name": name},
        "switchover": {"old_blue": "orders-old1"},
    }


async def test_nothing_is_left_of_a_run_that_made_nothing(lab: Lab) -> None:
    found = await _look(lab)
    assert (found.found, found.unknown) == ((), ())
    assert next(iter(words(found))).startswith("nothing of this run is left that is billed")


async def test_each_thing_is_named_with_its_unit_and_its_command(lab: Lab) -> None:
    found = await _look(lab, **_leave_everything(lab))
    prime = derived_names.blue_prime("orders", RUN)
    assert [(row.kind, row.name.split(" ")[0].rstrip(",")) for row in found.found] == [
        ("deletion protection of", prime),
        ("instance", f"{prime}-1"),
        ("Extended Support of", prime),
        ("cluster", prime),
        ("snapshot", f"bp-{RUN}-old-blue"),
        ("parameter group", f"bp-{RUN}-pg"),
        ("log group", "/aws/rds/cluster/orders-old1/postgresql"),
        ("log group", f"/aws/rds/cluster/{prime}/postgresql"),
    ]
    assert found.unknown == ()
    by_kind = {row.kind: row for row in found.found}
    assert by_kind["instance"].billed.startswith("per hour of its class")
    assert "vCPU-hour" in by_kind["Extended Support of"].billed
    assert by_kind["parameter group"].billed.startswith("not billed")
    assert kept(json.loads(json.dumps(found.as_json()))) == found


async def test_the_commands_remove_it_in_the_order_in_which_they_are_told(lab: Lab) -> None:
    facts = _leave_everything(lab)
    for row in (await _look(lab, **facts)).found:
        if row.remove.startswith("aws "):
            await asyncio.to_thread(_typed, lab, row.remove)
    assert (await _look(lab, **facts)).found == ()
    # What was production's own, or another cluster's, is where it was.
    left = lab.client("logs").describe_log_groups()["logGroups"]
    assert {row["logGroupName"].split("/")[4] for row in left} == {"orders", "orders-archive"}
    assert [cluster.identifier for cluster in lab.control.clusters] == ["orders"]


def _typed(lab: Lab, command: str) -> None:
    """Do what a person types, by the same service, action and parameters."""
    _, service, action, *options = shlex.split(command)
    client = lab.client(service)
    model = client.meta.service_model
    method = action.replace("-", "_")
    operation = client.meta.method_to_api_mapping[method]
    members = {
        _dashed(name): (name, shape.type_name)
        for name, shape in model.operation_model(operation).input_shape.members.items()
    }
    given: dict[str, Any] = {}
    words = iter(options)
    for word in words:
        off = word.removeprefix("--no-")
        name, kind = members.get(word.removeprefix("--"), ("", ""))
        if name and kind == "boolean":
            given[name] = True
        elif name:
            given[name] = next(words)
        elif off in members:
            given[members[off][0]] = False
        else:
            assert word == "--region", word
            assert next(words) == REGION
    getattr(client, method)(**given)
    lab.settle()


def _dashed(name: str) -> str:
    return str(xform_name(name, "-"))


async def test_what_is_denied_is_unknown_and_the_rest_is_told(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = _leave_everything(lab)

    async def denied(*_: object) -> Any:
        raise AccessDenied("AccessDenied", "not authorized to perform", action="an action")

    monkeypatch.setattr(Logs, "groups", denied)
    monkeypatch.setattr(Rds, "manual_snapshots", denied)
    found = await _look(lab, **facts)
    assert {row.kind for row in found.found}.isdisjoint({"log group", "snapshot"})
    assert [each.partition(":")[0] for each in found.unknown] == ["snapshots", "log groups"]
    assert [line for line in words(found) if "not known: log groups: AWS refused" in line]


async def test_production_that_serves_is_no_remainder_and_its_former_name_is_not_deleted(
    lab: Lab,
) -> None:
    facts = _leave_everything(lab)
    # Led to blue prime by a record: it serves, and blue keeps the production name.
    found = await _look(lab, **facts, endpoint={"on": "blue prime"})
    (cluster,) = [row for row in found.found if row.kind == "cluster"]
    assert cluster.name.startswith("orders (")
    assert "bears the production name" in cluster.remove
