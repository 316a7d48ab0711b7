"""Each repair of a check: offered with its gate, performed once, and gone from what is offered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from runbook.postgres import fix
from runbook.postgres.fix import Fix, FixKind
from runbook.repair import offered
from state.enums import Outcome, Status
from tests.repair.conftest import Bench, yes
from tui.cli import repairs

Plant = AbstractContextManager[Sequence[str]]


def _sql(bench: Bench, query: str, *names: str) -> Plant:
    bench.there(query)
    return nullcontext(names)


@contextmanager
def _session(bench: Bench) -> Iterator[Sequence[str]]:
    with bench.pair.admin(16, bench.database) as victim:
        victim.execute("BEGIN; SELECT 1")
        pid = victim.info.backend_pid
        ((began,),) = bench.there(
            "SELECT backend_start::text FROM pg_stat_activity WHERE pid = %s", pid
        )
        yield (str(pid), began)
        with pytest.raises(psycopg.Error):
            victim.execute("SELECT 1")


@contextmanager
def _roles(bench: Bench) -> Iterator[Sequence[str]]:
    names = ('Shop "owner" 1%', "master 🔑")
    with bench.pair.admin(16, bench.database) as admin:
        for name in names:
            admin.execute(SQL("CREATE ROLE {}").format(Identifier(name)))
        # What an earlier GRANT said is said anew.
        admin.execute(
            SQL("GRANT {} TO {} WITH INHERIT FALSE, SET FALSE").format(*map(Identifier, names))
        )
        yield names
        for name in names:
            admin.execute(SQL("DROP ROLE {}").format(Identifier(name)))


def plant(bench: Bench, kind: FixKind) -> Plant:
    match kind:
        case FixKind.TERMINATE:
            return _session(bench)
        case FixKind.DROP_SLOT:
            query = "SELECT pg_create_logical_replication_slot('left_over', 'pgoutput')"
            return _sql(bench, query, "left_over")
        case FixKind.DROP_PUBLICATION:
            return _sql(bench, 'CREATE PUBLICATION "Left ""over"" 🐘"', 'Left "over" 🐘')
        case FixKind.DROP_SUBSCRIPTION:
            return _sql(
                bench,
                "CREATE SUBSCRIPTION \"Left over\" CONNECTION 'host=nowhere' PUBLICATION p"
                " WITH (connect = false)",
                "Left over",
            )
        case FixKind.ROLL_BACK_PREPARED:
            return _sql(
                bench, "BEGIN; CREATE TABLE p (); PREPARE TRANSACTION 'it''s held'", "it's held"
            )
        case FixKind.IDENTITY_FULL:
            return _sql(bench, 'CREATE TABLE "T t" (id int)', "public", "T t")
        case FixKind.IDENTITY_INDEX:
            return _sql(
                bench,
                'CREATE TABLE "T t" (id int NOT NULL); CREATE UNIQUE INDEX "I i" ON "T t" (id)',
                *("public", "T t", "I i"),
            )
        case FixKind.IDENTITY_DEFAULT:
            return _sql(
                bench,
                'CREATE TABLE "T t" (id int PRIMARY KEY); ALTER TABLE "T t" REPLICA IDENTITY FULL',
                *("public", "T t"),
            )
        case FixKind.PLAIN_TRIGGER:
            return _sql(
                bench,
                'CREATE TABLE "T t" (id int); CREATE FUNCTION f() RETURNS trigger'
                " LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
                ' CREATE TRIGGER "G g" BEFORE INSERT ON "T t" EXECUTE FUNCTION f();'
                ' ALTER TABLE "T t" ENABLE ALWAYS TRIGGER "G g"',
                *("public", "T t", "G g"),
            )
        case FixKind.JOIN_ROLE:
            return _roles(bench)
        case FixKind.DROP_EXTENSION:
            # `plpgsql` is everywhere, and nothing here depends on it.
            return nullcontext(["plpgsql"])


TYPED = {
    FixKind.DROP_SLOT,
    FixKind.DROP_PUBLICATION,
    FixKind.DROP_SUBSCRIPTION,
    FixKind.ROLL_BACK_PREPARED,
    FixKind.DROP_EXTENSION,
}


def found(bench: Bench, *fixes: Fix) -> None:
    """Keep a preflight that found these."""
    bench.fact(
        "preflight",
        [
            {
                "key": "a.check", "level": "block", "subject": "here", "text": "Planted.",
                "fix": one.as_json(),
            }
            for one in fixes
        ],
    )  # fmt: skip


def test_what_a_journal_of_the_first_version_keeps_is_offered() -> None:
    kept = {"mend": "drop-slot", "database": "", "names": ["left"]}
    assert fix.from_json(kept) == Fix(FixKind.DROP_SLOT, "", ("left",))
    assert fix.from_json(kept).as_json()["kind"] == "drop-slot"


@pytest.mark.parametrize("kind", list(FixKind), ids=lambda kind: kind.value)
async def test_a_repair_is_offered_performed_and_gone(bench: Bench, kind: FixKind) -> None:
    with plant(bench, kind) as names:
        whole = kind in (FixKind.TERMINATE, FixKind.DROP_SLOT, FixKind.JOIN_ROLE)
        asks = kind in (FixKind.TERMINATE, FixKind.JOIN_ROLE)
        found(bench, Fix(kind, "" if whole else bench.database, tuple(names)))
        offer = await bench.offer("fix")
        assert offer.why == "here: Planted."
        assert [gate.must_type for gate in offer.gates] == (
            [names[0]] if kind in TYPED else [""] if asks else []
        )
        assert offer.effects
        assert offer.effects[0][1].startswith("-- on blue")
        await bench.repair("fix")
        (effect,) = bench.journal.attempts(bench.run)[-1].effects
        assert effect.outcome is Outcome.SUCCEEDED
        assert await bench.session.repairs() == []


async def test_a_session_of_another_time_is_never_ended(bench: Bench) -> None:
    with bench.pair.admin(16, bench.database) as other:
        names = (str(other.info.backend_pid), "2020-01-01T00:00:00+00:00")
        found(bench, Fix(FixKind.TERMINATE, "", names))
        assert await bench.session.repairs() == []
        other.execute("SELECT 1")


async def test_what_passed_is_not_offered_and_old_blue_is_left_alone(bench: Bench) -> None:
    bench.there("CREATE PUBLICATION p")
    one = Fix(FixKind.DROP_PUBLICATION, bench.database, ("p",))
    result = {"level": "pass", "subject": "", "text": "", "fix": one.as_json()}
    bench.fact("preflight", [result])
    assert await bench.session.repairs() == []
    found(bench, one)
    key = (await bench.offer("fix")).key
    bench.fact("switchover", {"called_at": ""})
    assert await bench.session.repairs() == []
    with pytest.raises(Exception, match="is not offered now"):
        await bench.session.repair(key, yes)
    assert bench.there("SELECT pubname FROM pg_publication") == [("p",)]


async def test_no_slot_is_dropped_once_there_is_a_deployment(bench: Bench) -> None:
    bench.there("SELECT pg_create_logical_replication_slot('of_aws', 'pgoutput')")
    found(bench, Fix(FixKind.DROP_SLOT, "", ("of_aws",)))
    assert (await bench.offer("fix")).title == "Drop the slot of_aws"
    bench.fact("deployment", {"identifier": "bgd-1"})
    assert await bench.session.repairs() == []


async def test_a_server_that_refuses_says_so_and_the_repair_stays_offered(bench: Bench) -> None:
    bench.there("CREATE TABLE t (id int)")
    found(bench, Fix(FixKind.IDENTITY_FULL, bench.database, ("public", "t")))
    key = (await bench.offer("fix")).key
    with bench.pair.stray(16, bench.database) as holder:
        holder.execute("BEGIN; INSERT INTO t VALUES (1)")
        assert await bench.session.repair(key, yes) is Status.FAILED
        holder.execute("ROLLBACK")
    assert "lock timeout" in bench.journal.attempts(bench.run)[-1].message
    await bench.repair("fix")
    assert bench.there("SELECT relreplident::text FROM pg_class WHERE relname = 't'") == [("f",)]


async def test_more_than_are_looked_at_are_counted_and_each_can_be_performed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offered, "MOST_FIXES", 2)
    bench.there(" ".join(f"CREATE TABLE t{n} (id int);" for n in range(5)))
    fixes = [Fix(FixKind.IDENTITY_FULL, bench.database, ("public", f"t{n}")) for n in range(5)]
    found(bench, *fixes)
    offers = await bench.session.repairs()
    assert len([each for each in offers if each.key]) == 2
    (more,) = [each for each in offers if not each.key]
    assert more.title == "Look again for 3 more"
    assert "repair" in more.by_hand
    last = next(each for each in offers if each.key).key.replace('"t0"', '"t4"')
    assert await bench.session.repair(last, yes) is Status.SUCCEEDED
    query = "SELECT relname FROM pg_class WHERE relreplident = 'f' ORDER BY 1"
    assert bench.there(query) == [("t4",)]


async def test_all_takes_what_asks_nothing_and_leaves_the_rest_to_a_person(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(offered, "MOST_FIXES", 2)
    monkeypatch.setattr(repairs, "write_journal", lambda: nullcontext(bench.journal))
    monkeypatch.setattr(repairs, "open_session", lambda journal, run: bench.session)
    bench.there(" ".join(f"CREATE TABLE t{n} (id int);" for n in range(5)))
    bench.there("CREATE PUBLICATION p")
    fixes = [Fix(FixKind.IDENTITY_FULL, bench.database, ("public", f"t{n}")) for n in range(5)]
    found(bench, *fixes, Fix(FixKind.DROP_PUBLICATION, bench.database, ("p",)))
    assert await repairs.repair(bench.run, "all", yes=True, as_json=False) == 0
    assert bench.there("SELECT count(*) FROM pg_class WHERE relreplident = 'f'") == [(5,)]
    assert bench.there("SELECT pubname FROM pg_publication") == [("p",)]
    assert "5 of 5 were done; left to you: 1" in capsys.readouterr().out


async def test_what_green_lacks_is_repaired_on_green(bench: Bench) -> None:
    with bench.pair.admin(18) as admin:
        for name in ("theirs", "mine"):
            admin.execute(SQL("CREATE ROLE {}").format(Identifier(name)))
        one = Fix(FixKind.JOIN_ROLE, "", ("theirs", "mine"), "green")
        result = {"level": "block", "subject": "green/orders/read-only", "text": "No."}
        bench.fact("rights", [result | {"fix": one.as_json()}])
        offer = await bench.offer("fix")
        assert offer.title == 'Make "mine" a member of "theirs" on green'
        assert offer.effects[0][1].startswith("-- on green")
        await bench.repair("fix")
        row = admin.execute("SELECT pg_has_role('mine', 'theirs', 'USAGE')").fetchone()
        assert row == (True,)
        for name in ("theirs", "mine"):
            admin.execute(SQL("DROP ROLE {}").format(Identifier(name)))
