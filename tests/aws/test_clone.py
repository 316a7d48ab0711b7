"""Nothing that the source says of itself is left out of the calls that make blue prime."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.validate import validate_parameters

from runbook.aws import Call
from runbook.aws.clone import carried_differences, clone_call, clone_instance_call
from runbook.aws.facts import Cluster, Instance

CLUSTER: dict[str, Any] = {
    "DbClusterResourceId": "cluster-OLD",
    "DBClusterIdentifier": "orders-old1",
    "DBClusterArn": "arn:aws:rds:us-east-1:471100000815:cluster:orders-old1",
    "Status": "available",
    "Engine": "aurora-postgresql",
    "EngineVersion": "16.14",
    "Port": 5433,
    "DBSubnetGroup": "orders-private",
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1", "Status": "active"}],
    "DBClusterParameterGroup": "orders-pg16",
    "IAMDatabaseAuthenticationEnabled": True,
    "EnabledCloudwatchLogsExports": ["postgresql"],
    "DeletionProtection": True,
    "CopyTagsToSnapshot": True,
    "KmsKeyId": "arn:aws:kms:us-east-1:471100000815:key/1",
    "StorageType": "aurora-iopt1",
    "NetworkType": "DUAL",
    "ServerlessV2ScalingConfiguration": {
        "MinCapacity": 0.5,
        "MaxCapacity": 64.0,
        "SecondsUntilAutoPause": 300,
    },
    "BackupRetentionPeriod": 14,
    "PreferredBackupWindow": "02:00-02:30",
    "MonitoringInterval": 15,
    "MonitoringRoleArn": "arn:aws:iam::471100000815:role/monitoring",
    "PerformanceInsightsEnabled": True,
    "PerformanceInsightsKMSKeyId": "arn:aws:kms:us-east-1:471100000815:key/2",
    "PerformanceInsightsRetentionPeriod": 465,
    "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
    "DomainMemberships": [{"Domain": "d-1", "IAMRoleName": "directory", "Status": "joined"}],
    "AssociatedRoles": [
        {
            "RoleArn": "arn:aws:iam::471100000815:role/s3",
            "Status": "ACTIVE",
            "FeatureName": "s3Import",
        }
    ],
    "TagList": [
        {"Key": "Team", "Value": "shop"},
        {"Key": "aws:cloudformation:stack-name", "Value": "orders"},
    ],
}

EXPECTED = {
    "DBClusterIdentifier": "bp-prime",
    "SourceDBClusterIdentifier": "orders-old1",
    "RestoreType": "copy-on-write",
    "UseLatestRestorableTime": True,
    "DBSubnetGroupName": "orders-private",
    "VpcSecurityGroupIds": ["sg-1"],
    "DBClusterParameterGroupName": "orders-pg16",
    "Port": 5433,
    "EnableIAMDatabaseAuthentication": True,
    "EnableCloudwatchLogsExports": ["postgresql"],
    "DeletionProtection": True,
    "CopyTagsToSnapshot": True,
    "KmsKeyId": "arn:aws:kms:us-east-1:471100000815:key/1",
    "StorageType": "aurora-iopt1",
    "NetworkType": "DUAL",
    "ServerlessV2ScalingConfiguration": {
        "MinCapacity": 0.5,
        "MaxCapacity": 64.0,
        "SecondsUntilAutoPause": 300,
    },
    "BackupRetentionPeriod": 14,
    "PreferredBackupWindow": "02:00-02:30",
    "MonitoringInterval": 15,
    "MonitoringRoleArn": "arn:aws:iam::471100000815:role/monitoring",
    "EnablePerformanceInsights": True,
    "PerformanceInsightsKMSKeyId": "arn:aws:kms:us-east-1:471100000815:key/2",
    "PerformanceInsightsRetentionPeriod": 465,
    "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
    "Domain": "d-1",
    "DomainIAMRoleName": "directory",
    "AssociatedRoles": [
        {"RoleArn": "arn:aws:iam::471100000815:role/s3", "FeatureName": "s3Import"}
    ],
    "Tags": [{"Key": "Team", "Value": "shop"}, {"Key": "blueprime:run", "Value": "7f3a"}],
}

INSTANCE: dict[str, Any] = {
    "DBInstanceIdentifier": "orders-old1-1",
    "DbiResourceId": "db-OLD",
    "DBInstanceClass": "db.r6g.large",
    "DBParameterGroups": [
        {"DBParameterGroupName": "orders-i16", "ParameterApplyStatus": "in-sync"}
    ],
    "PubliclyAccessible": False,
    "PromotionTier": 0,
    "AvailabilityZone": "us-east-1b",
    "PreferredMaintenanceWindow": "sun:03:00-sun:03:30",
    "AutoMinorVersionUpgrade": False,
    "CACertificateIdentifier": "rds-ca-rsa2048-g1",
    "MonitoringInterval": 0,
    "PerformanceInsightsEnabled": False,
    "PerformanceInsightsRetentionPeriod": 7,
}


def _accepted_by_boto(call: Call) -> None:
    model = boto3.client("rds", region_name="us-east-1").meta.service_model
    validate_parameters(dict(call.parameters), model.operation_model(call.action).input_shape)


def test_every_setting_of_the_cluster_is_carried_over() -> None:
    call = clone_call(Cluster.parse(CLUSTER), "bp-prime", {"blueprime:run": "7f3a"})
    assert call.parameters == EXPECTED
    _accepted_by_boto(call)


@pytest.mark.parametrize(
    ("answer", "parameter"),
    [
        ("IAMDatabaseAuthenticationEnabled", "EnableIAMDatabaseAuthentication"),
        ("DBClusterParameterGroup", "DBClusterParameterGroupName"),
        ("ServerlessV2ScalingConfiguration", "ServerlessV2ScalingConfiguration"),
        ("VpcSecurityGroups", "VpcSecurityGroupIds"),
        ("AssociatedRoles", "AssociatedRoles"),
        ("KmsKeyId", "KmsKeyId"),
    ],
)
def test_a_setting_that_the_clone_lacks_is_shown(answer: str, parameter: str) -> None:
    old = Cluster.parse(CLUSTER)
    lacking = {name: value for name, value in CLUSTER.items() if name != answer}
    (line,) = carried_differences(old, Cluster.parse(lacking))
    assert line.startswith(f"{parameter}: ")
    assert line.endswith(" -> (none)")
    assert carried_differences(old, old) == []


def test_falsehoods_are_carried_and_absences_are_not() -> None:
    call = clone_instance_call(Instance.parse(INSTANCE), "bp-prime-1", "bp-prime", {})
    assert call.parameters == {
        "DBInstanceIdentifier": "bp-prime-1",
        "DBClusterIdentifier": "bp-prime",
        "Engine": "aurora-postgresql",
        "DBInstanceClass": "db.r6g.large",
        "DBParameterGroupName": "orders-i16",
        "PubliclyAccessible": False,
        "PromotionTier": 0,
        "AvailabilityZone": "us-east-1b",
        "PreferredMaintenanceWindow": "sun:03:00-sun:03:30",
        "AutoMinorVersionUpgrade": False,
        "CACertificateIdentifier": "rds-ca-rsa2048-g1",
        "EnablePerformanceInsights": False,
        "Tags": [],
    }
    _accepted_by_boto(call)
