"""The parameters of the Aurora PostgreSQL families that matter to replication and upgrades.

Real families have some 400 each; here are those that a blue/green deployment, logical replication
and their checks look at, with AWS's defaults, and how each reaches the PostgreSQL server.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.aws.versions import ENGINE, split

FAMILIES = tuple(f"{ENGINE}{major}" for major in range(13, 19))

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

    def shape(self, value: str | None, source: str, method: str | None = None) -> dict[str, Any]:
        """Return the parameter as AWS's `Parameter`."""
        return {
            "ParameterName": self.name,
            "ParameterValue": value,
            "Description": self.about,
            "Source": source,
            "ApplyType": "static" if self.static else "dynamic",
            "DataType": self.kind,
            "AllowedValues": self.allowed,
            "IsModifiable": True,
            "ApplyMethod": method or "pending-reboot",
            "SupportedEngineModes": ["provisioned"],
        }


def _table() -> tuple[Parameter, ...]:
    static, dynamic = True, False
    cluster = "cluster"
    rows: tuple[tuple[Any, ...], ...] = (
        (
            "rds.logical_replication",
            "0",
            static,
            "boolean",
            "0,1",
            "Enables logical decoding.",
            cluster,
        ),
        (
            "rds.logical_wal_cache",
            None,
            static,
            "integer",
            "0-2147483647",
            "Size of the logical WAL cache in 8kB blocks.",
            cluster,
        ),
        ("rds.force_ssl", "0", dynamic, "boolean", "0,1", "Force SSL connections.", cluster),
        (
            "rds.logically_replicate_unlogged_tables",
            "0",
            static,
            "boolean",
            "0,1",
            "Logically replicates unlogged tables.",
            cluster,
        ),
        (
            "rds.iam_auth_for_replication",
            "0",
            dynamic,
            "boolean",
            "0,1",
            "IAM authentication for replication connections.",
            cluster,
        ),
        (
            "max_replication_slots",
            "20",
            static,
            "integer",
            "0-10000",
            "Maximum number of replication slots that the server can support.",
            cluster,
        ),
        (
            "max_wal_senders",
            "10",
            static,
            "integer",
            "0-10000",
            "Maximum number of simultaneously running WAL sender processes.",
            cluster,
        ),
        (
            "max_logical_replication_workers",
            None,
            static,
            "integer",
            "0-262143",
            "Maximum number of logical replication worker processes.",
            cluster,
        ),
        (
            "max_sync_workers_per_subscription",
            None,
            dynamic,
            "integer",
            "0-262143",
            "Maximum number of table synchronization workers per subscription.",
            cluster,
        ),
        (
            "max_worker_processes",
            "GREATEST({DBInstanceVCPU*2},8)",
            static,
            "integer",
            "0-262143",
            "Maximum number of concurrent worker processes.",
        ),
        (
            "max_parallel_workers",
            "GREATEST({DBInstanceVCPU/2},8)",
            dynamic,
            "integer",
            "0-1024",
            "Maximum number of parallel workers that can be active at one time.",
        ),
        (
            "autovacuum_max_workers",
            "GREATEST({DBInstanceClassMemory/64371566592},3)",
            static,
            "integer",
            "1-262143",
            "Maximum number of simultaneously running autovacuum workers.",
        ),
        (
            "max_connections",
            "LEAST({DBInstanceClassMemory/9531392},5000)",
            static,
            "integer",
            "6-262143",
            "Maximum number of concurrent connections.",
        ),
        (
            "max_prepared_transactions",
            "0",
            static,
            "integer",
            "0-262143",
            "Maximum number of simultaneously prepared transactions.",
        ),
        (
            "max_slot_wal_keep_size",
            "-1",
            dynamic,
            "integer",
            "-1-2147483647",
            "Maximum WAL size (MB) that can be reserved by replication slots.",
            cluster,
        ),
        (
            "synchronous_commit",
            "on",
            dynamic,
            "string",
            "local,remote_write,remote_apply,on,off",
            "Sets the current transaction's synchronization level.",
        ),
        (
            "default_transaction_read_only",
            None,
            dynamic,
            "boolean",
            "0,1",
            "Sets the default read-only status of new transactions.",
            cluster,
        ),
        (
            "logical_decoding_work_mem",
            None,
            dynamic,
            "integer",
            "64-2147483647",
            "Maximum memory (kB) to be used for logical decoding.",
        ),
        (
            "wal_sender_timeout",
            None,
            dynamic,
            "integer",
            "0-3600000",
            "Maximum time (ms) to wait for WAL replication.",
            cluster,
        ),
        (
            "wal_receiver_timeout",
            "30000",
            dynamic,
            "integer",
            "0-3600000",
            "Maximum wait time (ms) to receive data from the primary.",
            cluster,
        ),
        (
            "idle_in_transaction_session_timeout",
            "86400000",
            dynamic,
            "integer",
            "0-2147483647",
            "Maximum allowed duration (ms) of any idling transaction.",
        ),
        (
            "statement_timeout",
            None,
            dynamic,
            "integer",
            "0-2147483647",
            "Maximum allowed duration (ms) of any statement.",
        ),
        (
            "lock_timeout",
            None,
            dynamic,
            "integer",
            "0-2147483647",
            "Maximum allowed duration (ms) of any wait for a lock.",
        ),
        (
            "log_min_duration_statement",
            None,
            dynamic,
            "integer",
            "-1-2147483647",
            "Minimum execution time (ms) above which statements are logged.",
        ),
        (
            "work_mem",
            None,
            dynamic,
            "integer",
            "64-2147483647",
            "Maximum memory (kB) to be used for query workspaces.",
        ),
        (
            "shared_preload_libraries",
            "pg_stat_statements",
            static,
            "list",
            "auto_explain,pg_cron,pg_hint_plan,pg_stat_statements,pgaudit,pglogical",
            "Lists shared libraries to preload into the server.",
        ),
        (
            "timezone",
            "UTC",
            dynamic,
            "string",
            "UTC,Europe/Berlin,US/Eastern",
            "Sets the time zone for displaying and interpreting time stamps.",
        ),
    )
    return tuple(Parameter(*row) for row in rows)


CATALOGUE: Mapping[str, Parameter] = {parameter.name: parameter for parameter in _table()}


def engine_defaults(family: str, *, cluster: bool) -> dict[str, str | None]:
    """Return name -> default value of a family's cluster or instance parameters.

    `rds.force_ssl` is 1 on Aurora from version 17 on; the lab's servers have no SSL, so it is 0
    in every family.
    """
    scopes = ("both", "cluster") if cluster else ("both",)
    major = int(family.removeprefix(ENGINE))
    values = {
        name: parameter.default
        for name, parameter in CATALOGUE.items()
        if parameter.scope in scopes
    }
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
