"""The errors of the RDS API: wire codes and texts as AWS sends them.

The HTTP status follows from the code by botocore's service model (`DBClusterNotFoundFault` 404,
`DBClusterQuotaExceededFault` 403, most others 400).
"""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class RdsFault(ServiceException):  # type: ignore[misc]
    """A refusal that the caller sees as botocore's `ClientError`: a code and a text."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


def invalid_value(message: str) -> RdsFault:
    """Refuse a parameter's value."""
    return RdsFault("InvalidParameterValue", message)


def invalid_combination(message: str) -> RdsFault:
    """Refuse parameters, or a state, that do not go together."""
    return RdsFault("InvalidParameterCombination", message)


def missing_parameter(name: str) -> RdsFault:
    """Refuse a request that lacks a required parameter."""
    return RdsFault("MissingParameter", f"The request must contain the parameter {name}.")


def cluster_not_found(identifier: str) -> RdsFault:
    """Say that no cluster bears the name."""
    return RdsFault("DBClusterNotFoundFault", f"DBCluster {identifier} not found.")


def cluster_exists(identifier: str) -> RdsFault:
    """Refuse a cluster name that is taken."""
    return RdsFault("DBClusterAlreadyExistsFault", f"DB Cluster already exists: {identifier}")


def cluster_state(message: str) -> RdsFault:
    """Refuse because of the state of a cluster."""
    return RdsFault("InvalidDBClusterStateFault", message)


def cluster_not_available(identifier: str, status: str) -> RdsFault:
    """Refuse an action on a cluster that is busy with another one."""
    return cluster_state(f"DbCluster {identifier} is not in available state. Status: {status}")


def instance_not_found(identifier: str) -> RdsFault:
    """Say that no instance bears the name."""
    return RdsFault("DBInstanceNotFound", f"DBInstance {identifier} not found.")


def instance_exists() -> RdsFault:
    """Refuse an instance name that is taken."""
    return RdsFault("DBInstanceAlreadyExists", "DB instance already exists")


def instance_state(identifier: str) -> RdsFault:
    """Refuse an action on an instance that is busy with another one."""
    return RdsFault("InvalidDBInstanceState", f"DB instance {identifier} is not in available state")


def group_not_found(name: str, *, cluster: bool, named: bool = False) -> RdsFault:
    """Say that no parameter group bears the name.

    Where another resource names it, AWS's model has a code of its own for a cluster's group.
    """
    kind = "DBClusterParameterGroup" if cluster else "DBParameterGroup"
    code = "DBClusterParameterGroupNotFound" if cluster and named else "DBParameterGroupNotFound"
    return RdsFault(code, f"{kind} not found: {name}")


def group_exists(name: str) -> RdsFault:
    """Refuse the name of a parameter group that is taken."""
    return RdsFault("DBParameterGroupAlreadyExists", f"Parameter group {name} already exists")


def group_state(message: str) -> RdsFault:
    """Refuse a change to a parameter group that is in use, or that is a default one."""
    return RdsFault("InvalidDBParameterGroupState", message)


def deployment_not_found(identifier: str) -> RdsFault:
    """Say that no blue/green deployment has the identifier."""
    return RdsFault(
        "BlueGreenDeploymentNotFoundFault", f"BlueGreenDeployment {identifier} not found."
    )


def deployment_exists(name: str) -> RdsFault:
    """Refuse the name of a blue/green deployment that is taken."""
    return RdsFault(
        "BlueGreenDeploymentAlreadyExistsFault",
        f"A Blue Green Deployment with the name '{name}' already exists",
    )


def deployment_state(message: str) -> RdsFault:
    """Refuse an action because of the state of a deployment."""
    return RdsFault("InvalidBlueGreenDeploymentStateFault", message)


def source_not_supported(message: str) -> RdsFault:
    """Refuse a cluster as the source of a blue/green deployment."""
    return RdsFault("SourceClusterNotSupportedFault", message)


def snapshot_not_found(identifier: str) -> RdsFault:
    """Say that no cluster snapshot bears the name."""
    return RdsFault("DBClusterSnapshotNotFoundFault", f"DBClusterSnapshot {identifier} not found.")


def snapshot_exists(identifier: str) -> RdsFault:
    """Refuse the name of a cluster snapshot that is taken."""
    return RdsFault(
        "DBClusterSnapshotAlreadyExistsFault",
        f"Cannot create the cluster snapshot because one with the identifier {identifier}"
        " already exists.",
    )
