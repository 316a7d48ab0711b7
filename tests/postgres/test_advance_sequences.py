"""Sequences that nobody can be asked about go beyond all that may have been given out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runbook.postgres import advance_sequences, sequences
from runbook.postgres.advance_sequences import MARGIN, beyond
from runbook.postgres.sequences import SequenceValue, behind
from tests.postgres.conftest import Open, Pair

LIMITS = st.sampled_from([(1, 2**63 - 1), (-(2**63), -1), (-100, 50), (1, 9)])


@st.composite
def values(draw: st.DrawFn) -> SequenceValue:
    least, most = draw(LIMITS)
    return SequenceValue(
        "public",
        "s",
        draw(st.integers(least, most)),
        draw(st.booleans()),
        draw(st.sampled_from([1, 7, -1, -3])),
        least,
        most,
        draw(st.booleans()),
    )


@given(value=values(), known=st.lists(st.integers(-(2**40), 2**40), max_size=3))
def test_it_never_goes_back_nor_out_of_its_bounds(value: SequenceValue, known: list[int]) -> None:
    moved = beyond(value, known)
    assert value.min <= moved.last_value <= value.max
    assert moved.is_called
    assert not behind(moved, value)
    for each in known:
        if value.min <= each <= value.max:
            step = 1 if value.increment > 0 else -1
            assert moved.last_value * step >= each * step


async def test_the_rows_tell_how_far_it_had_come_and_the_rest_is_said(
    pair: Pair, opened: Open, database: str
) -> None:
    """The counters stand as at the clone; the rows have come by replication since."""
    connection = await opened(16, database)
    await connection.execute(
        """
        CREATE SCHEMA "Lager & 'S' %s";
        CREATE TABLE "Lager & 'S' %s"."It ""em" (
            id int GENERATED ALWAYS AS IDENTITY, "n o" bigserial, small smallserial);
        CREATE SEQUENCE public.by_default;
        CREATE SEQUENCE public.down INCREMENT -1;
        CREATE SEQUENCE public.alone;
        CREATE TABLE public.numbered (
            id bigint DEFAULT nextval('public.by_default'),
            less bigint DEFAULT nextval('public.down'));
        INSERT INTO "Lager & 'S' %s"."It ""em" OVERRIDING SYSTEM VALUE VALUES (5000, 70000, 300);
        INSERT INTO public.numbered VALUES (1234, -77);
        """
    )
    moved = await advance_sequences.ahead(connection)
    results = await sequences.results(connection, [each.value for each in moved])
    assert all(each.set for each in results)
    now = {each.name: each.last_value for each in await sequences.read(connection)}
    assert now['It "em_id_seq'] == 5000 + MARGIN
    assert now['It "em_n o_seq'] == 70000 + MARGIN
    assert now['It "em_small_seq'] == 300 + (32767 - 300) // 2
    assert now["by_default"] == 1234 + MARGIN
    assert now["down"] == -77 - MARGIN
    assert [str(each.value) for each in moved if not each.told_by_rows] == ['"public"."alone"']
