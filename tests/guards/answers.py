"""What the named queries answer on a simulated server, each row with its query's own columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.guards.clock import BEGAN
from tests.guards.things import APPLICATION, Slot

if TYPE_CHECKING:
    from tests.guards.servers import SimulatedConnection

Row = dict[str, Any]


def _cluster_state(c: SimulatedConnection, params: Any) -> list[Row]:
    return [
        {
            "at": c._world.clock.wall(),
            "system_identifier": c.cluster.system,
            "postmaster_started": BEGAN,
            "next_xid": c.cluster.xid,
            "running": [],
        }
    ]


def _sessions(c: SimulatedConnection, params: Any) -> list[Row]:
    session = c._world.application.session
    if session is None or session[:2] != (c.cluster.resource_id, c.cluster.generation):
        return []
    return [
        {
            "pid": 4242,
            "role": APPLICATION,
            "database": "shop",
            "application": "shop",
            "client": "10.0.0.9",
            "state": "idle",
            "age_s": 1.0,
            "settled": False,
        }
    ]


def _slot_row(c: SimulatedConnection, name: str, slot: Slot) -> Row:
    return {
        "name": name,
        "database": slot.database,
        "active": slot.active,
        "active_pid": 77 if slot.active else None,
        "confirmed_flush_lsn": slot.confirmed,
        "wal_status": "lost" if slot.lost else "reserved",
        "safe_wal_size": None,
        "invalidation_reason": "wal_removed" if slot.lost else None,
    }


def _slot_lags(c: SimulatedConnection, params: Any) -> list[Row]:
    rows = []
    for name in params[0]:
        slot = c.cluster.slots.get(name)
        row = {"slot": name, "exists": slot is not None, "current_lsn": c.cluster.wal}
        confirmed = slot.confirmed if slot else None
        rows.append(
            row
            | {
                "database": slot.database if slot else None,
                "bytes": None if confirmed is None else c.cluster.wal - confirmed,
                "confirmed_flush_lsn": confirmed,
                "active": bool(slot and slot.active),
                "wal_status": ("lost" if slot.lost else "reserved") if slot else None,
                "safe_wal_size": None,
                "invalidation_reason": "wal_removed" if slot and slot.lost else None,
            }
        )
    return rows


def _subscription(c: SimulatedConnection, params: Any) -> list[Row]:
    found = c.here.subscriptions.get(params[0])
    if found is None:
        return []
    return [
        {
            "name": params[0],
            "enabled": found.enabled,
            "slot_name": found.slot,
            "publications": [params[0]],
            "worker_pid": 99 if found.working else None,
            "apply_error_count": 0,
            "copying": 0,
        }
    ]


def _workers(c: SimulatedConnection, params: Any) -> list[Row]:
    return [
        {
            "database": database,
            "enabled": found.enabled,
            "worker_pid": 99 if found.working else None,
            "silent_s": 0.0 if found.working else None,
            "apply_error_count": 0,
            "missing_rows": 0,
        }
        for database, each in c.cluster.databases.items()
        for name, found in each.subscriptions.items()
        if name == params[0]
    ]


def _login_roles(c: SimulatedConnection, params: Any) -> list[Row]:
    flags = ("superuser", "internal", "own", "current")
    return [
        {"name": name, "alterable": True, "sessions": 0} | dict.fromkeys(flags, False)
        for name, role in sorted(c.cluster.roles.items())
        if role.login
    ]


def _subscriptions(c: SimulatedConnection, params: Any) -> list[Row]:
    return [
        {
            "name": name,
            "database": database,
            "owner": "postgres",
            "enabled": found.enabled,
            "slot_name": found.slot,
            "publications": [name],
        }
        for database, each in c.cluster.databases.items()
        for name, found in each.subscriptions.items()
    ]


def _slots_found(c: SimulatedConnection, params: Any) -> list[Row]:
    return [
        {
            "name": name,
            "slot_type": "logical",
            "plugin": "pgoutput",
            "database": slot.database,
            "active": slot.active,
            "temporary": False,
            "wal_status": "reserved",
            "retained_bytes": 0,
        }
        for name, slot in c.cluster.slots.items()
    ]


def _settings(c: SimulatedConnection, params: Any) -> list[Row]:
    known = {"wal_level": "logical", "max_replication_slots": "10"}
    about = {"unit": None, "source": "configuration file", "pending_restart": False}
    return [{"name": name, "value": known[name], "boot_value": None} | about for name in params[0]]


def _sequences(c: SimulatedConnection, params: Any) -> list[Row]:
    limits = {"increment": 1, "min": 1, "max": 2**63 - 1, "cycle": False}
    value = max(c.here.sequence, 1)
    state = {"last_value": value, "is_called": c.here.sequence > 0}
    return [{"schema": "public", "name": "orders_id_seq"} | state | limits]


def _admission(c: SimulatedConnection, params: Any) -> list[Row]:
    closed = c.cluster.locked or c.cluster.following
    names = params["roles"] or [name for name in c.cluster.roles if name == APPLICATION]
    return [
        {
            "in_recovery": False,
            "able": [n for n in sorted(c.cluster.roles) if n in names and c.cluster.roles[n].login],
            "writable": [
                name
                for name, each in sorted(c.cluster.databases.items())
                if not each.read_only and not closed
            ],
        }
    ]


QUERIES: dict[str, Callable[[SimulatedConnection, Any], list[Any]]] = {
    "activity": lambda c, _: [
        {
            "sessions": len(_sessions(c, None)),
            "rows_written": sum(each.written for each in c.cluster.databases.values()),
            "read_only": False,
        }
    ],
    "admission": _admission,
    "apply_workers": lambda c, _: [],
    "client_sessions": _sessions,
    "closed_databases": lambda c, params: [],
    "connectable_databases": lambda c, _: sorted(c.cluster.databases),
    "database_marks": lambda c, _: [{"stats_reset": None, "large_objects": 0}],
    "existing_roles": lambda c, params: [n for n in sorted(c.cluster.roles) if n in params[0]],
    "fence_cluster": _cluster_state,
    "login_roles": _login_roles,
    "narrow_sequences": lambda c, _: [],
    "prepared_transactions": lambda c, _: [],
    "read_only_state": lambda c, _: [
        {
            "default_read_only": c.here.read_only,
            "database_setting": "on" if c.here.read_only else None,
        }
    ],
    "publications": lambda c, params: [],
    "replication_slots": _slots_found,
    "schema_fingerprint": lambda c, _: [
        {"kind": "table", "names": name.split("."), "text": f"table {name}"}
        for name in sorted(c.here.schema)
    ],
    "schema_stamp": lambda c, _: [" ".join(sorted(c.here.schema))],
    "sequences": _sequences,
    "role_grants": lambda c, params: [],
    "settings": _settings,
    "slot_blockers": lambda c, _: [],
    "slot": lambda c, params: [
        _slot_row(c, name, slot) for name, slot in c.cluster.slots.items() if name == params[0]
    ],
    "slot_lags": _slot_lags,
    "wal_written": lambda c, _: [c.cluster.wal],
    "apply_rights": lambda c, params: [],
    "subscription": _subscription,
    "subscriptions": _subscriptions,
    "table_counters": lambda c, _: [
        {
            "table": "public.orders",
            "inserted": c.here.written,
            "updated": 0,
            "deleted": 0,
            "file": 1,
        }
    ],
    "workers": _workers,
    "origins": lambda c, _: [],
    "stray_writes": lambda c, _: [],
    "quote_all": lambda c, _: ["on"],
    "tables_without_identity": lambda c, _: [],
    "writable_databases": lambda c, params: [
        {
            "database": name,
            "database_setting": "on" if c.cluster.databases[name].read_only else None,
            "in_recovery": False,
            "writing_roles": [],
        }
        for name in params["databases"]
    ],
    "write_counters": lambda c, _: [
        {
            "database": c.database,
            "user_tables": c.here.written,
            "catalogs": 0,
            "stats_reset": None,
        }
    ],
    "writers": lambda c, _: [],
}
