from psycopg.sql import SQL

from runbook.postgres import replication
from runbook.postgres.fence_sql import set_database_read_only
from runbook.postgres.statement import Statement, compose, literal

NASTY = """o'r\\der "x" 100% %s {0} 🐘"""


def test_the_text_shows_values_as_literals_and_quotes_names() -> None:
    statement = Statement(SQL("SELECT %s, %s, 5 %% 2"), ("it's", None))
    assert statement.text() == "SELECT 'it''s', NULL, 5 % 2"
    assert set_database_read_only(NASTY, True).text() == (
        """ALTER DATABASE "o'r\\der ""x"" 100% %s {0} 🐘" SET default_transaction_read_only = on"""
    )


def test_a_secret_is_masked_however_it_is_written() -> None:
    secret = "p'a\\s"
    for value in (secret, f"password='{secret}'", r"password='p\'a\\s'"):
        text = Statement(
            compose("ALTER {x} {value}", x="x", value=literal(value)), secrets=frozenset({secret})
        ).text()
        assert "********" in text
        assert "p'" not in text
        assert "a\\" not in text


def test_a_subscription_is_shown_as_it_is_typed_and_without_its_password() -> None:
    secret = "s'e\\cret word"
    conninfo = replication.subscriber_conninfo(
        host="h", port=1, dbname=NASTY, user=NASTY, password=secret, sslmode="require"
    )
    statement = replication.create_subscription(
        NASTY, conninfo, NASTY, "slot", server_major=16, enabled=True
    )
    for shown in (statement.text(), repr(statement)):
        assert "********" in shown
        assert "cret" not in shown
    assert statement.text().startswith('CREATE SUBSCRIPTION "o\'r\\der ""x"" 100% %s {0} 🐘" CONN')
    assert "create_slot = false" in statement.text()
    assert "secret" not in str(statement.sql.as_string(None))


def test_options_are_those_that_the_subscribers_version_knows() -> None:
    def text(major: int) -> str:
        return replication.create_subscription(
            "s", "host=h", "p", "slot", server_major=major
        ).text()

    assert "disable_on_error" not in text(14)
    assert "disable_on_error = false" in text(15)
    assert "origin" not in text(15)
    assert "origin" in text(16)
