"""The parameters of the Aurora PostgreSQL families.

Those that a blue/green deployment, logical replication and their checks look at are in a table with
AWS's defaults. The others are PostgreSQL's own, which the family's servers tell of; what each is by
default is then left to the engine.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from rehearsal.aws.versions import ENGINE, split
from rehearsal.servers.binaries import Setting
from rehearsal.servers.server import OWN_SETTINGS

FAMILIES = tuple(f"{ENGINE}{major}" for major in range(13, 19))

_FORCES_SSL_SINCE = 17
_MEMORY_PER_VCPU = 8 * 1024**3
_VCPUS = {"large": 2, "medium": 2, "serverless": 2, "xlarge": 4, "metal": 64}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a family; `default` may be a formula, None means the engine's own."""

    name: str
    default: str | None
    static: bool
    kind: str
    allowed: str
    about: str
    scope: str = "both"
    """Whether cluster groups, instance groups or both carry it."""
    modifiable: bool = True

    def shape(self, value: str | None, source: str, method: str | None = None) -> dict[str, Any]:
        """Return the parameter as AWS's `Parameter`."""
        shape = {
            "ParameterName": self.name,
            "ParameterValue": value,
            "Description": self.about,
            "Source": source,
            "ApplyType": "static" if self.static else "dynamic",
            "DataType": self.kind,
            "IsModifiable": self.modifiable,
            "ApplyMethod": method or "pending-reboot",
            "SupportedEngineModes": ["provisioned"],
        }
        return {**shape, "AllowedValues": self.allowed} if self.allowed else shape


def _read() -> Mapping[str, Parameter]:
    data = resources.files("rehearsal.aws").joinpath("parameters.toml").read_text("utf-8")
    return {
        name: Parameter(name, **{"default": None, **fields})
        for name, fields in tomllib.loads(data).items()
    }


CATALOGUE: Mapping[str, Parameter] = _read()


class Family(dict[str, Parameter]):
    """The parameters of a family, by name. It never changes: copies of records share it."""

    def __deepcopy__(self, _: object) -> Family:
        return self


_NOT_MODIFIABLE = (
    "File Locations",
    "Write-Ahead Log",
    "Replication / Primary Server",
    "Replication / Standby Servers",
    "Connections and Authentication / SSL",
    "Connections and Authentication / Connection Settings",
    "Reporting and Logging / Where to Log",
    "Resource Usage / Kernel Resources",
)
"""How the chapters begin whose settings Aurora keeps to itself: storage and network are its own."""

_KINDS = {"BOOLEAN": "boolean", "INTEGER": "integer", "REAL": "float"}


def family_of(settings: Iterable[Setting]) -> Family:
    """Return a family's parameters: those of the table, and what its servers tell of."""
    told = Family()
    for each in settings:
        ranged = each.kind in ("INTEGER", "REAL")
        allowed = f"{each.low}-{each.high}" if ranged else ""
        told[each.name] = Parameter(
            name=each.name,
            default=None,
            static=each.context == "postmaster",
            kind=_KINDS.get(each.kind, "string"),
            allowed="0,1" if each.kind == "BOOLEAN" else allowed,
            about=each.about,
            modifiable=each.name not in OWN_SETTINGS and not each.group.startswith(_NOT_MODIFIABLE),
        )
    return Family({**told, **CATALOGUE})


def engine_defaults(
    family: str, *, cluster: bool, parameters: Mapping[str, Parameter] = CATALOGUE
) -> dict[str, str | None]:
    """Return name -> default value of a family's cluster or instance parameters.

    `rds.force_ssl` is 1 from version 17 on
    (https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Security.html).
    """
    scopes = ("both", "cluster") if cluster else ("both",)
    major = int(family.removeprefix(ENGINE))
    values = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.scope in scopes
    }
    if cluster and major >= _FORCES_SSL_SINCE:
        values["rds.force_ssl"] = "1"
    if cluster and major <= 14:
        values["rds.logically_replicate_unlogged_tables"] = "1"
    return values


def evaluate(value: str, instance_class: str) -> str:
    """Return a parameter's value with a formula such as `GREATEST({DBInstanceVCPU*2},8)` resolved.

    Formulas are whole numbers, truncated as AWS does.
    """
    if "{" not in value:
        return value
    size = instance_class.rpartition(".")[2]
    factor = size.removesuffix("xlarge")
    vcpus = int(factor) * 4 if factor.isdigit() else _VCPUS.get(size, 2)
    variables = {"DBInstanceVCPU": vcpus, "DBInstanceClassMemory": vcpus * _MEMORY_PER_VCPU}
    expression = value.replace("{", "(").replace("}", ")")
    return str(_number(ast.parse(expression, mode="eval").body, variables))


def _number(node: ast.expr, variables: Mapping[str, int]) -> int:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name):
            return variables[name]
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _number(left, variables) * _number(right, variables)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _number(left, variables) // _number(right, variables)
        case ast.Call(func=ast.Name(id="GREATEST"), args=arguments):
            return max(_number(argument, variables) for argument in arguments)
        case ast.Call(func=ast.Name(id="LEAST"), args=arguments):
            return min(_number(argument, variables) for argument in arguments)
    raise ValueError(f"not a parameter formula: {ast.unparse(node)}")


_SERVER_OWN = frozenset({"max_connections", "shared_preload_libraries"})
"""Sized for a whole machine on AWS, or not in the wheel: the lab's servers keep their own."""


def server_settings(values: Mapping[str, str], version: str) -> dict[str, str]:
    """Translate resolved parameter values into settings of a volume's server.

    `max_replication_slots` also bounds replication origins, which from version 18 on have a
    setting of their own (`max_active_replication_origins`).
    """
    settings = {name: value for name, value in values.items() if name not in _SERVER_OWN}
    if split(version)[0] >= 18 and "max_replication_slots" in settings:
        settings["max_active_replication_origins"] = settings["max_replication_slots"]
    return settings
