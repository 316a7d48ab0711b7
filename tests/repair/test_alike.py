"""Green against blue before anything is stopped, and what is known of them afterwards."""

from __future__ import annotations

import pytest

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Gate, Step, Watch
from runbook.procedure.runner import Decide
from runbook.procedure.steps.shared.schemas import compare_databases, compare_schemas
from runbook.proofs import schemas_equal
from state.enums import Status
from tests.postgres.schemas import SCHEMAS, dumped
from tests.repair.conftest import Bench, yes
from tui.cli.deciding import yes_to_all


class Comparing(Step):
    """What validating green and being ready to switch both do."""

    key, title, why = "validate-green", "Validate green", "For the test."

    async def verify(self, context: RunContext, watch: Watch) -> None:
        await compare_schemas(context, watch, await compare_databases(context, watch))


async def compared(bench: Bench, decide: Decide = yes) -> tuple[Status, str]:
    status = await bench.session._runner.run_step(Comparing(), decide)
    return status, bench.journal.attempts(bench.run)[-1].message


def upgraded(bench: Bench) -> None:
    """Make one schema on blue, and on green what pg_upgrade makes of it."""
    bench.ask(16, f"SET search_path = public; {SCHEMAS['shop']}")
    bench.ask(18, dumped(bench.pair, 16, bench.database))


async def test_what_is_the_same_is_kept_and_nobody_is_asked(bench: Bench) -> None:
    upgraded(bench)
    asked: list[Gate] = []

    async def decide(gate: Gate) -> str | None:
        asked.append(gate)
        return None

    assert (await compared(bench, decide))[0] is Status.SUCCEEDED
    assert asked == []
    known = schemas_equal.kept(bench.context)
    assert {each.names[-1] for each in known} == {"sale_status_check", "sale_one_open", "currency"}
    assert (await compared(bench, decide))[0] is Status.SUCCEEDED
    assert schemas_equal.kept(bench.context) == known
    # What holds for this pair of texts says nothing of another.
    bench.ask(
        18,
        "ALTER TABLE public.sale DROP CONSTRAINT sale_status_check, ADD CONSTRAINT"
        " sale_status_check CHECK (status IN ('new', 'paid'))",
    )
    status, message = await compared(bench, decide)
    assert status is not Status.SUCCEEDED
    assert "sale_status_check" in message
    assert [gate.by_person for gate in asked] == [True]


async def test_what_cannot_be_proved_is_for_a_person_by_name_and_kept(bench: Bench) -> None:
    upgraded(bench)
    bench.ask(18, "ALTER TABLE public.sale ALTER cur SET DEFAULT 'USD'")
    assert (await compared(bench, yes_to_all))[0] is not Status.SUCCEEDED
    questions: list[str] = []

    async def person(gate: Gate) -> str | None:
        questions.append(gate.question)
        return "yes"

    assert (await compared(bench, person))[0] is Status.SUCCEEDED
    assert "'USD'" in questions[0]
    assert "'EUR'" in questions[0]
    assert ("column", ("public", "sale", "cur")) in {
        (each.kind, each.names) for each in schemas_equal.kept(bench.context)
    }
    assert (await compared(bench, yes_to_all))[0] is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("side", "change", "words"),
    [
        (16, "ALTER TABLE public.sale ADD COLUMN late int", "column public.sale.late"),
        (16, "CREATE TABLE public.later (id int PRIMARY KEY)", "only on blue: table public.later"),
        (18, "DROP INDEX public.sale_one_open", "unique index sale_one_open"),
    ],
    ids=["column", "table", "index"],
)
async def test_a_change_of_one_side_is_told_before_the_applications_are_stopped(
    bench: Bench, side: int, change: str, words: str
) -> None:
    upgraded(bench)
    bench.ask(side, change)
    status, message = await compared(bench, yes_to_all)
    assert status is not Status.SUCCEEDED
    assert words in message
    assert "Green is not in use" in message


async def test_databases_are_compared_as_they_are_now(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    have = {Role.BLUE: ["shop"], Role.GREEN: ["shop"]}

    class Databases(Step):
        key, title, why = "validate-green", "Validate green", "For the test."

        async def verify(self, context: RunContext, watch: Watch) -> None:
            await compare_databases(context, watch)

    async def databases(context: RunContext, role: Role) -> list[str]:
        return have[role]

    async def run() -> tuple[Status, str]:
        status = await bench.session._runner.run_step(Databases(), yes)
        return status, bench.journal.attempts(bench.run)[-1].message

    monkeypatch.setattr(RunContext, "databases", databases)
    bench.fact("databases", ["shop"])
    assert (await run())[0] is Status.SUCCEEDED
    # Made after the run began and before green was: both have it.
    have.update({Role.BLUE: ["shop", "born"], Role.GREEN: ["born", "shop"]})
    assert (await run())[0] is Status.SUCCEEDED
    assert bench.session.fact("databases") == ["born", "shop"]
    have[Role.BLUE] = ["shop", "born", "late"]
    status, message = await run()
    assert status is not Status.SUCCEEDED
    assert "only blue has late" in message
    have[Role.BLUE] = ["shop"]
    _, message = await run()
    assert "only green has born" in message
    assert "DROP DATABASE" in message
