"""Roles, grants and code of a release on new blue, made on blue prime too, so that it can serve."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from runbook.base.roles import Role
from runbook.base.step import Gate, Watch
from runbook.failures import Refused
from runbook.postgres.connect import CannotConnect
from runbook.procedure.steps.shared.objects import LEFT, refuse_unless_alike
from runbook.proofs import objects
from runbook.proofs.objects import ObjectsSurvey, Unlike
from runbook.repair.objects import repairs
from state.enums import Status
from tests.postgres.conftest import SECRET
from tests.postgres.test_objects import RICH, ROLES, forget_roles
from tests.repair.conftest import Bench, yes

SIDES = (Role.NEW_BLUE, Role.BLUE_PRIME)

TABLES = (
    "CREATE SCHEMA", "CREATE TYPE", "CREATE DOMAIN", "CREATE TABLE", "CREATE SEQUENCE",
    "CREATE FOREIGN", "CREATE SERVER", "CREATE USER MAPPING", "CREATE TEXT", "CREATE COLLATION",
    "CREATE OPERATOR", "CREATE CAST", 'CREATE FUNCTION "S s".of', "CREATE AGGREGATE",
)  # fmt: skip
"""What is on both sides from the start: compared with the tables, or made by hand."""


@pytest.fixture
def release(bench: Bench) -> Iterator[list[str]]:
    """Lend the statements of a release, of which what concerns tables has been made on both."""
    statements = [each.strip() for each in RICH.split(";\n") if each.strip()]
    both = [each for each in statements if each.startswith(TABLES)]
    bench.both('CREATE ROLE "o""w ner"')
    bench.both("CREATE ROLE other")
    for each in both:
        bench.both(each)
    bench.follow()
    bench.fact(objects.KNOWN, {})
    yield [each for each in statements if each not in both]
    forget_roles(bench.pair, bench.database, (*ROLES, "reporting", "gone"))


async def left(bench: Bench) -> list[Unlike]:
    found = await ObjectsSurvey(bench.context).look(*SIDES, [bench.database])
    return objects.fresh(found, objects.known(bench.context) or {})


async def make_all(bench: Bench) -> list[Unlike]:
    """Perform what makes something alike, again and again; return what is left.

    What was made from a server's own words is printed by the other one in its own.
    """
    look, alike = ObjectsSurvey(bench.context), dict[str, list[str]]()
    for _ in range(9):
        found = objects.fresh(await look.look(*SIDES, [bench.database]), alike)
        made = repairs(found, look)
        if not made:
            return found
        for repair in made:
            ((effect,),) = await repair.effects(bench.context)
            await effect.perform()
            again = await repair.now(bench.context)
            alike |= objects.printed([] if again is None else [again])
    raise AssertionError([each.words for each in found])


async def test_a_release_of_every_kind_is_made_alike(bench: Bench, release: list[str]) -> None:
    assert await left(bench) == []
    for statement in release:
        if statement not in ('CREATE ROLE "o""w ner"', "CREATE ROLE other NOINHERIT BYPASSRLS"):
            bench.here(statement)
    bench.here("ALTER ROLE other NOINHERIT BYPASSRLS")
    assert len(await left(bench)) > 30
    assert await make_all(bench) == []


async def test_what_a_release_has_dropped_is_dropped_and_what_it_revoked_is_revoked(
    bench: Bench, release: list[str]
) -> None:
    for statement in release:
        if not statement.startswith("CREATE ROLE "):
            continue
        if statement not in ('CREATE ROLE "o""w ner"', "CREATE ROLE other NOINHERIT BYPASSRLS"):
            bench.both(statement)
    for statement in release:
        if not statement.startswith("CREATE ROLE "):
            bench.there(statement)
    told = [each.words for each in await left(bench)]
    assert any(words.endswith("is only on blue prime") for words in told)
    assert any("SELECT only on blue prime" in words for words in told)
    assert await make_all(bench) == []


BASE = """
CREATE TABLE account (id bigint PRIMARY KEY, balance numeric);
CREATE TABLE audit_log (id bigint PRIMARY KEY);
CREATE ROLE "app % role" LOGIN;
GRANT ALL ON audit_log TO "app % role";
"""
RELEASE = """
CREATE FUNCTION public.discount(amount numeric) RETURNS numeric LANGUAGE sql
    AS $$ SELECT amount * 0.9 $$;
CREATE VIEW public.rich_account AS SELECT * FROM account WHERE balance > 10;
CREATE INDEX account_balance ON account (balance);
GRANT SELECT ON account TO reporting;
REVOKE ALL ON audit_log FROM "app % role";
"""


def let_in(bench: Bench, role: str) -> None:
    """Give a role a password on the publisher, in the form in which it stands in no statement."""
    with bench.pair.admin(18, bench.database) as connection:
        verifier = connection.pgconn.encrypt_password(
            SECRET.encode(), role.encode(), b"scram-sha-256"
        ).decode()
        connection.execute(SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(role), verifier))


@pytest.fixture
def based(bench: Bench) -> Iterator[Bench]:
    """Lend a run whose sides have an application's tables and role, and are alike."""
    bench.follow(prepare=BASE)
    bench.fact(objects.KNOWN, {})
    yield bench
    forget_roles(bench.pair, bench.database, ("reporting", "app % role"))


class Asked:
    """A step's watch, at whose gates one person stands."""

    def __init__(self, bench: Bench, *, accepts: bool) -> None:
        self._bench, self._accepts = bench, accepts
        self.gates: list[Gate] = []

    def evidence(self, text: str, *, key: str = "", value: Any = None) -> None:
        self._bench.journal.evidence(self._bench.run, "assess", text, key=key, value=value)

    async def passes(self, gate: Gate) -> bool:
        self.gates.append(gate)
        return self._accepts


async def moved(bench: Bench, *, accepts: bool) -> list[Gate]:
    """Look before the applications are moved; return what was asked."""
    asked = Asked(bench, accepts=accepts)
    await refuse_unless_alike(
        bench.context, cast(Watch, asked), *SIDES, [bench.database], todo="Fix it."
    )
    return asked.gates


async def test_before_the_applications_are_moved_each_is_named_and_accepted_once(
    based: Bench,
) -> None:
    assert await moved(based, accepts=False) == []
    based.here("CREATE ROLE reporting LOGIN; GRANT SELECT ON account TO reporting")
    with pytest.raises(Refused, match="1 role, 1 grant") as refused:
        await moved(based, accepts=False)
    assert 'role "reporting" is only on new blue' in refused.value.what
    (gate,) = await moved(based, accepts=True)
    assert 'the grant on table "public"."account" to "reporting"' in gate.question
    assert "SELECT only on new blue" in gate.question
    # What was accepted is not asked again; what comes after that is.
    assert await moved(based, accepts=False) == []
    assert [o for o in await based.offers() if o.startswith("repair/alike")] == []
    based.here('REVOKE ALL ON audit_log FROM "app % role"')
    (gate,) = await moved(based, accepts=True)
    assert "only on blue prime" in gate.question
    assert "reporting" not in gate.question
    assert len(based.context.fact(LEFT)) == 3, "whatever was accepted, and is still not alike"


async def test_a_side_that_cannot_be_asked_holds_up_no_way_off_it(
    based: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look(*_: object) -> list[Unlike]:
        raise CannotConnect("Cannot connect to new blue: no answer in time.")

    monkeypatch.setattr(ObjectsSurvey, "look", look)
    with pytest.raises(Refused, match="could not be compared: Cannot connect to new blue"):
        await moved(based, accepts=False)
    (gate,) = await moved(based, accepts=True)
    assert gate.yes == "Go on"
    texts = [seen.text for seen in based.journal.evidences(based.run, "assess")]
    assert any("were not compared: Cannot connect to new blue" in text for text in texts)


async def repair_all(bench: Bench, most: int = 20) -> None:
    for _ in range(most):
        keys = [offer.key for offer in await bench.session.repairs()]
        key = next((key for key in keys if key.startswith("repair/alike/")), None)
        if key is None:
            return
        status = await bench.session.repair(key, yes)
        last = bench.journal.attempts(bench.run)[-1]
        assert status is Status.SUCCEEDED, (key, last.message, last.effects)
    raise AssertionError(keys)


async def test_after_a_release_is_repaired_the_applications_log_in_on_blue_prime(
    based: Bench,
) -> None:
    assert await based.session.repairs() == []
    based.here("CREATE ROLE reporting LOGIN")
    based.here(RELEASE)
    let_in(based, "reporting")
    let_in(based, "app % role")
    offers = await based.offers()
    assert [key for key in offers if key.startswith("repair/accept/")]
    shown = "\n".join(text for offer in offers.values() for _, text in offer.effects)
    assert "PASSWORD '********'" in shown
    await repair_all(based)
    assert await based.session.repairs() == []
    with based.pair.client(16, based.database, "reporting") as reporting:
        assert reporting.execute("SELECT * FROM account").fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reporting.execute("SELECT * FROM audit_log")
    with (
        based.pair.client(16, based.database, "app % role") as app,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        app.execute("SELECT * FROM audit_log")
    assert based.there("SELECT public.discount(10)") == [(9,)]
    # What a password is checked against goes from server to server, and is written nowhere else.
    verifiers = based.here("SELECT rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL")
    assert len(verifiers) >= 2
    kept = shown + "".join(
        each.read_bytes().decode(errors="replace")
        for each in based.journal.path.parent.glob("journal.db*")
    )
    assert not [1 for (verifier,) in verifiers if verifier in kept or verifier[30:80] in kept]


PARTITIONED = """
CREATE TABLE event (id int, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE "Event 1" PARTITION OF event FOR VALUES FROM (0) TO (10);
CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM (10) TO (20);
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER stamp BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION fires();
ALTER TABLE event_2 DISABLE TRIGGER stamp
"""


async def test_a_trigger_that_one_partition_alone_has_otherwise_is_seen_and_made_alike(
    bench: Bench,
) -> None:
    bench.follow(prepare=PARTITIONED)
    bench.fact(objects.KNOWN, {})
    assert await bench.offers() == {}
    bench.here(
        'ALTER TABLE "Event 1" DISABLE TRIGGER stamp; ALTER TABLE event_2 ENABLE TRIGGER stamp'
    )
    accepting = next(text for key, text in (await bench.offers()).items() if "/accept/" in key)
    assert "2 partition triggers" in accepting.why
    await repair_all(bench)
    assert await bench.offers() == {}
    enabled = (
        "SELECT tgrelid::regclass::text, tgenabled::text FROM pg_trigger WHERE tgname = 'stamp'"
    )
    assert sorted(bench.there(enabled)) == [('"Event 1"', "D"), ("event", "O"), ("event_2", "O")]
