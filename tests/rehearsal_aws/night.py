"""A real lab, asked in few words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import psycopg
import pytest
from botocore.config import Config

from rehearsal import lab
from tests.rehearsal_aws.conftest import until


def client(running: dict[str, Any], service: str = "rds") -> Any:
    given = running["env"]
    connect: Any = boto3.client
    return connect(
        service,
        endpoint_url=given["AWS_ENDPOINT_URL"],
        region_name=given["AWS_REGION"],
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"mode": "standard"}),
    )


class Night:
    """What the night test asks of the lab, in few words."""

    def __init__(self, running: dict[str, Any]) -> None:
        self.rds = client(running)
        self.env = running["env"]

    def cluster(self, name: str) -> dict[str, Any]:
        rows = self.rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
        found: dict[str, Any] = rows[0]
        return found

    def instance(self, name: str) -> dict[str, Any]:
        rows = self.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
        found: dict[str, Any] = rows[0]
        return found

    def deployment(self, identifier: str) -> dict[str, Any]:
        rows = self.rds.describe_blue_green_deployments(BlueGreenDeploymentIdentifier=identifier)
        found: dict[str, Any] = rows["BlueGreenDeployments"][0]
        return found

    def session(self, cluster: str, dbname: str = "orders") -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=self.env["PGHOST"],
            port=self.cluster(cluster)["Port"],
            user=self.env["PGUSER"],
            passfile=self.env["PGPASSFILE"],
            dbname=dbname,
            autocommit=True,
        )

    def sql(self, cluster: str, statement: str, dbname: str = "orders") -> list[Any]:
        with self.session(cluster, dbname) as connection:
            result = connection.execute(statement.encode())
            return result.fetchall() if result.description else []

    def messages(self, cluster: str) -> str:
        events = self.rds.describe_events(SourceType="db-cluster", SourceIdentifier=cluster)
        return "\n".join(event["Message"] for event in events["Events"])

    def until_status(self, look: Callable[[], dict[str, Any]], *statuses: str) -> None:
        until(lambda: look()["Status"] in statuses, 90)


LOCKED = "SET default_transaction_read_only = off; INSERT INTO customer (name) VALUES ('x')"


def parameter_group(night: Night) -> None:
    """Make green's parameter group."""
    night.rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="orders-pg18",
        DBParameterGroupFamily="aurora-postgresql18",
        Description="green",
    )
    wanted = {
        "rds.logical_replication": "1",
        "max_replication_slots": "30",
        "max_wal_senders": "30",
        "max_logical_replication_workers": "20",
        "max_worker_processes": "50",
    }
    night.rds.modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="orders-pg18",
        Parameters=[
            {"ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
            for name, value in wanted.items()
        ],
    )


def deployed(night: Night) -> str:
    """Create the deployment, held up by an idle transaction at first; return its identifier."""
    blue = night.cluster("orders")
    idle = psycopg.connect(
        host=night.env["PGHOST"],
        port=blue["Port"],
        user=night.env["PGUSER"],
        passfile=night.env["PGPASSFILE"],
        dbname="orders",
    )
    idle.execute("UPDATE customer SET name = name WHERE id = 2")
    identifier: str = night.rds.create_blue_green_deployment(
        BlueGreenDeploymentName="night",
        Source=blue["DBClusterArn"],
        TargetEngineVersion="18.4",
        TargetDBClusterParameterGroupName="orders-pg18",
    )["BlueGreenDeployment"]["BlueGreenDeploymentIdentifier"]
    until(lambda: "idle or long-running transactions" in night.messages("orders"), 30)
    assert night.deployment(identifier)["Status"] == "PROVISIONING"
    idle.close()
    night.until_status(lambda: night.deployment(identifier), "AVAILABLE", "INVALID_CONFIGURATION")
    assert "StatusDetails" not in night.deployment(identifier)
    green = night.deployment(identifier)["Target"].rpartition(":")[2]
    assert night.sql(green, "SHOW server_version") == [("18.4",)]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        night.sql(green, "INSERT INTO customer (name) VALUES ('x')")
    return identifier


def switched_over(night: Night, identifier: str) -> None:
    """Switch over, the second time to the end."""
    rds, port = night.rds, night.cluster("orders")["Port"]
    lab.fault("fail-switchover")
    rds.switchover_blue_green_deployment(BlueGreenDeploymentIdentifier=identifier)
    until(lambda: "StatusDetails" in night.deployment(identifier), 60)
    assert night.deployment(identifier)["Status"] == "AVAILABLE"
    assert night.sql("orders", "SHOW server_version") == [("16.14",)]
    night.sql("orders", "UPDATE customer SET name = 'after the canceled one' WHERE id = 1")

    rds.switchover_blue_green_deployment(BlueGreenDeploymentIdentifier=identifier)
    night.until_status(lambda: night.deployment(identifier), "SWITCHOVER_COMPLETED")
    assert night.cluster("orders")["Port"] == port
    assert night.sql("orders", "SHOW server_version") == [("18.4",)]
    assert night.sql("orders", "SELECT aurora_db_instance_identifier()") == [("orders-1",)]
    assert night.sql("orders", "SELECT name FROM customer WHERE id = 1") == [
        ("after the canceled one",)
    ]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        night.sql("orders-old1", LOCKED)
    assert night.sql("orders-old1", "SELECT aurora_db_instance_identifier()") == [
        ("orders-1-old1",)
    ]


def cloned(night: Night, identifier: str) -> None:
    """Delete the deployment, clone old blue, and rename the clone."""
    rds = night.rds
    rds.delete_blue_green_deployment(BlueGreenDeploymentIdentifier=identifier)
    until(lambda: not rds.describe_blue_green_deployments()["BlueGreenDeployments"], 30)
    night.sql("orders-old1", LOCKED)
    rds.restore_db_cluster_to_point_in_time(
        DBClusterIdentifier="prime",
        SourceDBClusterIdentifier="orders-old1",
        RestoreType="copy-on-write",
        UseLatestRestorableTime=True,
        DBClusterParameterGroupName="orders-pg16",
    )
    night.until_status(lambda: night.cluster("prime"), "available")
    rds.create_db_instance(
        DBInstanceIdentifier="prime-1",
        DBClusterIdentifier="prime",
        Engine="aurora-postgresql",
        DBInstanceClass="db.r6g.large",
    )
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier="prime-1", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    assert night.sql("prime", "SHOW server_version") == [("16.14",)]
    assert night.sql("prime", "SHOW max_replication_slots") == [("30",)]
    assert night.sql("prime", "SELECT name FROM customer WHERE id = 1") == [
        ("after the canceled one",)
    ]
    volume = night.cluster("prime")["DbClusterResourceId"]
    rds.modify_db_cluster(
        DBClusterIdentifier="prime", NewDBClusterIdentifier="prime-two", ApplyImmediately=True
    )
    renamed = [{"Name": "db-cluster-resource-id", "Values": [volume]}]
    until(
        lambda: (
            rds.describe_db_clusters(Filters=renamed)["DBClusters"][0]["DBClusterIdentifier"]
            == "prime-two"
        )
    )
    assert night.sql("prime-two", "SELECT aurora_db_instance_identifier()") == [("prime-1",)]
