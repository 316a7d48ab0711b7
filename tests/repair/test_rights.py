"""Apply that is refused a table: told in PostgreSQL's words, and repaired as those ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

import pytest
from psycopg.sql import SQL, Identifier

from runbook.aws.errors import AccessDenied
from runbook.aws.facts import Cluster
from runbook.aws.rds import Rds
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.postgres import apply_rights, failing_transaction
from runbook.postgres.apply_rights import ApplyRights, mode
from runbook.postgres.schema_ddl import Parts
from runbook.watch.server_log import apply_error
from tests.postgres.conftest import application as application  # the fixture
from tests.repair.conftest import Bench, until

REVOKED = "REVOKE pg_write_all_data FROM {owner}; REVOKE INSERT ON note FROM {owner}"
SECURED = """
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
ALTER TABLE note FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON note USING (tenant = current_setting('shop.tenant', true));
"""


def _of(owner: str, words: LiteralString) -> str:
    return SQL(words).format(owner=Identifier(owner)).as_string(None)


def _note(bench: Bench, owner: str, then: LiteralString) -> None:
    table = "CREATE TABLE note (id int PRIMARY KEY, tenant text); ALTER TABLE note OWNER TO {owner}"
    bench.follow(prepare=_of(owner, table))
    bench.there("SET default_transaction_read_only = off;" + _of(owner, then))
    bench.here("INSERT INTO note VALUES (1, 'a')")
    errors = "SELECT apply_error_count > 0 FROM pg_stat_subscription_stats WHERE subname = %s"
    until(lambda: bench.there(errors, bench.name) == [(True,)])


@pytest.mark.parametrize(
    ("then", "said"),
    [
        (SECURED, 'cannot replicate into relation with row-level security enabled: "note"'),
        (REVOKED, "permission denied for table note"),
    ],
    ids=["forced row-level security", "an owner without a right"],
)
async def test_what_apply_is_refused_is_told_and_repaired(
    application: str, bench: Bench, then: LiteralString, said: str
) -> None:
    _note(bench, application, then)
    offer = await bench.offer("run-as-owner")
    assert said in offer.why
    assert said.partition(" (")[0] in bench.pair.log()
    assert not any(key.startswith("repair/stray-row/") for key in await bench.offers())
    await bench.repair("run-as-owner")
    assert bench.rows("note")[0] == bench.rows("note")[1]


async def test_where_the_option_does_not_help_the_grants_are_told(
    application: str, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    _note(bench, application, SECURED)
    found = _rights(owner=application, owner_secured=True, user_secured=True)

    async def rights(connection: object) -> list[ApplyRights]:
        return [found]

    monkeypatch.setattr(apply_rights, "apply_rights", rights)
    words = [each for each in await bench.session.repairs() if "what apply lacks" in each.title]
    assert len(words) == 1
    assert "NO FORCE ROW LEVEL SECURITY" in words[0].by_hand


async def test_where_nothing_else_tells_the_cause_the_server_log_does(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.follow(prepare="CREATE TABLE note (id int PRIMARY KEY, tenant text)")
    bench.there(
        "SET default_transaction_read_only = off; ALTER TABLE note ADD CHECK (tenant <> 'a')"
    )
    bench.here("INSERT INTO note VALUES (1, 'a')")
    errors = "SELECT apply_error_count > 0 FROM pg_stat_subscription_stats WHERE subname = %s"
    until(lambda: bench.there(errors, bench.name) == [(True,)])

    async def log(rds: Rds, instance: str, lines: int = 0) -> str:
        return bench.pair.log()

    async def alike(context: object, database: str) -> tuple[Parts, Parts]:
        return Parts("here"), Parts("there")

    async def cluster(context: RunContext, role: Role) -> Cluster:
        return (await bench.context.rds.clusters_of([bench.context.resource_id(role)]))[0]

    monkeypatch.setattr(RunContext, "cluster", cluster)
    monkeypatch.setattr(Rds, "log_tail", log)
    monkeypatch.setattr("runbook.repair.schemas_offered.both", alike)
    said = [each.why for each in await bench.session.repairs() if "stops apply" in each.title]
    assert len(said) == 1, await bench.offers()
    assert 'new row for relation "note" violates check constraint' in said[0]

    async def denied(rds: Rds, instance: str, lines: int = 0) -> str:
        raise AccessDenied("AccessDenied", "not authorized: rds:DownloadDBLogFilePortion")

    monkeypatch.setattr(Rds, "log_tail", denied)
    said = [each.why for each in await bench.session.repairs() if "stops apply" in each.title]
    assert "could not be read" in said[0]


LOG = """\
2026-11-30 09:00:01 UTC::@:[7]:ERROR:  permission denied for table note
2026-11-30 09:00:01 UTC::@:[7]:CONTEXT:  processing remote data for replication origin "pg_16409" \
during message type "INSERT" for replication target relation "public.note" in transaction 745
2026-11-30 09:00:02 UTC:app@orders:[9]:ERROR:  syntax error at or near "SELEC"
2026-11-30 09:00:03 UTC::@:[8]:ERROR:  role "postgres" cannot SET ROLE to "shop"
2026-11-30 09:00:03 UTC::@:[8]:CONTEXT:  processing remote data for replication origin "pg_9"
"""


def test_the_last_error_of_the_worker_itself_is_taken() -> None:
    assert apply_error(LOG, "pg_16409") == "permission denied for table note"
    assert apply_error(LOG, "pg_9") == 'role "postgres" cannot SET ROLE to "shop"'
    assert apply_error(LOG, "pg_1") == apply_error("", "pg_9") == ""


async def test_of_a_long_transaction_no_more_is_read_than_is_needed(
    application: str, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    _note(bench, application, REVOKED)
    bench.there(_of(application, "GRANT INSERT ON note TO {owner}"))
    bench.settle()
    bench.there("ALTER SUBSCRIPTION " + bench.name + " DISABLE")
    bench.here("INSERT INTO note SELECT n, repeat('x', 100) FROM generate_series(2, 3000) AS n")
    bench.here("INSERT INTO note VALUES (3001, 'b')")
    monkeypatch.setattr(failing_transaction, "MOST_CHANGES", 200)
    fetched: list[int] = []
    take = failing_transaction._Reading.ends_with

    def counted(self: failing_transaction._Reading, message: bytes) -> bool:
        fetched.append(len(message))
        return take(self, message)

    monkeypatch.setattr(failing_transaction._Reading, "ends_with", counted)
    slot = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = %s AND NOT active"
    until(lambda: bench.here(slot, bench.slot) == [(1,)])
    async with bench.context.connect(bench.sides.subscriber, bench.database) as connection:
        applied = await failing_transaction.applied(connection, bench.name)
    async with bench.context.connect(bench.sides.publisher, bench.database) as connection:
        found = await failing_transaction.failing(
            connection, bench.slot, bench.name, applied_lsn=applied, from_lsn=0
        )
    assert (len(found.changes), found.whole) == (200, False)
    assert len(fetched) < 300
    assert found.tables == {("public", "note")}


def _rights(*, owner: str = "shop", **changes: object) -> ApplyRights:
    fields: dict[str, object] = {
        "schema": "public",
        "name": "note",
        "owner": owner,
        "user": "postgres",
        "enters": True,
        "may_set": True,
        "owner_lacks": [],
        "user_lacks": [],
        "owner_secured": False,
        "user_secured": False,
    }
    return ApplyRights(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("major", "tables", "run_as_owner", "refused"),
    [
        (14, [_rights(user_lacks=["INSERT"], owner_secured=True)], True, 0),
        (14, [_rights(enters=False)], True, 1),
        (15, [_rights(may_set=False)], True, 0),
        (15, [_rights(user_lacks=["INSERT"])], True, 1),
        (16, [], False, 0),
        (16, [_rights(user_lacks=["INSERT"])], False, 0),
        (16, [_rights(may_set=False)], True, 0),
        (16, [_rights(owner_secured=True)], True, 0),
        (18, [_rights(owner_lacks=["UPDATE"])], True, 0),
        (18, [_rights(may_set=False, user_lacks=["INSERT"])], False, 1),
        (18, [_rights(enters=False)], False, 1),
    ],
)
def test_a_subscription_writes_as_whoever_is_refused_least(
    major: int, tables: Sequence[ApplyRights], run_as_owner: bool, refused: int
) -> None:
    how = mode(tables, major)
    assert how.run_as_owner is run_as_owner
    assert len(how.refused) == refused
    for table in how.refused:
        assert table.refusals(as_owner=how.as_owner)
        assert table.grants(as_owner=how.as_owner)
