"""Whom a real server lets in, and where they could write."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg.sql import SQL, Identifier

from runbook.postgres import admission
from tests.postgres.conftest import SECRET, Open, Pair

ROLE = 'Ærø "app" 100%'
OTHER = "admission_other"


@pytest.fixture(params=[16, 18])
def major(request: pytest.FixtureRequest, pair: Pair) -> Iterator[int]:
    """Lend a server with two roles of clients, one of them of an awkward name."""
    with pair.admin(request.param) as admin:
        for name in (ROLE, OTHER):
            admin.execute(SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(Identifier(name), SECRET))
        yield request.param
        for name in (ROLE, OTHER):
            admin.execute(SQL("DROP ROLE {}").format(Identifier(name)))


async def test_who_is_inside_who_may_come_and_where_they_could_write(
    opened: Open, pair: Pair, major: int
) -> None:
    name = 'admission "shop" 100%'
    with pair.admin(major) as admin:
        admin.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            connection = await opened(major)
            with pair.client(major, name, ROLE):
                found = await admission.look(connection, [ROLE])
                assert (found.able, found.in_recovery) == ([ROLE], False)
                assert name in found.writable
                assert [(each.role, each.database) for each in found.inside] == [(ROLE, name)]
                assert found.open

                assert {ROLE, OTHER} <= set((await admission.look(connection, [])).able)
                assert (await admission.look(connection, [OTHER])).sessions == ()

                read_only = SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
                admin.execute(read_only.format(Identifier(name), "on"))
                found = await admission.look(connection, [ROLE])
                assert name not in found.writable
                assert (len(found.sessions), found.inside) == (1, ())
            admin.execute(read_only.format(Identifier(name), "off"))
            assert name in (await admission.look(connection, [ROLE])).writable
            admin.execute(SQL("ALTER ROLE {} NOLOGIN").format(Identifier(ROLE)))
            found = await admission.look(connection, [ROLE])
            assert (found.able, found.open) == ([], False)
        finally:
            admin.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
