"""What is known of SQL that went wrong: it did not happen, or that cannot be told."""

from __future__ import annotations

import psycopg
import pytest

from runbook.base.roles import Role
from runbook.failures import Ambiguous, StepFailed
from runbook.postgres.connect import CannotConnect, WrongServer
from runbook.procedure.steps.shared.effects import answered


@pytest.mark.parametrize("error", [CannotConnect("nobody answers"), WrongServer("another one")])
def test_without_a_proven_connection_nothing_was_sent(error: Exception) -> None:
    with pytest.raises(StepFailed) as failure, answered("do it", Role.NEW_BLUE):
        raise error
    assert failure.value.what == str(error)
    assert failure.value.now == "Nothing was changed on new blue."


def test_a_connection_that_is_lost_tells_nothing() -> None:
    with pytest.raises(Ambiguous) as loss, answered("do it", Role.NEW_BLUE):
        raise psycopg.OperationalError("gone\n\tThis probably means that …")
    assert str(loss.value) == "the connection was lost: gone"


def test_a_servers_answer_is_a_failure_that_is_known() -> None:
    class Diag:
        severity_nonlocalized = "ERROR"

    class Refusal(psycopg.errors.UniqueViolation):
        diag = Diag()  # type: ignore[assignment]

    with pytest.raises(StepFailed) as failure, answered("do it", Role.NEW_BLUE):
        raise Refusal("taken")
    assert failure.value.what == "do it: the server refused: taken (23505)."
