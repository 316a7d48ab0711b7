"""What Amazon RDS says, read live; the changes are made through `Aws.perform`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runbook.aws.clients import Clients
from runbook.aws.errors import AwsRefused
from runbook.aws.facts import (
    Cluster,
    CustomEndpoint,
    Deployment,
    EngineVersion,
    Instance,
    Parameter,
    ParameterGroup,
    Quota,
    RdsEvent,
    Snapshot,
    tags_of,
)

ENGINE = "aurora-postgresql"


def _filter(name: str, *values: str) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": list(values)}]


class Rds:
    """Looks at clusters, instances, deployments and parameter groups of one region.

    What does not exist is None or an empty list; every other failure is an `AwsError`.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def cluster(self, identifier: str) -> Cluster | None:
        """Return the cluster that bears a name now."""
        rows = await self._found("DescribeDBClusters", "DBClusters", DBClusterIdentifier=identifier)
        return Cluster.parse(rows[0]) if rows else None

    async def cluster_by_resource_id(self, resource_id: str) -> Cluster | None:
        """Return the cluster of a `DbClusterResourceId`, under whatever name it has now."""
        found = await self.clusters_of([resource_id])
        return found[0] if found else None

    async def clusters_of(self, resource_ids: Iterable[str]) -> list[Cluster]:
        """Return those of some clusters that exist, by `DbClusterResourceId`, in one call."""
        wanted = set(resource_ids)
        if not wanted:
            return []
        rows = await self._found(
            "DescribeDBClusters",
            "DBClusters",
            Filters=_filter("db-cluster-resource-id", *sorted(wanted)),
        )
        clusters = (Cluster.parse(row) for row in rows)
        return [cluster for cluster in clusters if cluster.resource_id in wanted]

    async def clusters_named(self, names: Sequence[str]) -> list[Cluster]:
        """Return those of some clusters that exist, by name, in one call."""
        rows = await self._found(
            "DescribeDBClusters", "DBClusters", Filters=_filter("db-cluster-id", *names)
        )
        return [Cluster.parse(row) for row in rows]

    async def clusters(self) -> list[Cluster]:
        """Return the region's Aurora PostgreSQL clusters."""
        rows = await self._found("DescribeDBClusters", "DBClusters")
        return [Cluster.parse(row) for row in rows if row.get("Engine") == ENGINE]

    async def clone_group_size(self, clone_group_id: str) -> int:
        """Count the clusters that share storage: after 15 clones the next is a full copy."""
        rows = await self._found(
            "DescribeDBClusters", "DBClusters", Filters=_filter("clone-group-id", clone_group_id)
        )
        return len(rows)

    async def instances(self, *cluster_identifiers: str) -> list[Instance]:
        """Return the instances of one or more clusters, by name, in one call."""
        if not cluster_identifiers:
            return []
        rows = await self._found(
            "DescribeDBInstances",
            "DBInstances",
            Filters=_filter("db-cluster-id", *cluster_identifiers),
        )
        return sorted((Instance.parse(row) for row in rows), key=lambda i: i.identifier)

    async def instances_named(self, names: Sequence[str]) -> list[Instance]:
        """Return those of some instances that exist, by name, in one call."""
        if not names:
            return []
        rows = await self._found(
            "DescribeDBInstances", "DBInstances", Filters=_filter("db-instance-id", *names)
        )
        return [Instance.parse(row) for row in rows]

    async def instance(self, identifier: str) -> Instance | None:
        """Return the instance that bears a name now."""
        rows = await self._found(
            "DescribeDBInstances", "DBInstances", DBInstanceIdentifier=identifier
        )
        return Instance.parse(rows[0]) if rows else None

    async def custom_endpoints(self, cluster_identifier: str) -> list[CustomEndpoint]:
        """Return the endpoints that somebody added to a cluster."""
        rows = await self._found(
            "DescribeDBClusterEndpoints",
            "DBClusterEndpoints",
            DBClusterIdentifier=cluster_identifier,
        )
        return [
            CustomEndpoint(
                identifier=row.get("DBClusterEndpointIdentifier", ""),
                endpoint=row.get("Endpoint", ""),
                kind=row.get("CustomEndpointType", ""),
            )
            for row in rows
            if row.get("EndpointType") == "CUSTOM"
        ]

    async def proxies_of(self, cluster: str) -> list[str]:
        """Return the RDS proxies that lead to a cluster, by its name.

        No filter finds them by cluster, so each proxy of the region is asked; there are 20 at most.
        """
        names = [row["DBProxyName"] for row in await self._found("DescribeDBProxies", "DBProxies")]
        found = await asyncio.gather(
            *(self._found("DescribeDBProxyTargets", "Targets", DBProxyName=name) for name in names)
        )
        return [
            name
            for name, targets in zip(names, found, strict=True)
            if any(
                cluster in (row.get("TrackedClusterId"), row.get("RdsResourceId"))
                for row in targets
            )
        ]

    async def integrations_of(self, source_arn: str) -> list[str]:
        """Return the names of the zero-ETL integrations with this source."""
        rows = await self._found("DescribeIntegrations", "Integrations")
        return [row["IntegrationName"] for row in rows if row.get("SourceArn") == source_arn]

    async def deployment(self, identifier: str) -> Deployment | None:
        """Return a blue/green deployment by AWS's identifier (`bgd-...`)."""
        rows = await self.deployments(BlueGreenDeploymentIdentifier=identifier)
        return rows[0] if rows else None

    async def deployment_by_name(self, name: str) -> Deployment | None:
        """Return a blue/green deployment by the name it was given."""
        rows = await self.deployments(Filters=_filter("blue-green-deployment-name", name))
        return next((row for row in rows if row.name == name), None)

    async def deployments_of(self, arn: str) -> list[Deployment]:
        """Return the deployments whose source or target is this cluster's ARN, as it is now."""
        return [row for row in await self.deployments() if arn in (row.source, row.target)]

    async def deployments(self, **parameters: Any) -> list[Deployment]:
        """Return the deployments of the region: all, or those that the parameters choose."""
        rows = await self._found(
            "DescribeBlueGreenDeployments", "BlueGreenDeployments", **parameters
        )
        return [Deployment.parse(row) for row in rows]

    async def engine_version(self, version: str) -> EngineVersion | None:
        """Return a version of Aurora PostgreSQL with its upgrade targets."""
        rows = await self._found(
            "DescribeDBEngineVersions",
            "DBEngineVersions",
            Engine=ENGINE,
            EngineVersion=version,
            IncludeAll=True,
        )
        versions = (EngineVersion.parse(row) for row in rows)
        return next((v for v in versions if v.version == version), None)

    async def cluster_parameter_group(self, name: str) -> ParameterGroup | None:
        """Return a cluster parameter group."""
        rows = await self._found(
            "DescribeDBClusterParameterGroups",
            "DBClusterParameterGroups",
            DBClusterParameterGroupName=name,
        )
        return _group(rows[0], "DBClusterParameterGroup") if rows else None

    async def cluster_parameter_groups(self) -> list[ParameterGroup]:
        """Return every cluster parameter group of the region."""
        rows = await self._found("DescribeDBClusterParameterGroups", "DBClusterParameterGroups")
        return [_group(row, "DBClusterParameterGroup") for row in rows]

    async def instance_parameter_group(self, name: str) -> ParameterGroup | None:
        """Return an instance parameter group."""
        rows = await self._found(
            "DescribeDBParameterGroups", "DBParameterGroups", DBParameterGroupName=name
        )
        return _group(rows[0], "DBParameterGroup") if rows else None

    async def cluster_parameters(self, group: str, *, source: str = "") -> dict[str, Parameter]:
        """Return a cluster group's parameters by name; `source="user"` for those set by hand."""
        rows = await self._found(
            "DescribeDBClusterParameters",
            "Parameters",
            DBClusterParameterGroupName=group,
            **({"Source": source} if source else {}),
        )
        parameters = (Parameter.parse(row) for row in rows)
        return {p.name: p for p in parameters if not source or p.source == source}

    async def family_parameters(self, family: str) -> dict[str, Parameter]:
        """Return the cluster parameters that a family knows, with the engine's defaults."""
        rows = await self._found(
            "DescribeEngineDefaultClusterParameters",
            "EngineDefaults.Parameters",
            DBParameterGroupFamily=family,
        )
        return {row["ParameterName"]: Parameter.parse(row) for row in rows}

    async def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a resource, empty where it is gone."""
        try:
            answer = await self._clients.read("rds", "ListTagsForResource", {"ResourceName": arn})
        except AwsRefused as error:
            if _not_found(error):
                return {}
            raise
        return tags_of(answer.get("TagList"))

    async def events(self, source_type: str, source: str) -> list[RdsEvent]:
        """Return what RDS reported of a source within the last hour, oldest first.

        `source_type` is `blue-green-deployment`, `db-cluster` or `db-instance`; `source` its
        identifier. AWS keeps 14 days.
        """
        rows = await self._found(
            "DescribeEvents",
            "Events",
            SourceType=source_type,
            SourceIdentifier=source,
            Duration=60,
        )
        events = [RdsEvent(row.get("Message", ""), row["Date"]) for row in rows]
        return sorted(events, key=lambda event: event.at)

    async def snapshot(self, identifier: str) -> Snapshot | None:
        """Return a cluster snapshot."""
        rows = await self._found(
            "DescribeDBClusterSnapshots",
            "DBClusterSnapshots",
            DBClusterSnapshotIdentifier=identifier,
        )
        return Snapshot.parse(rows[0]) if rows else None

    async def manual_snapshots(self) -> list[Snapshot]:
        """Return the snapshots of clusters in the region that somebody has taken."""
        rows = await self._found(
            "DescribeDBClusterSnapshots", "DBClusterSnapshots", SnapshotType="manual"
        )
        return [Snapshot.parse(row) for row in rows]

    async def retained_backups(self) -> list[str]:
        """Return the resource ids of deleted clusters whose automated backups were kept."""
        rows = await self._found("DescribeDBClusterAutomatedBackups", "DBClusterAutomatedBackups")
        return [row["DbClusterResourceId"] for row in rows if row.get("Status") == "retained"]

    async def account_quotas(self) -> dict[str, Quota]:
        """Return the account's limits in this region by AWS's name, e.g. `DBClusters`."""
        answer = await self._clients.read("rds", "DescribeAccountAttributes", {})
        return {
            row["AccountQuotaName"]: Quota(int(row["Used"]), int(row["Max"]))
            for row in answer.get("AccountQuotas", ())
        }

    async def log_tail(self, instance: str, lines: int = 2000) -> str:
        """Return the last lines of an instance's newest PostgreSQL log; empty where it has none."""
        rows = await self._found(
            "DescribeDBLogFiles",
            "DescribeDBLogFiles",
            DBInstanceIdentifier=instance,
            FilenameContains="postgresql",
        )
        if not rows:
            return ""
        newest = max(rows, key=lambda row: row.get("LastWritten") or 0)
        answer = await self._clients.read(
            "rds",
            "DownloadDBLogFilePortion",
            {
                "DBInstanceIdentifier": instance,
                "LogFileName": newest["LogFileName"],
                "NumberOfLines": lines,
            },
        )
        return str(answer.get("LogFileData") or "")

    async def _found(self, action: str, path: str, **parameters: Any) -> list[dict[str, Any]]:
        try:
            return await self._clients.pages("rds", action, path, parameters)
        except AwsRefused as error:
            if _not_found(error):
                return []
            raise


def _not_found(error: AwsRefused) -> bool:
    return "NotFound" in error.code


def _group(row: Mapping[str, Any], prefix: str) -> ParameterGroup:
    return ParameterGroup(
        name=row[f"{prefix}Name"],
        family=row.get("DBParameterGroupFamily", ""),
        arn=row.get(f"{prefix}Arn", ""),
    )
