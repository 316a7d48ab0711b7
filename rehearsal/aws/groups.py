"""The actions on parameter groups, of clusters and of instances."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from rehearsal.aws import errors
from rehearsal.aws.control import Control
from rehearsal.aws.models import Cluster, ParameterGroup
from rehearsal.aws.parameters import (
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
    """Create an empty custom group of a family."""
    with control.lock:
        family = required(params, "DBParameterGroupFamily")
        if family not in FAMILIES:
            raise errors.invalid_value(f"ParameterGroupFamily {family} is not a valid family")
        group = ParameterGroup(
            required(params, f"{_prefix(cluster)}Name").lower(),
            family,
            required(params, "Description"),
            cluster,
            control.parameters(family),
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
    """Copy a group; the family stays."""
    prefix = _prefix(cluster)
    with control.lock:
        name = required(params, f"Source{prefix}Identifier").rpartition(":")[2]
        source = control.group(name, cluster=cluster)
        group = ParameterGroup(
            required(params, f"Target{prefix}Identifier").lower(),
            source.family,
            required(params, f"Target{prefix}Description"),
            cluster,
            source.parameters,
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
    """Set up to 20 parameters, or take them back; dynamic ones act at once."""
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
    parameter = group.parameters.get(name)
    if parameter is None or name not in group.defaults():
        raise errors.invalid_value(f"Could not find parameter with name: {name}")
    if not parameter.modifiable:
        raise errors.invalid_value(f"The parameter {name} cannot be modified.")
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
    if not allowed:
        # The server that runs with it says whether it can.
        return
    if parameter.kind == "float":
        low, high = (float(bound) for bound in re.split(r"(?<=[\d.])-", allowed))
        fits = re.fullmatch(r"-?\d+(\.\d+)?", value) is not None and low <= float(value) <= high
    elif bounds:
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
    """Delete a group that nobody uses."""
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
    """List groups, the default ones too."""
    name = params.get(f"{_prefix(cluster)}Name")
    with control.lock:
        groups = (
            [control.group(name, cluster=cluster)]
            if name
            else [each for each in control.groups if each.cluster == cluster]
        )
        return page(params, f"{_prefix(cluster)}s", [group_shape(control, each) for each in groups])


def _parameters(control: Control, params: Params, *, cluster: bool) -> Shape:
    """List a group's parameters with their values and sources."""
    with control.lock:
        group = control.group(required(params, f"{_prefix(cluster)}Name"), cluster=cluster)
        rows = _rows(group.parameters, group.defaults(), group.values, group.methods)
    wanted = params.get("Source")
    return page(params, "Parameters", [row for row in rows if wanted in (None, row["Source"])])


def _rows(
    parameters: Mapping[str, Parameter],
    defaults: Mapping[str, str | None],
    values: Mapping[str, str],
    methods: Mapping[str, str],
) -> list[Shape]:
    rows = []
    for name, default in sorted(defaults.items()):
        source = "user" if name in values else ("engine-default" if default is None else "system")
        rows.append(parameters[name].shape(values.get(name, default), source, methods.get(name)))
    return rows


def _engine_defaults(control: Control, params: Params, *, cluster: bool) -> Shape:
    """List a family's parameters with the engine's defaults."""
    family = required(params, "DBParameterGroupFamily")
    if family not in FAMILIES:
        raise errors.invalid_value(f"ParameterGroupFamily {family} is not a valid family")
    parameters = control.parameters(family)
    defaults = engine_defaults(family, cluster=cluster, parameters=parameters)
    answer = page(params, "Parameters", _rows(parameters, defaults, {}, {}))
    return {"EngineDefaults": {"DBParameterGroupFamily": family, **answer}}


for _of, _own in (("DBCluster", True), ("DB", False)):
    action(f"Create{_of}ParameterGroup")(partial(_create, cluster=_own))
    action(f"Copy{_of}ParameterGroup")(partial(_copy, cluster=_own))
    action(f"Modify{_of}ParameterGroup")(partial(_modify, cluster=_own, reset=False))
    action(f"Reset{_of}ParameterGroup")(partial(_modify, cluster=_own, reset=True))
    action(f"Delete{_of}ParameterGroup")(partial(_delete, cluster=_own))
    action(f"Describe{_of}ParameterGroups")(partial(_describe, cluster=_own))
    action(f"Describe{_of}Parameters")(partial(_parameters, cluster=_own))

action("DescribeEngineDefaultClusterParameters")(partial(_engine_defaults, cluster=True))
action("DescribeEngineDefaultParameters")(partial(_engine_defaults, cluster=False))
