"""What others have tied to a cluster: proxies and integrations. The lab makes none by itself."""

from __future__ import annotations

from rehearsal.aws.control import Control
from rehearsal.aws.errors import RdsFault
from rehearsal.aws.registry import Params, Shape, action, page, required


@action("DescribeDBProxies")
def proxies(control: Control, params: Params) -> Shape:
    """List the RDS proxies."""
    wanted = params.get("DBProxyName")
    rows: list[Shape] = [
        {"DBProxyName": name, "Status": "available", "EngineFamily": "POSTGRESQL"}
        for name in control.proxies
        if wanted in (None, name)
    ]
    return page(params, "DBProxies", rows)


@action("DescribeDBProxyTargets")
def proxy_targets(control: Control, params: Params) -> Shape:
    """List what a proxy leads to.

    Raises `RdsFault` for a proxy that is not there.
    """
    name = required(params, "DBProxyName")
    if name not in control.proxies:
        raise RdsFault("DBProxyNotFoundFault", f"DBProxy {name} not found.")
    cluster = control.proxies[name]
    row: Shape = {"RdsResourceId": cluster, "TrackedClusterId": cluster, "Type": "TRACKED_CLUSTER"}
    return page(params, "Targets", [row])


@action("DescribeIntegrations")
def integrations(control: Control, params: Params) -> Shape:
    """List the zero-ETL integrations."""
    rows: list[Shape] = [
        {"IntegrationName": name, "SourceArn": source, "Status": "active"}
        for name, source in control.integrations.items()
    ]
    return page(params, "Integrations", rows)
