"""A call as it is shown, and as a line that does the same."""

from __future__ import annotations

import json
import shlex

import pytest
from botocore import xform_name

from runbook.aws import Call

CREATE = Call(
    "rds",
    "CreateBlueGreenDeployment",
    {
        "BlueGreenDeploymentName": "bp-7f3a-bgd",
        "Source": "arn:aws:rds:us-east-1:471100000815:cluster:orders",
        "TargetEngineVersion": "18.4",
        "Tags": [{"Key": "blueprime:run", "Value": 'it\'s \u00e9 "7f3a"'}],
    },
)


def test_text_is_one_parameter_a_line() -> None:
    assert CREATE.text().splitlines()[:4] == [
        "rds.CreateBlueGreenDeployment(",
        '  BlueGreenDeploymentName="bp-7f3a-bgd",',
        '  Source="arn:aws:rds:us-east-1:471100000815:cluster:orders",',
        '  TargetEngineVersion="18.4",',
    ]
    assert Call("rds", "DescribeAccountAttributes", {}).text() == "rds.DescribeAccountAttributes()"


def test_the_line_for_the_cli_survives_a_shell() -> None:
    words = shlex.split(CREATE.cli("us-east-1"))
    assert words[:5] == ["aws", "rds", "create-blue-green-deployment", "--region", "us-east-1"]
    options = dict(zip(words[5::2], words[6::2], strict=True))
    assert options["--blue-green-deployment-name"] == "bp-7f3a-bgd"
    assert json.loads(options["--tags"]) == CREATE.parameters["Tags"]


def test_flags_and_lists_as_the_cli_wants_them() -> None:
    call = Call(
        "rds",
        "RestoreDBClusterToPointInTime",
        {
            "UseLatestRestorableTime": True,
            "DeletionProtection": False,
            "VpcSecurityGroupIds": ["sg-1", "sg-2"],
            "Port": 5432,
        },
    )
    assert call.cli() == (
        "aws rds restore-db-cluster-to-point-in-time --use-latest-restorable-time "
        "--no-deletion-protection --vpc-security-group-ids sg-1 sg-2 --port 5432"
    )


@pytest.mark.parametrize("name", ["MasterUserPassword", "SecretString"])
def test_secrets_are_masked(name: str) -> None:
    call = Call("rds", "ModifyDBCluster", {name: "correct horse"})
    assert "horse" not in call.text() + call.cli()
    assert xform_name(name, "-") in call.cli()
