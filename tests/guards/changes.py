"""What statements change on a simulated server, by the names of the functions that ask for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from runbook.postgres.replication import strays_publication
from tests.guards.things import APPLICATION, LoginRole, Slot, Subscription

if TYPE_CHECKING:
    from tests.guards.servers import SimulatedConnection


class Refusal(psycopg.errors.ObjectNotInPrerequisiteState):
    """The server has answered that it did not do it."""


def _login(c: SimulatedConnection, role: str, login: bool) -> None:
    c.cluster.roles[role].login = login


def _read_only(c: SimulatedConnection, database: str, on: bool) -> None:
    c.cluster.databases[database].read_only = on


def _create_role(c: SimulatedConnection, name: str) -> None:
    if name in c.cluster.roles:
        raise Refusal(f"role {name} already exists")
    c.cluster.roles[name] = LoginRole()


def _set_password(c: SimulatedConnection, name: str, password: str) -> datetime:
    if name not in c.cluster.roles:
        raise Refusal(f"role {name} does not exist")
    c.cluster.roles[name].password = password
    return c._world.clock.wall()


def _create_publication(c: SimulatedConnection, name: str) -> None:
    if name in c.here.publications:
        raise Refusal(f"publication {name} already exists")
    c.here.publications.add(name)


def _create_slot(c: SimulatedConnection, name: str, *, deadline_s: float) -> int:
    if name in c.cluster.slots:
        raise Refusal(f"replication slot {name} already exists")
    c.cluster.slots[name] = Slot(c.database, c.cluster.wal)
    return c.cluster.wal


def _create_subscription(
    c: SimulatedConnection, name: str, conninfo: str, publication: str, slot_name: str, **more: Any
) -> None:
    if name in c.here.subscriptions:
        raise Refusal(f"subscription {name} already exists")
    parts = conninfo_to_dict(conninfo)
    c.here.subscriptions[name] = Subscription(
        slot_name, str(parts["host"]), str(parts["user"]), str(parts["password"]), True
    )
    publisher = c._world.reached(str(parts["host"]))
    if more.get("copy_data") and publisher is not None:
        rows = publisher.databases[c.database].rows
        c._world.copy_rows(c.cluster, c.database, rows, after=0)


def _empty(c: SimulatedConnection) -> None:
    c.here.rows.clear()


def _reconnect_subscription(c: SimulatedConnection, name: str, conninfo: str) -> None:
    parts = conninfo_to_dict(conninfo)
    found = c.here.subscriptions[name]
    found.host, found.password = str(parts["host"]), str(parts["password"])
    found.since, found.to = None, ("", 0)


def _enable(c: SimulatedConnection, name: str, enabled: bool) -> None:
    if name not in c.here.subscriptions:
        raise Refusal(f"subscription {name} does not exist")
    c.here.subscriptions[name].enabled = enabled


def _drop_subscription(c: SimulatedConnection, name: str) -> None:
    if c.here.subscriptions.pop(name, None) is None:
        raise Refusal(f"subscription {name} does not exist")


def _drop_slot(c: SimulatedConnection, name: str) -> None:
    c.cluster.slots.pop(name, None)
    for each in c._world.clusters.values():
        for database in each.databases.values():
            for subscription in database.subscriptions.values():
                subscription.working &= subscription.slot != name


def _barrier(c: SimulatedConnection) -> int:
    c.cluster.wal += 10
    return c.cluster.wal


def _set_sequences(c: SimulatedConnection, values: Sequence[Any]) -> None:
    for value in values:
        c.here.sequence = value.last_value if value.is_called else 0
    c.cluster.xid += 1


def _terminate(c: SimulatedConnection, roles: Sequence[str]) -> None:
    application = c._world.application
    session = application.session
    here = (c.cluster.resource_id, c.cluster.generation)
    if session is not None and session[:2] == here and APPLICATION in roles:
        application.session = None


def _analyze(c: SimulatedConnection) -> None:
    c.here.analyzed = True


CHANGES: dict[str, Callable[..., Any]] = {
    "lock": lambda c, role: _login(c, role, False),
    "unlock": lambda c, role: _login(c, role, True),
    "set_database_read_only": _read_only,
    "create_replication_role": _create_role,
    "set_password": _set_password,
    "create_publication": _create_publication,
    "publish_strays": lambda c, name: c.here.publications.add(strays_publication(name)),
    "create_slot": _create_slot,
    "create_subscription": _create_subscription,
    "set_subscription_connection": _reconnect_subscription,
    "enable_subscription": lambda c, name: _enable(c, name, True),
    "disable_subscription": lambda c, name: _enable(c, name, False),
    "detach_slot": lambda c, name: None,
    "drop_subscription": _drop_subscription,
    "drop_slot": _drop_slot,
    "terminate_slot_user": lambda c, name: None,
    "drop_publication": lambda c, name: c.here.publications.discard(name),
    "drop_role": lambda c, name: c.cluster.roles.pop(name, None),
    "barrier": _barrier,
    "set_sequences": _set_sequences,
    "terminate_sessions": _terminate,
    "analyze": _analyze,
    "empty": _empty,
    "refresh": lambda c: None,
}

INTENT_OF = {
    "set_password": re.compile(r"/password$"),
    "publish_strays": re.compile(r"/subscription$"),
    "create_subscription": re.compile(r"/subscription$"),
    "set_subscription_connection": re.compile(r"/subscription$"),
    "enable_subscription": re.compile(r"/subscription$"),
    "barrier": re.compile(r"/barrier-"),
    "set_sequences": re.compile(r"/sequences$"),
    "terminate_sessions": re.compile(r"/lock-roles$"),
    "analyze": re.compile(r"/analyze$"),
    "refresh": re.compile(r"/refresh$"),
}
"""Changes whose SQL is not in their preview word for word -> the key of their effect."""
