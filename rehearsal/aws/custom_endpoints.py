"""Custom endpoints of clusters: made, changed, deleted and listed beside a cluster's own two.

AWS's shape of an endpoint has no port, which is the cluster's there; in the lab each has a port of
its own, which `lab status` tells. It leads to the cluster's server, as a reader's does.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-custom-endpoint-creating.html
"""

from __future__ import annotations

from rehearsal.aws import errors
from rehearsal.aws.control import Control, check_identifier
from rehearsal.aws.models import Cluster, CustomEndpoint, Instance
from rehearsal.aws.registry import Params, Shape, action, filters, matches, page, required, tag_map

QUOTA = 5
"""How many custom endpoints a cluster may have."""

_KINDS = ("READER", "ANY")


def add_endpoint(control: Control, endpoint: CustomEndpoint) -> None:
    """Give a cluster an endpoint, with a port of its own."""
    endpoint.cluster.endpoints.append(endpoint)
    control.name(endpoint, endpoint.identifier)
    control.route(endpoint.cluster)


def find(control: Control, name: str) -> CustomEndpoint:
    """Return the endpoint with this identifier or ARN, or raise DBClusterEndpointNotFoundFault."""
    for endpoint in control.custom_endpoints:
        if name.lower() == endpoint.identifier or name == control.arn(endpoint):
            return endpoint
    raise errors.RdsFault("DBClusterEndpointNotFoundFault", f"DBClusterEndpoint {name} not found.")


@action("CreateDBClusterEndpoint")
def create(control: Control, params: Params) -> Shape:
    """Make a custom endpoint of a cluster; it works when it is `available`."""
    with control.lock:
        cluster = _changeable(control.cluster(required(params, "DBClusterIdentifier")))
        identifier = check_identifier(
            required(params, "DBClusterEndpointIdentifier"), "DBClusterEndpointIdentifier"
        )
        if any(each.identifier == identifier for each in control.custom_endpoints):
            raise errors.RdsFault(
                "DBClusterEndpointAlreadyExistsFault",
                f"DB cluster endpoint already exists: {identifier}",
            )
        if len(cluster.endpoints) >= QUOTA:
            raise errors.RdsFault(
                "DBClusterEndpointQuotaExceededFault",
                f"A DB cluster can have {QUOTA} custom endpoints at most.",
            )
        endpoint = CustomEndpoint(identifier, cluster, "", tags=tag_map(params))
        required(params, "EndpointType")
        _set(control, endpoint, params)
        add_endpoint(control, endpoint)
        return _settled(control, endpoint, "creating")


@action("ModifyDBClusterEndpoint")
def modify(control: Control, params: Params) -> Shape:
    """Change the type or the members of a custom endpoint."""
    with control.lock:
        endpoint = _available(control, params)
        _set(control, endpoint, params)
        return _settled(control, endpoint, "modifying")


@action("DeleteDBClusterEndpoint")
def delete(control: Control, params: Params) -> Shape:
    """Delete a custom endpoint; sessions that came through it go on."""
    with control.lock:
        endpoint = _available(control, params)
        endpoint.status = "deleting"

        def work() -> None:
            with control.pace.at_least("modify-endpoint"):
                pass
            with control.lock:
                forget_endpoint(control, endpoint)

        control.background(f"delete endpoint {endpoint.identifier}", work, of=endpoint.cluster)
        return shape(control, endpoint)


def forget_endpoint(control: Control, endpoint: CustomEndpoint) -> None:
    """Remove an endpoint from its cluster."""
    endpoint.gone = True
    control.release(endpoint)
    if endpoint in endpoint.cluster.endpoints:
        endpoint.cluster.endpoints.remove(endpoint)


def _changeable(cluster: Cluster) -> Cluster:
    if cluster.status != "available":
        raise errors.cluster_not_available(cluster.identifier, cluster.status)
    return cluster


def _available(control: Control, params: Params) -> CustomEndpoint:
    endpoint = find(control, required(params, "DBClusterEndpointIdentifier"))
    _changeable(endpoint.cluster)
    if endpoint.status != "available":
        raise errors.RdsFault(
            "InvalidDBClusterEndpointStateFault",
            f"DBClusterEndpoint {endpoint.identifier} is not in available state.",
        )
    return endpoint


def _set(control: Control, endpoint: CustomEndpoint, params: Params) -> None:
    kind = params.get("EndpointType")
    if kind is not None and kind.upper() not in _KINDS:
        raise errors.invalid_value(f"Invalid EndpointType {kind}: it is READER or ANY.")
    static, excluded = params.get("StaticMembers"), params.get("ExcludedMembers")
    if static and excluded:
        raise errors.invalid_combination(
            "StaticMembers and ExcludedMembers can't be specified together."
        )
    members = _members(endpoint.cluster, static), _members(endpoint.cluster, excluded)
    endpoint.kind = kind.upper() if kind else endpoint.kind
    if static is not None or excluded is not None:
        endpoint.static, endpoint.excluded = members


def _members(cluster: Cluster, names: list[str] | None) -> list[Instance]:
    by_name = {member.identifier: member for member in cluster.instances}
    for name in names or ():
        if name.lower() not in by_name:
            raise errors.instance_not_found(name)
    return [by_name[name.lower()] for name in names or ()]


def _settled(control: Control, endpoint: CustomEndpoint, status: str) -> Shape:
    endpoint.status = status

    def work() -> None:
        with control.pace.at_least("modify-endpoint"):
            pass
        endpoint.status = "available"

    control.background(f"{status} endpoint {endpoint.identifier}", work, of=endpoint.cluster)
    return shape(control, endpoint)


@action("DescribeDBClusterEndpoints")
def describe(control: Control, params: Params) -> Shape:
    """List the writer, reader and custom endpoints of clusters."""
    wanted = filters(
        params,
        "db-cluster-endpoint-type",
        "db-cluster-endpoint-custom-type",
        "db-cluster-endpoint-id",
        "db-cluster-endpoint-status",
    )
    with control.lock:
        name = params.get("DBClusterIdentifier")
        clusters = [control.cluster(name)] if name else control.clusters
        rows = [row for cluster in clusters for row in _rows(control, cluster)]
    only = params.get("DBClusterEndpointIdentifier")
    if only:
        rows = [row for row in rows if row.get("DBClusterEndpointIdentifier") == only.lower()]
    rows = [
        row
        for row in rows
        if _passes(wanted, "db-cluster-endpoint-type", row["EndpointType"])
        and _passes(wanted, "db-cluster-endpoint-custom-type", row.get("CustomEndpointType"))
        and _passes(wanted, "db-cluster-endpoint-id", row.get("DBClusterEndpointIdentifier"))
        and _passes(wanted, "db-cluster-endpoint-status", row["Status"])
    ]
    return page(params, "DBClusterEndpoints", rows)


def _passes(wanted: dict[str, list[str]], name: str, value: str | None) -> bool:
    return matches(wanted, name, value, (value or "").lower())


def _rows(control: Control, cluster: Cluster) -> list[Shape]:
    own = [
        {
            "DBClusterIdentifier": cluster.identifier,
            "Endpoint": host(cluster),
            "Status": "available" if cluster.status != "creating" else "creating",
            "EndpointType": kind,
        }
        for kind, host in (("WRITER", control.hosts.writer), ("READER", control.hosts.reader))
    ]
    return [*own, *(shape(control, endpoint) for endpoint in cluster.endpoints)]


def shape(control: Control, endpoint: CustomEndpoint) -> Shape:
    """Return an endpoint as AWS's `DBClusterEndpoint`."""
    return {
        "DBClusterEndpointIdentifier": endpoint.identifier,
        "DBClusterIdentifier": endpoint.cluster.identifier,
        "DBClusterEndpointResourceIdentifier": endpoint.resource_id,
        "Endpoint": control.hosts.custom(endpoint),
        "Status": endpoint.status,
        "EndpointType": "CUSTOM",
        "CustomEndpointType": endpoint.kind,
        "StaticMembers": [each.identifier for each in endpoint.static if not each.gone],
        "ExcludedMembers": [each.identifier for each in endpoint.excluded if not each.gone],
        "DBClusterEndpointArn": control.arn(endpoint),
    }
