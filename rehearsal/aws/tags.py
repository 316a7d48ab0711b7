"""The actions on tags, for every kind of resource that has an ARN."""

from __future__ import annotations

from rehearsal.aws import custom_endpoints, deployments, errors, snapshots
from rehearsal.aws.control import Control
from rehearsal.aws.registry import Params, Shape, action, required, tag_list, tag_map


def _tags(control: Control, params: Params) -> dict[str, str]:
    """Return the tags of the resource that `ResourceName`, an ARN, means."""
    arn = required(params, "ResourceName")
    kind, _, name = arn.removeprefix(f"arn:aws:rds:{control.region}:{control.account}:").partition(
        ":"
    )
    match kind:
        case "cluster":
            return control.cluster(arn).tags
        case "db":
            return control.instance(arn).tags
        case "cluster-endpoint":
            return custom_endpoints.find(control, arn).tags
        case "cluster-pg":
            return control.group(name, cluster=True).tags
        case "pg":
            return control.group(name, cluster=False).tags
        case "deployment":
            return deployments.find(control, name).tags
        case "cluster-snapshot":
            return snapshots.find(control, name).tags
    raise errors.invalid_value(f"Invalid resource name: {arn}")


@action("AddTagsToResource")
def add(control: Control, params: Params) -> Shape:
    """Add or replace tags of a resource."""
    with control.lock:
        _tags(control, params).update(tag_map(params))
    return {}


@action("RemoveTagsFromResource")
def remove(control: Control, params: Params) -> Shape:
    """Remove tags of a resource; a key that is absent is no error."""
    with control.lock:
        tags = _tags(control, params)
        for key in params.get("TagKeys") or ():
            tags.pop(key, None)
    return {}


@action("ListTagsForResource")
def list_tags(control: Control, params: Params) -> Shape:
    """List the tags of a resource."""
    with control.lock:
        return {"TagList": tag_list(_tags(control, params))}
