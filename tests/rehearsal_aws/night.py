"""A real lab, asked in few words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import psycopg
from botocore.config import Config

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

    def deployment(self, identifier: str) -> dict[str, Any]:
        rows = self.rds.describe_blue_green_deployments(BlueGreenDeploymentIdentifier=identifier)
        found: dict[str, Any] = rows["BlueGreenDeployments"][0]
        return found

    def sql(self, cluster: str, statement: str, dbname: str = "orders") -> list[Any]:
        with psycopg.connect(
            host=self.env["PGHOST"],
            port=self.cluster(cluster)["Port"],
            user=self.env["PGUSER"],
            passfile=self.env["PGPASSFILE"],
            dbname=dbname,
            autocommit=True,
        ) as connection:
            result = connection.execute(statement.encode())
            return result.fetchall() if result.description else []

    def messages(self, cluster: str) -> str:
        events = self.rds.describe_events(SourceType="db-cluster", SourceIdentifier=cluster)
        return "\n".join(event["Message"] for event in events["Events"])

    def until_status(self, look: Callable[[], dict[str, Any]], *statuses: str) -> None:
        until(lambda: look()["Status"] in statuses, 90)
