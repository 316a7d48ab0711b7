"""The actions on parameter groups, of clusters and of instances."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rehearsal.aws import errors
from rehearsal.aws.control import Control
from rehearsal.aws.models import Cluster, ParameterGroup
from rehearsal.aws.parameters import (
    CATALOGUE,
    FAMILIES,
    Parameter,
    engine_defaults,
    evaluate,
)
from rehearsal.aws.registry import Params, Shape, action, page, required, tag_map
from rehearsal.aws.shapes import group_shape
from rehearsal.servers.ground import ServerError

_NAME = re.compile(r"[A-Za-z](?:-?[A-Za-z0-9]+)*")
_MAX_PER_CALL = 20
_QUOTA = 50


def _prefix(cluster: bool) -> str:
    return "DBClusterParameterGroup" if cluster else "DBParameterGroup"


def _create(control: Control, params: Params, *, cluster: bool) -> Shape:
    with control.lock:
        family = required(params, "DBParameterGroupFamily")
        if family not in FAMILIES:
            raise errors.invalid_value(f"ParameterGroupFamily {family} is not a valid family")
        group = ParameterGroup(
            required(params, f"{_prefix(cluster)}Name").lower(),
            family,
            required(params, "Description"),
            cluster,
            tags=tag_map(params),
        )
        _add(control, group)
        return {_prefix(cluster): group_shape(control, group)}


def _add(control: Control, group: ParameterGroup) -> None:
    if not _NAME.fullmatch(group.name) or len(group.name) > 255:
        raise errors.invalid_value(
            f"The parameter {_prefix(group.cluster)}Name is not a valid identifier: {group.name}"
        )
    same_kind = [each for each in control.groups if each.cluster == group.cluster]
    if any(each.name == group.name for each in same_kind):
        raise errors.group_exists(group.name)
    if sum(not each.is_default for each in same_kind) >= _QUOTA:
        raise errors.RdsFault(
            "DBParameterGroupQuotaExceeded", f"Cannot create more than {_QUOTA} parameter groups"
        )
    control.groups.append(group)


def _copy(control: Control, params: Params, *, cluster: bool) -> Shape:
    prefix = _prefix(cluster)
    with control.lock:
        name = required(params, f"Source{prefix}Identifier").rpartition(":")[2]
        source = control.group(name, cluster=cluster)
        group = ParameterGroup(
            required(params, f"Target{prefix}Identifier").lower(),
            source.family,
            required(params, f"Target{prefix}Description"),
            cluster,
            values=dict(source.values),
            methods=dict(source.methods),
            tags=tag_map(params),
        )
        _add(control, group)
        return {prefix: group_shape(control, group)}


def _changeable(control: Control, params: Params, *, cluster: bool) -> ParameterGroup:
    group = control.group(required(params, f"{_prefix(cluster)}Name"), cluster=cluster)
    if group.is_default:
        raise errors.group_state(
            f"The parameter group {group.name} is a default group and cannot be modified."
            if cluster
            else f"The parameter group {group.name} cannot be modified."
        )
    return group


def _modify(control: Control, params: Params, *, cluster: bool, reset: bool) -> Shape:
    entries = params.get("Parameters") or []
    if len(entries) > _MAX_PER_CALL:
        raise errors.invalid_value("Number of parameters in a single request must not exceed 20.")
    with control.lock:
        group = _changeable(control, params, cluster=cluster)
        before = dict(group.values)
        if reset and params.get("ResetAllParameters"):
            group.values.clear()
        for entry in entries:
            _change(group, entry, reset=reset)
        users = _running_with(control, group)
    try:
        for user in users:
            control.fleet.apply_settings(user.resource_id, control.settings(user))
    except ServerError as error:
        with control.lock:
            group.values = before
        raise errors.invalid_value(str(error)) from error
    return {f"{_prefix(cluster)}Name": group.name}


def _change(group: ParameterGroup, entry: Params, *, reset: bool) -> None:
    name = required(entry, "ParameterName")
    parameter = CATALOGUE.get(name)
    if parameter is None or name not in engine_defaults(group.family, cluster=group.cluster):
        raise errors.invalid_value(f"Could not find parameter with name: {name}")
    method = required(entry, "ApplyMethod")
    if method == "immediate" and parameter.static:
        raise errors.invalid_combination("cannot use immediate apply method for static parameter")
    if reset:
        group.values.pop(name, None)
        return
    value = required(entry, "ParameterValue")
    _check_value(parameter, value)
    group.values[name] = value
    group.methods[name] = method


def _check_value(parameter: Parameter, value: str) -> None:
    allowed = parameter.allowed
    try:
        value = evaluate(value, "db.r6g.large")
    except (ValueError, SyntaxError, KeyError) as error:
        raise errors.invalid_value(
            f"Invalid parameter value: {value} for: {parameter.name}"
        ) from error
    bounds = re.fullmatch(r"(-?\d+)-(\d+)", allowed)
    if bounds:
        low, high = (int(bound) for bound in bounds.groups())
        fits = re.fullmatch(r"-?\d+", value) is not None and low <= int(value) <= high
    elif parameter.kind == "list":
        fits = set(filter(None, value.split(","))) <= set(allowed.split(","))
    else:
        fits = value in allowed.split(",") or parameter.name == "timezone"
    if not fits:
        raise errors.invalid_value(
            f"Invalid parameter value: {value} for: {parameter.name} allowed values are: {allowed}"
        )


def _running_with(control: Control, group: ParameterGroup) -> list[Cluster]:
    """Return the clusters whose server has read the group, so that dynamic changes reach it.

    A group that waits for its first reboot reaches nothing.
    """
    users = []
    for cluster in control.clusters:
        writer = cluster.writer
        if writer is None or writer.applied_cluster_group is None:
            continue
        if writer.applied_cluster_group[0] != cluster.group.name:
            continue
        if group in (cluster.group, writer.group):
            users.append(cluster)
    return users


def _delete(control: Control, params: Params, *, cluster: bool) -> Shape:
    with control.lock:
        group = _changeable(control, params, cluster=cluster)
        used_by = (
            [each.identifier for each in control.clusters if each.group is group]
            if cluster
            else [each.identifier for each in control.instances if each.group is group]
        )
        if used_by:
            raise errors.group_state(
                "One or more database instances are still members of this parameter group "
                f"{group.name}, so the group cannot be deleted"
            )
        control.groups.remove(group)
    return {}


def _describe(control: Control, params: Params, *, cluster: bool) -> Shape:
    name = params.get(f"{_prefix(cluster)}Name")
    with control.lock:
        groups = (
            [control.group(name, cluster=cluster)]
            if name
            else [each for each in control.groups if each.cluster == cluster]
        )
        return page(params, f"{_prefix(cluster)}s", [group_shape(control, each) for each in groups])


def _parameters(control: Control, params: Params, *, cluster: bool) -> Shape:
    with control.lock:
        group = control.group(required(params, f"{_prefix(cluster)}Name"), cluster=cluster)
        rows = _rows(engine_defaults(group.family, cluster=cluster), group.values, group.methods)
    wanted = params.get("Source")
    return page(params, "Parameters", [row for row in rows if wanted in (None, row["Source"])])


def _rows(
    defaults: Mapping[str, str | None], values: Mapping[str, str], methods: Mapping[str, str]
) -> list[Shape]:
    rows = []
    for name, default in sorted(defaults.items()):
        source = "user" if name in values else ("engine-default" if default is None else "system")
        rows.append(CATALOGUE[name].shape(values.get(name, default), source, methods.get(name)))
    return rows


def _engine_defaults(params: Params, *, cluster: bool) -> Shape:
    family = required(params, "DBParameterGroupFamily")
    if family not in FAMILIES:
        raise errors.invalid_value(f"ParameterGroupFamily {family} is not a valid family")
    answer = page(params, "Parameters", _rows(engine_defaults(family, cluster=cluster), {}, {}))
    return {"EngineDefaults": {"DBParameterGroupFamily": family, **answer}}


@action("CreateDBClusterParameterGroup")
def create_cluster_group(control: Control, params: Params) -> Shape:
    """Create an empty custom cluster group of a family."""
    return _create(control, params, cluster=True)


@action("CreateDBParameterGroup")
def create_instance_group(control: Control, params: Params) -> Shape:
    """Create an empty custom instance group of a family."""
    return _create(control, params, cluster=False)


@action("CopyDBClusterParameterGroup")
def copy_cluster_group(control: Control, params: Params) -> Shape:
    """Copy a cluster group; the family stays."""
    return _copy(control, params, cluster=True)


@action("CopyDBParameterGroup")
def copy_instance_group(control: Control, params: Params) -> Shape:
    """Copy an instance group; the family stays."""
    return _copy(control, params, cluster=False)


@action("ModifyDBClusterParameterGroup")
def modify_cluster_group(control: Control, params: Params) -> Shape:
    """Set up to 20 parameters of a cluster group; dynamic ones reach running servers at once."""
    return _modify(control, params, cluster=True, reset=False)


@action("ModifyDBParameterGroup")
def modify_instance_group(control: Control, params: Params) -> Shape:
    """Set up to 20 parameters of an instance group."""
    return _modify(control, params, cluster=False, reset=False)


@action("ResetDBClusterParameterGroup")
def reset_cluster_group(control: Control, params: Params) -> Shape:
    """Return parameters of a cluster group, or all of them, to the engine's defaults."""
    return _modify(control, params, cluster=True, reset=True)


@action("ResetDBParameterGroup")
def reset_instance_group(control: Control, params: Params) -> Shape:
    """Return parameters of an instance group, or all of them, to the engine's defaults."""
    return _modify(control, params, cluster=False, reset=True)


@action("DeleteDBClusterParameterGroup")
def delete_cluster_group(control: Control, params: Params) -> Shape:
    """Delete a cluster group that no cluster uses."""
    return _delete(control, params, cluster=True)


@action("DeleteDBParameterGroup")
def delete_instance_group(control: Control, params: Params) -> Shape:
    """Delete an instance group that no instance uses."""
    return _delete(control, params, cluster=False)


@action("DescribeDBClusterParameterGroups")
def describe_cluster_groups(control: Control, params: Params) -> Shape:
    """List cluster groups, the default ones too."""
    return _describe(control, params, cluster=True)


@action("DescribeDBParameterGroups")
def describe_instance_groups(control: Control, params: Params) -> Shape:
    """List instance groups, the default ones too."""
    return _describe(control, params, cluster=False)


@action("DescribeDBClusterParameters")
def describe_cluster_parameters(control: Control, params: Params) -> Shape:
    """List a cluster group's parameters with their values and sources."""
    return _parameters(control, params, cluster=True)


@action("DescribeDBParameters")
def describe_instance_parameters(control: Control, params: Params) -> Shape:
    """List an instance group's parameters with their values and sources."""
    return _parameters(control, params, cluster=False)


@action("DescribeEngineDefaultClusterParameters")
def describe_engine_default_cluster_parameters(control: Control, params: Params) -> Shape:
    """List a family's cluster parameters with the engine's defaults."""
    return _engine_defaults(params, cluster=True)


@action("DescribeEngineDefaultParameters")
def describe_engine_default_parameters(control: Control, params: Params) -> Shape:
    """List a family's instance parameters with the engine's defaults."""
    return _engine_defaults(params, cluster=False)
