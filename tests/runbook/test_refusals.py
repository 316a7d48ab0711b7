"""A password that is refused is told once, with every side and database that it concerns."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from runbook.base.alert import ProbeResult
from runbook.plan.model import ProtectionSection
from runbook.postgres.refusals import libpq_says, told_once
from runbook.protection.assess import REQUIRED_PROBES, JournalFacts, Observed, assess
from runbook.protection.dashboard import LagView

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
WHY = '"app": FATAL: password authentication failed for user "app". Check the password.'


def refused(side: str, port: int, database: str) -> str:
    return f'Cannot connect to {side} (db.local:{port}, database "{database}") as {WHY}'


NEW, PRIME, SHOP = (
    refused("new blue", 5432, "orders"),
    refused("blue prime", 5433, "orders"),
    refused("blue prime", 5433, 'sh,o"")p'),
)


def test_one_word_for_several_databases_and_sides() -> None:
    told = told_once([f"lag of orders is unknown: {NEW}", f"no schemas: {PRIME}", f"none: {SHOP}"])
    assert told == (
        "lag of orders is unknown; no schemas; none: Cannot connect to new blue (db.local:5432, "
        'database "orders") and blue prime (db.local:5433, databases "orders", "sh,o"")p") as '
        f"{WHY}",
    )


def test_what_has_another_cause_is_told_for_itself_and_in_its_place() -> None:
    other = NEW.replace("password authentication failed", "the database system is starting up")
    told = told_once([PRIME, "no answer for 30 s", other, PRIME])
    assert told == (PRIME, "no answer for 30 s", other)
    assert told_once([]) == ()


@pytest.mark.parametrize("before", ["connection failed: ", ""])
def test_each_of_libpqs_tries_that_ends_alike_is_told_once(before: str) -> None:
    fatal = 'FATAL:  password authentication failed for user "app"'
    tries = "\n".join(
        f'{before}connection to server at "{at}", port 5432 failed: {fatal}'
        for at in ("127.0.0.1", "::1", "127.0.0.1")
    )
    assert libpq_says(tries) == 'FATAL: password authentication failed for user "app"'
    gone = 'connection failed: connection to server at "127.0.0.1", port 1 failed: refused'
    assert libpq_says(gone) == gone, "where nobody answers, where it was looked for is the answer"


def test_the_verdict_tells_a_refused_password_once() -> None:
    lag = LagView("orders", "bp_1", None, None, None, "unknown", reason=NEW, at=NOW)
    lags = (lag, replace(lag, database="shop", slot="bp_2"))
    seen = {rest.name: ProbeResult(NOW, (), f"{rest.failed}: {PRIME}") for rest in REQUIRED_PROBES}
    kept = JournalFacts(switched=True, slots={"orders": "bp_1", "shop": "bp_2"}, verified=True)
    verdict = assess(kept, Observed(lags, seen), ProtectionSection(), NOW)
    assert verdict.protected is None
    assert verdict.text.count("password authentication failed") == 1
    assert len(verdict.reasons) == 1
    for concerned in ("lag of shop", REQUIRED_PROBES[0].failed, "new blue", "blue prime"):
        assert concerned in verdict.text
