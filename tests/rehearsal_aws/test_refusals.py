"""What AWS refuses, the lab refuses: with a declared error, and without any effect."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rehearsal_aws.conftest import ACCOUNT, REGION, Lab, refusal
from tests.rehearsal_aws.requests import member

VALUE, COMBINATION = "InvalidParameterValue", "InvalidParameterCombination"

CLUSTER: tuple[tuple[dict[str, Any], str], ...] = (
    ({"DBSubnetGroupName": "absent"}, "DBSubnetGroupNotFoundFault"),
    ({"VpcSecurityGroupIds": ["sg-0absent"]}, VALUE),
    ({"KmsKeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"}, "KMSKeyNotAccessibleFault"),
    ({"KmsKeyId": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/absent"}, "KMSKeyNotAccessibleFault"),
    ({"KmsKeyId": "alias/absent"}, "KMSKeyNotAccessibleFault"),
    ({"Port": 99_999}, VALUE),
    ({"Port": 1_149}, VALUE),
    ({"Tags": [{"Key": "aws:cloudformation:stack-name", "Value": "x"}]}, VALUE),
    ({"Tags": [{"Key": "who?", "Value": "x"}]}, VALUE),
    ({"Tags": [{"Key": "k" * 129, "Value": "x"}]}, VALUE),
    ({"Tags": [{"Key": f"k{number}", "Value": "x"} for number in range(51)]}, VALUE),
    ({"DBClusterParameterGroupName": "absent"}, "DBClusterParameterGroupNotFound"),
    ({"DBClusterParameterGroupName": "default.aurora-postgresql18"}, COMBINATION),
    ({"OptionGroupName": "default:mysql-8-0"}, "OptionGroupNotFoundFault"),
    ({"Domain": "d-0123456789"}, "DomainNotFoundFault"),
    ({"BackupRetentionPeriod": 36}, VALUE),
    ({"PreferredBackupWindow": "2:00-2:30"}, VALUE),
    ({"EnableCloudwatchLogsExports": ["audit"]}, VALUE),
    ({"StorageType": "io2"}, VALUE),
    ({"NetworkType": "IPV6"}, VALUE),
    ({"MonitoringInterval": 7, "MonitoringRoleArn": "arn:aws:iam::1:role/monitor"}, VALUE),
    ({"MonitoringInterval": 60}, COMBINATION),
    ({"ServerlessV2ScalingConfiguration": {"MinCapacity": 8, "MaxCapacity": 4}}, COMBINATION),
    ({"ServerlessV2ScalingConfiguration": {"MinCapacity": 0.3, "MaxCapacity": 4}}, VALUE),
    ({"Iops": 3_000}, COMBINATION),
    ({"DBClusterIdentifier": "prime--1"}, VALUE),
    ({"DBClusterIdentifier": "prime-"}, VALUE),
    ({"DBClusterIdentifier": "orders"}, "DBClusterAlreadyExistsFault"),
)


@pytest.mark.parametrize(("params", "code"), CLUSTER, ids=str)
def test_a_clone_that_aws_would_not_make(lab: Lab, params: dict[str, Any], code: str) -> None:
    given = {
        "DBClusterIdentifier": "prime",
        "SourceDBClusterIdentifier": "orders",
        "RestoreType": "copy-on-write",
        "UseLatestRestorableTime": True,
        **params,
    }
    found = refusal(lab.client().restore_db_cluster_to_point_in_time, **given)
    assert found[0] == code
    assert [cluster.identifier for cluster in lab.control.clusters] == ["orders"]


def test_a_clone_with_a_security_group_of_another_vpc(lab: Lab) -> None:
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="x", Description="x", VpcId=vpc)["GroupId"]
    code, words, _ = refusal(
        lab.client().restore_db_cluster_to_point_in_time,
        DBClusterIdentifier="prime",
        SourceDBClusterIdentifier="orders",
        UseLatestRestorableTime=True,
        DBSubnetGroupName="orders-private",
        VpcSecurityGroupIds=[group],
    )
    assert code == COMBINATION
    assert "different VPCs" in words


def test_a_key_that_is_there_is_taken(lab: Lab) -> None:
    key = lab.client("kms").create_key()["KeyMetadata"]
    for number, name in enumerate((key["KeyId"], key["Arn"])):
        lab.client().restore_db_cluster_to_point_in_time(
            DBClusterIdentifier=f"prime-{number}",
            SourceDBClusterIdentifier="orders",
            UseLatestRestorableTime=True,
            KmsKeyId=name,
        )
    lab.settle()
    lab.client("kms").disable_key(KeyId=key["KeyId"])
    code, _, _ = refusal(
        lab.client().restore_db_cluster_to_point_in_time,
        DBClusterIdentifier="prime-2",
        SourceDBClusterIdentifier="orders",
        UseLatestRestorableTime=True,
        KmsKeyId=key["KeyId"],
    )
    assert code == "KMSKeyNotAccessibleFault"


INSTANCE: tuple[tuple[dict[str, Any], str], ...] = (
    ({"DBInstanceClass": "db.huge"}, VALUE),
    ({"DBInstanceClass": "db.m5.large"}, COMBINATION),
    ({"DBInstanceClass": "db.serverless"}, "InvalidDBClusterStateFault"),
    ({"DBParameterGroupName": "default.aurora-postgresql18"}, COMBINATION),
    ({"CACertificateIdentifier": "rds-ca-2019"}, "CertificateNotFound"),
    ({"AvailabilityZone": "us-east-1f"}, "InvalidVPCNetworkStateFault"),
    ({"PromotionTier": 16}, VALUE),
    ({"MonitoringInterval": 60}, COMBINATION),
    ({"PerformanceInsightsRetentionPeriod": 7}, COMBINATION),
    ({"EnablePerformanceInsights": True, "PerformanceInsightsRetentionPeriod": 8}, VALUE),
    ({"PreferredMaintenanceWindow": "someday"}, VALUE),
    ({"AllocatedStorage": 100}, COMBINATION),
    ({"BackupRetentionPeriod": 7}, COMBINATION),
    ({"MasterUserPassword": "secret-enough"}, COMBINATION),
    ({"Port": 5432}, COMBINATION),
    ({"VpcSecurityGroupIds": ["sg-1"]}, COMBINATION),
    ({"DBSubnetGroupName": "default"}, COMBINATION),
    ({"DBInstanceIdentifier": "orders-1"}, "DBInstanceAlreadyExists"),
    ({"DBInstanceIdentifier": "1st"}, VALUE),
    ({"Tags": [{"Key": "aws:x", "Value": "x"}]}, VALUE),
)


@pytest.mark.parametrize(("params", "code"), INSTANCE, ids=str)
def test_an_instance_that_aws_would_not_make(lab: Lab, params: dict[str, Any], code: str) -> None:
    given = {**member("orders-3", "orders"), **params}
    assert refusal(lab.client().create_db_instance, **given)[0] == code
    assert len(lab.control.instances) == 2


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"TargetIops": 3_000}, COMBINATION),
        ({"TargetStorageType": "io2"}, COMBINATION),
        ({"TargetAllocatedStorage": 100}, COMBINATION),
        ({"TargetStorageThroughput": 500}, COMBINATION),
        ({"TargetDBInstanceClass": "db.r6g.large"}, COMBINATION),
        ({"TargetDBClusterParameterGroupName": "default.aurora-postgresql16"}, COMBINATION),
        ({"TargetDBParameterGroupName": "default.aurora-postgresql16"}, COMBINATION),
        ({"TargetEngineVersion": "16.1"}, COMBINATION),
        ({"BlueGreenDeploymentName": "night-"}, "ValidationError"),
        ({"Source": f"arn:aws:rds:{REGION}:{ACCOUNT}:db:orders-1"}, VALUE),
        ({"Tags": [{"Key": "aws:x", "Value": "x"}]}, VALUE),
    ],
    ids=str,
)
def test_a_deployment_that_aws_would_not_make(lab: Lab, params: dict[str, Any], code: str) -> None:
    given = {
        "BlueGreenDeploymentName": "night",
        "Source": lab.cluster()["DBClusterArn"],
        "TargetEngineVersion": "18.4",
        "TargetDBClusterParameterGroupName": "default.aurora-postgresql18",
        **params,
    }
    assert refusal(lab.client().create_blue_green_deployment, **given)[0] == code
    assert lab.control.deployments == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"VpcSecurityGroupIds": ["sg-0absent"]}, VALUE),
        ({"DBClusterParameterGroupName": "default.aurora-postgresql18"}, COMBINATION),
        ({"NewDBClusterIdentifier": "a--b"}, VALUE),
        ({"BackupRetentionPeriod": 0}, VALUE),
        ({"StorageType": "gp3"}, VALUE),
        ({"Port": 80}, VALUE),
    ],
    ids=str,
)
def test_a_change_to_a_cluster_that_aws_would_refuse(
    lab: Lab, params: dict[str, Any], code: str
) -> None:
    before = lab.cluster()
    found = refusal(
        lab.client().modify_db_cluster,
        DBClusterIdentifier="orders",
        ApplyImmediately=True,
        **params,
    )
    assert found[0] == code
    assert lab.cluster() == before


def test_a_reserved_tag_is_refused_whichever_way_it_comes(lab: Lab) -> None:
    code, _, _ = refusal(
        lab.client().add_tags_to_resource,
        ResourceName=lab.cluster()["DBClusterArn"],
        Tags=[{"Key": "aws:x", "Value": "x"}],
    )
    assert code == VALUE


def test_production_lets_its_own_security_group_in(lab: Lab) -> None:
    """The clusters of a deployment and of a way back reach each other by it."""
    (first, *_) = [row["VpcSecurityGroupId"] for row in lab.cluster()["VpcSecurityGroups"]]
    (group,) = lab.client("ec2").describe_security_groups(GroupIds=[first])["SecurityGroups"]
    sources = [
        pair["GroupId"]
        for rule in group["IpPermissions"]
        for pair in rule["UserIdGroupPairs"]
        if rule["FromPort"] == 0 and rule["ToPort"] == 65535
    ]
    assert first in sources
    subnets = lab.instance("orders-1")["DBSubnetGroup"]
    assert subnets["VpcId"] == group["VpcId"]
    assert len(subnets["Subnets"]) == 3


def test_option_groups_and_certificates_are_listed(lab: Lab) -> None:
    client = lab.client()
    groups = client.describe_option_groups(EngineName="aurora-postgresql")["OptionGroupsList"]
    assert "default:aurora-postgresql-16" in [group["OptionGroupName"] for group in groups]
    assert refusal(client.describe_option_groups, OptionGroupName="x")[0] == (
        "OptionGroupNotFoundFault"
    )
    authorities = client.describe_certificates()["Certificates"]
    assert lab.instance("orders-1")["CACertificateIdentifier"] in [
        authority["CertificateIdentifier"] for authority in authorities
    ]
    assert refusal(client.describe_certificates, CertificateIdentifier="x")[0] == (
        "CertificateNotFound"
    )
