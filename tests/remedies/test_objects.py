"""Roles, grants and code of a release on new blue, made on blue prime too, so that it can serve."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from runbook import unlike
from runbook.offers import Offer
from state.words import Status
from tests.postgres.test_objects import RICH, ROLES, forget_roles
from tests.remedies.conftest import Bench, yes

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
    bench.fact(unlike.KNOWN, {})
    yield [each for each in statements if each not in both]
    forget_roles(bench.pair, bench.database, (*ROLES, "reporting", "gone"))


async def make_all(bench: Bench) -> list[Offer]:
    """Take every offer that makes something alike; return what is left."""
    for _ in range(9):
        offers = await bench.session.remedies()
        keys = [offer.key for offer in offers if offer.key.startswith("remedy/alike/")]
        if not keys:
            return offers
        for key in keys:
            status = await bench.session.mend(key, yes)
            last = bench.journal.attempts(bench.run)[-1]
            assert status is Status.SUCCEEDED, (key, last.message, last.effects)
    raise AssertionError([offer.title for offer in offers])


async def test_a_release_of_every_kind_is_made_alike(bench: Bench, release: list[str]) -> None:
    assert await bench.session.remedies() == []
    for statement in release:
        if statement not in ('CREATE ROLE "o""w ner"', "CREATE ROLE other NOINHERIT BYPASSRLS"):
            bench.here(statement)
    bench.here("ALTER ROLE other NOINHERIT BYPASSRLS")
    left = await make_all(bench)
    assert [offer.title for offer in left] == []
