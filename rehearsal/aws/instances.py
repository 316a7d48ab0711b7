"""The actions on instances: describe, create, modify, reboot, delete."""

from __future__ import annotations

from rehearsal.aws import errors, failover, limits, operation_faults
from rehearsal.aws.control import Control, check_identifier
from rehearsal.aws.models import Cluster, Instance
from rehearsal.aws.registry import Params, Shape, action, filters, matches, page, required, tag_map
from rehearsal.aws.settings import instance_defaults, instance_settings
from rehearsal.aws.shapes import instance_shape
from rehearsal.aws.versions import ENGINE
from rehearsal.servers.ground import ServerError

_QUOTA = 40

_UNABLE = ("incompatible-", "failed")
"""How the statuses begin in which an instance has no server."""


@action("DescribeDBInstances")
def describe(control: Control, params: Params) -> Shape:
    """List instances; an unknown identifier is an error, a filter without a match is not."""
    wanted = filters(params, "db-cluster-id", "db-instance-id", "dbi-resource-id", "engine")
    with control.lock:
        name = params.get("DBInstanceIdentifier")
        found = [control.instance(name)] if name else control.instances
        rows = [
            instance_shape(control, instance)
            for instance in found
            if matches(
                wanted,
                "db-cluster-id",
                instance.cluster.identifier,
                control.arn(instance.cluster),
            )
            and matches(wanted, "db-instance-id", instance.identifier, control.arn(instance))
            and matches(wanted, "dbi-resource-id", instance.resource_id)
            and matches(wanted, "engine", ENGINE)
        ]
    return page(params, "DBInstances", rows)


@action("CreateDBInstance")
def create(control: Control, params: Params) -> Shape:
    """Add a member to a cluster; the first one becomes the writer and starts the server.

    Raises `RdsFault` for what AWS would refuse.
    """
    if required(params, "Engine") != ENGINE:
        raise errors.invalid_value(f"The rehearsal lab has only the engine {ENGINE}")
    if not params.get("DBClusterIdentifier"):
        raise errors.invalid_combination(
            f"The engine {ENGINE} requires an Aurora cluster: DBClusterIdentifier is missing."
        )
    with control.lock:
        cluster = control.cluster(params["DBClusterIdentifier"])
        identifier = check_identifier(
            required(params, "DBInstanceIdentifier"), "DBInstanceIdentifier"
        )
        control.claim_instance_name(identifier)
        if cluster.status != "available":
            raise errors.cluster_not_available(cluster.identifier, cluster.status)
        if len(control.instances) >= _QUOTA:
            raise errors.RdsFault(
                "InstanceQuotaExceeded", f"Cannot create more than {_QUOTA} DB instances"
            )
        if params.get("EngineVersion") not in (None, cluster.version):
            raise errors.invalid_combination(
                "The specified engine version must be that of the DB cluster."
            )
        limits.check_instance(control, cluster, params)
        instance = Instance(
            identifier=identifier,
            cluster=cluster,
            instance_class=required(params, "DBInstanceClass"),
            group=control.fitting_group(
                params.get("DBParameterGroupName"), cluster.version, cluster=False
            ),
            port=0,
            settings={**instance_defaults(), **instance_settings(params)},
            tags=tag_map(params),
            tier=params.get("PromotionTier", 1),
            is_writer=cluster.writer is None,
        )
        add_instance(control, instance)
        control.background(f"create {identifier}", lambda: _start(control, instance), of=instance)
        return {"DBInstance": instance_shape(control, instance)}


def add_instance(control: Control, instance: Instance) -> None:
    """Make an instance a member of its cluster, with a port of its own."""
    instance.cluster.instances.append(instance)
    control.name(instance, instance.identifier)


def _start(control: Control, instance: Instance) -> None:
    cluster = instance.cluster
    if failure := operation_faults.instance(control, instance):
        _fail(control, instance, failure)
        return
    with (
        operation_faults.shown_early(control, instance),
        control.pace.at_least("create-instance"),
    ):
        try:
            if instance.is_writer:
                _serve(control, cluster)
        except ServerError as error:
            instance.status = "failed"
            control.event(instance, f"DB instance failed to start: {error}", "failure")
            return
    with control.lock:
        instance.apply_groups()
        control.route(cluster)
        instance.status = "available"
        control.event(instance, "DB instance created", "creation")
    if not instance.is_writer:
        control.identify(cluster)


def _fail(control: Control, instance: Instance, status: str) -> None:
    """Leave an instance unusable; where it was to be the writer, another member is."""
    cluster = instance.cluster
    with control.lock:
        instance.status = status
        control.event(instance, f"DB instance is in {status} state.", "failure")
        if not instance.is_writer:
            return
        instance.is_writer = False
        _promote(cluster)
    if cluster.writer:
        _serve(control, cluster)
        control.route(cluster)


def _serve(control: Control, cluster: Cluster) -> None:
    """Start the cluster's server with what its writer's groups hold."""
    control.fleet.apply_settings(cluster.resource_id, control.settings(cluster))
    control.fleet.start(cluster.resource_id)
    control.identify(cluster)


def _available(control: Control, name: str) -> Instance:
    instance = control.instance(name)
    if instance.status != "available":
        raise errors.instance_state(instance.identifier)
    deployment = control.deployment_of(instance.cluster)
    if deployment and deployment.status == "SWITCHOVER_IN_PROGRESS":
        raise errors.instance_state(instance.identifier)
    return instance


@action("RebootDBInstance")
def reboot(control: Control, params: Params) -> Shape:
    """Restart the instance: it reads static parameters and new groups."""
    with control.lock:
        instance = _available(control, required(params, "DBInstanceIdentifier"))
        instance.status = "rebooting"

        def work() -> None:
            with control.pace.at_least("reboot-instance"):
                restarted = _restart(control, instance)
            if restarted:
                instance.status = "available"
                control.event(instance, "DB instance restarted", "availability")

        control.background(f"reboot {instance.identifier}", work, of=instance)
        return {"DBInstance": instance_shape(control, instance)}


def _restart(control: Control, instance: Instance) -> bool:
    """Restart the server of a writer with what its groups hold; a reader has none of its own."""
    cluster = instance.cluster
    try:
        if instance.is_writer:
            control.fleet.apply_settings(cluster.resource_id, control.settings(cluster))
            control.fleet.restart(cluster.resource_id)
            control.identify(cluster)
    except ServerError as error:
        instance.status = "incompatible-parameters"
        control.event(instance, f"DB instance failed to restart: {error}", "failure")
        return False
    with control.lock:
        instance.apply_groups()
        control.route(cluster)
    return True


@action("ModifyDBInstance")
def modify(control: Control, params: Params) -> Shape:
    """Change settings, the parameter group, the class or the name (both restart the server)."""
    with control.lock:
        instance = _available(control, required(params, "DBInstanceIdentifier"))
        at_once = bool(params.get("ApplyImmediately"))
        limits.check_instance_changes(control, instance.cluster, params)
        new_class = params.get("DBInstanceClass")
        new_name = params.get("NewDBInstanceIdentifier")
        if new_name and new_name.lower() == instance.identifier:
            new_name = None
        if new_name:
            new_name = check_identifier(new_name, "NewDBInstanceIdentifier")
            control.claim_instance_name(new_name)
        if name := params.get("DBParameterGroupName"):
            instance.group = control.fitting_group(name, instance.cluster.version, cluster=False)
        instance.settings.update(instance_settings(params))
        instance.tier = params.get("PromotionTier", instance.tier)
        wishes = {"DBInstanceIdentifier": new_name, "DBInstanceClass": new_class}
        instance.pending.update({name: wish for name, wish in wishes.items() if wish})
        if at_once and instance.pending:
            _apply_pending(control, instance)
        return {"DBInstance": instance_shape(control, instance)}


def _apply_pending(control: Control, instance: Instance) -> None:
    new_name = instance.pending.get("DBInstanceIdentifier")
    instance.status = "renaming" if new_name else "modifying"

    def work() -> None:
        with control.pace.at_least("rename-instance" if new_name else "modify-instance"):
            with control.lock:
                instance.instance_class = instance.pending.pop(
                    "DBInstanceClass", instance.instance_class
                )
                if new_name:
                    control.release(instance)
                    control.name(instance, new_name)
                    del instance.pending["DBInstanceIdentifier"]
            instance.status = "rebooting"
            restarted = _restart(control, instance)
        if restarted:
            instance.status = "available"
            control.event(instance, "DB instance restarted", "availability")

    control.background(f"modify {instance.identifier}", work, of=instance)


@action("DeleteDBInstance")
def delete(control: Control, params: Params) -> Shape:
    """Remove a member; a reader takes over from a removed writer, the last one stops the server.

    Raises `RdsFault` for one that is being deleted, or is switched over.
    """
    with control.lock:
        instance = control.instance(required(params, "DBInstanceIdentifier"))
        if instance.status == "deleting":
            raise errors.RdsFault(
                "InvalidDBInstanceState",
                f"Instance {instance.identifier} is being deleted already.",
            )
        deployment = control.deployment_of(instance.cluster)
        if deployment and deployment.status == "SWITCHOVER_IN_PROGRESS":
            raise errors.instance_state(instance.identifier)
        instance.status = "deleting"

        def work() -> None:
            with control.pace.at_least("delete-instance"):
                pass
            forget_instance(control, instance)

        control.background(f"delete {instance.identifier}", work, of=instance)
        return {"DBInstance": instance_shape(control, instance)}


def forget_instance(control: Control, instance: Instance) -> None:
    """Remove a member and its endpoint: from a writer another member takes over.

    A cluster without members has no server.
    """
    cluster = instance.cluster
    with control.lock:
        if instance not in cluster.instances:
            return
        heir = failover.successor(cluster) if instance.is_writer else None
        cluster.instances.remove(instance)
        instance.gone = True
        control.release(instance)
        control.event(instance, "DB instance deleted", "deletion")
        if heir is not None and cluster.status == "available":
            control.route(cluster)
            failover.lose_writer(control, cluster, heir)
            return
        _promote(cluster)
        control.route(cluster)
    if cluster.instances:
        control.identify(cluster)
    elif cluster.status != "deleting":
        control.fleet.stop(cluster.resource_id)


def _promote(cluster: Cluster) -> None:
    able = [each for each in cluster.instances if not each.status.startswith(_UNABLE)]
    if cluster.writer is None and able:
        min(able, key=lambda member: member.tier).is_writer = True
