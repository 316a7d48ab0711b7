"""How the control plane's records look in AWS's answers."""

from __future__ import annotations

from typing import Any

from rehearsal.aws.control import Control
from rehearsal.aws.models import Cluster, Deployment, Instance, Pair, ParameterGroup
from rehearsal.aws.network import subnet_group_shape
from rehearsal.aws.registry import Shape, tag_list
from rehearsal.aws.versions import ENGINE


def cluster_shape(control: Control, cluster: Cluster) -> Shape:
    """Return a cluster as AWS's `DBCluster`.

    Writer and reader endpoint share the one `Port` that AWS's shape has.
    """
    shape: Shape = {
        "EngineMode": "provisioned",
        **cluster.settings,
        "AssociatedRoles": [
            {"RoleArn": arn, "Status": "ACTIVE", **({"FeatureName": name} if name else {})}
            for arn, name in cluster.roles.items()
        ],
        "AllocatedStorage": 1,
        "AvailabilityZones": [f"{control.region}{zone}" for zone in "abc"],
        "DBClusterIdentifier": cluster.identifier,
        "DBClusterParameterGroup": cluster.group.name,
        "Status": cluster.shown or cluster.status,
        "EarliestRestorableTime": cluster.created,
        "Endpoint": _host(control, cluster),
        "ReaderEndpoint": control.hosts.reader(cluster),
        "MultiAZ": len(cluster.instances) > 1,
        "Engine": ENGINE,
        "EngineVersion": cluster.version,
        "Port": cluster.port,
        "MasterUsername": cluster.master,
        "DBClusterMembers": [
            {
                "DBInstanceIdentifier": member.identifier,
                "IsClusterWriter": member.is_writer,
                "DBClusterParameterGroupStatus": member.cluster_group_status,
                "PromotionTier": member.tier,
            }
            for member in cluster.instances
        ],
        "VpcSecurityGroups": _security_groups(cluster),
        "HostedZoneId": "Z2R2ITUGPM61AM",
        "DbClusterResourceId": cluster.resource_id,
        "DBClusterArn": control.arn(cluster),
        "ClusterCreateTime": cluster.created,
        "CrossAccountClone": False,
        "TagList": tag_list(cluster.tags),
    }
    if cluster.endpoints:
        shape["CustomEndpoints"] = [control.hosts.custom(each) for each in cluster.endpoints]
    if cluster.clone_group:
        shape["CloneGroupId"] = cluster.clone_group
    if cluster.percent is not None:
        shape["PercentProgress"] = str(cluster.percent)
    if cluster.pending:
        shape["PendingModifiedValues"] = dict(cluster.pending)
    if cluster.managed_secret:
        shape["MasterUserSecret"] = {
            "SecretArn": f"arn:aws:secretsmanager:{control.region}:{control.account}:"
            f"secret:rds!{cluster.resource_id}",
            "SecretStatus": "active",
        }
    return shape


def instance_shape(control: Control, instance: Instance) -> Shape:
    """Return an instance as AWS's `DBInstance`; no `Endpoint` while it is being created."""
    cluster = instance.cluster
    shape: Shape = {
        **instance.settings,
        "DBInstanceIdentifier": instance.identifier,
        "DBInstanceClass": instance.instance_class,
        "Engine": ENGINE,
        "EngineVersion": cluster.version,
        "DBInstanceStatus": instance.shown or instance.status,
        "MasterUsername": cluster.master,
        "AllocatedStorage": 1,
        "InstanceCreateTime": instance.created,
        "PreferredBackupWindow": cluster.settings["PreferredBackupWindow"],
        "BackupRetentionPeriod": cluster.settings["BackupRetentionPeriod"],
        "DBSecurityGroups": [],
        "VpcSecurityGroups": _security_groups(cluster),
        "DBParameterGroups": [
            {
                "DBParameterGroupName": instance.group.name,
                "ParameterApplyStatus": instance.instance_group_status,
            }
        ],
        "DBSubnetGroup": subnet_group_shape(control, cluster.settings["DBSubnetGroup"]),
        "PendingModifiedValues": dict(instance.pending),
        "MultiAZ": False,
        "LicenseModel": "postgresql-license",
        "StorageType": cluster.settings["StorageType"],
        "DbInstancePort": 0,
        "DBClusterIdentifier": cluster.identifier,
        "StorageEncrypted": cluster.settings["StorageEncrypted"],
        "DbiResourceId": instance.resource_id,
        "PromotionTier": instance.tier,
        "DBInstanceArn": control.arn(instance),
        "IAMDatabaseAuthenticationEnabled": cluster.settings["IAMDatabaseAuthenticationEnabled"],
        "DeletionProtection": False,
        "AssociatedRoles": [],
        "NetworkType": cluster.settings["NetworkType"],
        "TagList": tag_list(instance.tags),
    }
    if (instance.shown or instance.status) != "creating":
        shape["Endpoint"] = {
            "Address": control.hosts.instance(instance),
            "Port": instance.port,
            "HostedZoneId": "Z2R2ITUGPM61AM",
        }
    return shape


def _host(control: Control, cluster: Cluster) -> str:
    """Return the endpoint's name; of one that is to be lost, one that never resolves (RFC 6761)."""
    lost = cluster.resource_id in control.unresolved
    return f"{cluster.identifier}.invalid" if lost else control.hosts.writer(cluster)


def _security_groups(cluster: Cluster) -> list[dict[str, Any]]:
    return [{"VpcSecurityGroupId": group, "Status": "active"} for group in cluster.security_groups]


def deployment_shape(control: Control, deployment: Deployment) -> Shape:
    """Return a deployment as AWS's `BlueGreenDeployment`; no `Target` until green exists."""
    shape: Shape = {
        "BlueGreenDeploymentIdentifier": deployment.identifier,
        "BlueGreenDeploymentName": deployment.name,
        "Source": control.arn(deployment.source),
        "SwitchoverDetails": [_detail(control, pair) for pair in deployment.pairs],
        "Tasks": [{"Name": name, "Status": status} for name, status in deployment.tasks.items()],
        "Status": deployment.status,
        "CreateTime": deployment.created,
        "TagList": tag_list(deployment.tags),
    }
    if deployment.target:
        shape["Target"] = control.arn(deployment.target)
    if deployment.details:
        shape["StatusDetails"] = deployment.details
    if deployment.deleted:
        shape["DeleteTime"] = deployment.deleted
    return shape


def _detail(control: Control, pair: Pair) -> Shape:
    shape: Shape = {"SourceMember": control.arn(pair.source), "Status": pair.status}
    if pair.target:
        shape["TargetMember"] = control.arn(pair.target)
    if pair.source.gone:
        shape["Status"] = "MISSING_SOURCE"
    elif pair.target and pair.target.gone:
        shape["Status"] = "MISSING_TARGET"
    return shape


def group_shape(control: Control, group: ParameterGroup) -> Shape:
    """Return a parameter group as AWS's `DBClusterParameterGroup` or `DBParameterGroup`."""
    kind = "DBClusterParameterGroup" if group.cluster else "DBParameterGroup"
    return {
        f"{kind}Name": group.name,
        "DBParameterGroupFamily": group.family,
        "Description": group.about,
        f"{kind}Arn": control.arn(group),
    }
