"""What applications need beside their rows: no banner says "nothing" while it is missing."""

from __future__ import annotations

import pytest
from psycopg.sql import SQL, Identifier

from runbook.base.alert import Cause
from runbook.watch.probes import objects
from tests.watch.held import RUN, Held


async def says(held: Held, *words: str) -> None:
    """Wait until the banner has these words, the rows being protected all the while."""
    await held.until(
        lambda: (
            held.dashboard.protection.protected is True
            and all(each in held.dashboard.protection.text for each in words)
        ),
        str(words),
    )


async def test_the_banner_counts_what_is_not_alike_until_it_is(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PAUSE_S", 0.0)
    await says(held, "a rollback now would lose nothing")
    role, database = Identifier('late % "role"'), Identifier(held.database)
    make = SQL("CREATE ROLE {} LOGIN").format(role).as_string(None)
    grant = SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, role).as_string(None)
    function = "CREATE FUNCTION public.late() RETURNS int LANGUAGE sql AS 'SELECT 1'"
    try:
        await held.new(make, grant, function)
        await says(held, "lose no row, but on blue prime differ: 1 role", "1 grant", "1 function")
        assert not [alarm for alarm in held.dashboard.alarms if alarm.breaks]
        causes = {alarm.cause for alarm in held.dashboard.alarms}
        assert causes == {Cause.ROLE, Cause.GRANT, Cause.CODE}
        assert any("is only on new blue" in reason for reason in held.reasons)
        # Made by hand on the other side, it is gone; another password is none that can be told.
        await held.prime(make, grant, function)
        await says(held, "a rollback now would lose nothing")
        await held.new('ALTER ROLE "late % ""role""" PASSWORD \'another one\'')
        await says(held, "differ: 1 password")
        assert any("cannot be told" in reason for reason in held.reasons)
        # What is revoked on the side that serves would come back.
        await held.new(grant.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
        await says(held, "1 grant", "1 password")
        assert any("CREATE only on blue prime" in reason for reason in held.reasons)
        said = [seen.text for seen in held.journal.evidences(RUN, "monitor", key="protection")]
        assert any("1 role, 1 grant, 1 function" in text for text in said)
    finally:
        for run in (held.new, held.prime):
            await run(
                "DROP FUNCTION IF EXISTS public.late()",
                f"DROP OWNED BY {role.as_string(None)}",
                f"DROP ROLE {role.as_string(None)}",
            )
