"""A server that is reached by the end of a tunnel is still known by its own name."""

from __future__ import annotations

import pytest

from rehearsal.servers.ports import free_port
from runbook.postgres.connect import CannotConnect, connect
from runbook.postgres.target import Address
from tests.postgres.conftest import LIMIT_S, Pair, master_password

ORDERS = "orders.cluster-abc.us-east-1.rds.amazonaws.com"


async def test_a_name_that_resolves_nowhere_here_is_reached_by_its_tunnel(pair: Pair) -> None:
    via = Address("127.0.0.1", pair.target(16).port)
    target = pair.target(16, host=ORDERS, port=5432, via=via)
    connection = await connect(target, master_password, "postgres", deadline_s=LIMIT_S)
    assert connection.info.host == ORDERS
    assert connection.info.hostaddr == "127.0.0.1"
    await connection.close()


async def test_a_tunnel_that_is_not_open_is_named(pair: Pair) -> None:
    port = free_port()
    target = pair.target(16, host=ORDERS, port=5432, via=Address("127.0.0.1", port))
    with pytest.raises(CannotConnect, match=rf"{ORDERS}:5432 via 127\.0\.0\.1:{port}, database"):
        await connect(target, master_password, "postgres", deadline_s=0.01)


async def test_an_endpoint_without_a_way_is_told_at_once(pair: Pair) -> None:
    target = pair.target(16, host=ORDERS, no_way="no tunnel leads there")
    with pytest.raises(CannotConnect, match="no tunnel leads there"):
        await connect(target, master_password, "postgres", deadline_s=LIMIT_S)
