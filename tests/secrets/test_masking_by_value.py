"""A secret that this process has met is masked wherever it stands, in whatever encoding."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.plan.connection import CredentialsSection
from runbook.postgres.statement import quoted
from state import masking
from tests.secrets.treasure import Treasure, punctuated, random_word, spellings
from tui import text
from tui.cli.guard import PrivateLog
from tui.cli.streams import Guarded

KEPT = "orders", "production", "production-1", "Billing & Søn", "a b", "true"


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test's secrets stay in the process."""
    monkeypatch.setattr(masking, "_remembered", set())
    monkeypatch.setattr(masking, "_known", None)


@pytest.mark.parametrize(
    "secret",
    [punctuated(), random_word(), "Tr0ub4dor&3", "x" * 16],
    ids=["punctuated", "random", "short", "long"],
)
def test_each_spelling_is_masked(secret: str) -> None:
    masking.remember(secret)
    for how, spelt in spellings(secret):
        said = f"the server said: {spelt.decode()} (08006)"
        assert spelt.decode() not in masking.masked_by_value(said), how
        assert not Treasure({"it": secret}).found_in(masking.masked(said)), how


@given(st.text(min_size=16, max_size=120).filter(lambda t: not any(c.isspace() for c in t)))
def test_no_strong_secret_stays(secret: str) -> None:
    masking._remembered.clear()
    masking.remember(secret)
    assert secret not in masking.masked_by_value(f"<{secret}>{secret}")


@pytest.mark.parametrize("word", KEPT)
def test_what_could_be_a_name_is_left_alone(word: str) -> None:
    masking.remember_environment({"DB_PASSWORD": word, "TOKEN_FILE": random_word()})
    assert masking.masked_by_value(f"cluster {word} has a slot") == f"cluster {word} has a slot"


def test_a_private_key_of_many_lines_is_masked_line_by_line() -> None:
    lines = [random_word(64) for _ in range(3)]
    masking.remember_environment({"DEPLOY_KEY": "no name of a secret"})
    masking.remember_environment({"DEPLOY_PRIVATE_KEY": "\n".join(lines)})
    for line in lines:
        assert line not in masking.masked(f"could not parse: {line}")


def test_the_longest_secret_wins() -> None:
    inner = random_word()
    masking.remember(inner)
    masking.remember(f"{inner}/and-more-of-it")
    assert masking.masked_by_value(f"<{inner}/and-more-of-it>") == "<***>"


def test_screens_and_streams_and_the_log_mask_and_escape(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = random_word()
    masking.remember(secret)
    said = f"\x1b[31m{secret}\u202e\x9b"
    assert text.clean(said) == r"\u001b[31m***\u202e\u009b"
    stream = Guarded(sys.stdout)
    stream.write(said + "\n")
    assert capsys.readouterr().out == "\\u001b[31m***\\u202e\\u009b\n"
    log = PrivateLog(tmp_path / "blueprime.log")
    try:
        raise ValueError(said)
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 1, "%s", (said,), sys.exc_info())
    log.emit(record)
    log.close()
    written = (tmp_path / "blueprime.log").read_text()
    assert written.count("***") == 2
    assert secret not in written
    assert "\x1b" not in written
    assert "Traceback" in written


@pytest.mark.parametrize("name", ["plain", 'with "quotes"', "100%", "naïve 🚚", "back\\slash"])
def test_a_printable_name_is_quoted_as_ever(name: str) -> None:
    assert quoted(name) == psycopg.sql.Identifier(name).as_string(None)


def test_an_unprintable_name_is_escaped_as_sql_reads_it() -> None:
    assert quoted('new\nline "x" \\ \x1b\u202e\U000e0041') == (
        r'U&"new\000Aline ""x"" \\ \001B\202E\+0E0041"'
    )


def test_a_plan_never_shows_what_it_was_given_for_a_reference() -> None:
    secret = random_word()
    with pytest.raises(ValueError, match="must be a reference") as caught:
        CredentialsSection(user="x", password=secret)
    assert secret not in str(caught.value)
