"""Parameter groups of the target's family, made out of what was set by hand on blue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from runbook.aws.call import Call
from runbook.aws.facts import Parameter, tag_rows

LOGICAL_REPLICATION = "rds.logical_replication"

_PER_CALL = 20
"""What ModifyDBClusterParameterGroup takes at once."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What of blue's group goes into the group of the new family."""

    values: tuple[Parameter, ...]
    """With the value to set, and `apply_type` as the new family has it."""
    dropped: tuple[str, ...]
    """Names that the new family does not know, or does not let one change."""

    def value(self, name: str) -> str | None:
        """Return what a parameter is set to, or None where it keeps the engine's default."""
        return next((p.value for p in self.values if p.name == name), None)


def carry(user_set: Mapping[str, Parameter], family: Mapping[str, Parameter]) -> Carried:
    """Choose what to carry over into a family, with logical replication on.

    `user_set` are the values set by hand in blue's group; `family` the parameters that the new
    family knows. Logical replication is what the rollback's slots live on.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_WorkingWithDBClusterParamGroups.html
    """
    wanted = {p.name: p.value for p in user_set.values() if p.value is not None}
    wanted[LOGICAL_REPLICATION] = "1"
    values, dropped = [], []
    for name, value in sorted(wanted.items()):
        known = family.get(name)
        if known is None and name == LOGICAL_REPLICATION:
            known = Parameter(name, None, "engine-default", "static", True, "")
        if known is None or not known.modifiable:
            dropped.append(name)
            continue
        method = "immediate" if known.apply_type == "dynamic" else "pending-reboot"
        values.append(replace(known, value=value, source="user", apply_method=method))
    return Carried(tuple(values), tuple(dropped))


def create_group_call(name: str, family: str, description: str, tags: Mapping[str, str]) -> Call:
    """Return the call that creates an empty cluster parameter group."""
    return Call(
        "rds",
        "CreateDBClusterParameterGroup",
        {
            "DBClusterParameterGroupName": name,
            "DBParameterGroupFamily": family,
            "Description": description,
            "Tags": tag_rows(tags),
        },
    )


def modify_group_calls(name: str, values: Sequence[Parameter]) -> list[Call]:
    """Return the calls that set values in a cluster parameter group, 20 a call.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBClusterParameterGroup.html
    """
    return [
        Call(
            "rds",
            "ModifyDBClusterParameterGroup",
            {
                "DBClusterParameterGroupName": name,
                "Parameters": [
                    {
                        "ParameterName": p.name,
                        "ParameterValue": p.value,
                        "ApplyMethod": p.apply_method,
                    }
                    for p in values[begin : begin + _PER_CALL]
                ],
            },
        )
        for begin in range(0, len(values), _PER_CALL)
    ]
