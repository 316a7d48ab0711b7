"""Any history of a run, given and accepted again and again, stays the same history."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from state.enums import Outcome, Status, Track
from state.handover import read_parcel
from state.journal import Journal
from state.masking import masked_json
from state.records import Effect, Sample
from state.run_export import export_run
from state.times import now
from tests.state.invented import start

# Put together here: a constant of a test is among the texts that hypothesis tries by itself.
SECRET = "-".join(("hunter", "2"))
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(
        [
            f"PASSWORD '{SECRET}'",
            f"password={SECRET} x",
            f"postgresql://u:{SECRET}@h/",
            'a"b%c\n🐘\x7f',
        ]
    ),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("attempt", "unknown", "failed", "decide", "evidence", "event", "sample"),
                *("branch", "resolve", "result", "other", "pass"),
            ]
        ),
        TEXTS,
        VALUES,
    ),
    max_size=12,
)


def do(journal: Journal, deed: str, text: str, value: Any) -> None:
    run = "run1"
    match deed:
        case "attempt" | "unknown" | "failed":
            attempt = journal.begin_attempt(run, "step " + text).id
            effect = journal.intend(attempt, "key " + text, text, text)
            word = {"attempt": "succeeded"}.get(deed, deed)
            journal.settle(effect, Outcome(word), {"value": value})
            journal.evidence(run, text, text, key=text, value=value, attempt=attempt)
            journal.end_attempt(attempt, Status(word), text)
        case "decide":
            journal.decide(run, text, text, who="ann", typed=text)
        case "evidence":
            journal.evidence(run, text, text, key=text, value=value)
        case "event":
            journal.event(run, "note", text, {"attempt": "seven", "value": value})
        case "sample":
            measured = value if isinstance(value, float) else None
            journal.samples(run, [Sample(now(), "lag_bytes", text, measured)])
        case "branch":
            journal.enter_track(run, Track.ROLLBACK, variant=text, reason=text)
        case "resolve":
            for effect in unknown(journal):
                journal.resolve(effect.id, Outcome.ADOPTED, who="ben", reason=text)
        case "result":
            journal.set_result(run, None)
        case "other":
            journal.event("other", "note", text)


def unknown(journal: Journal) -> list[Effect]:
    return [
        effect
        for attempt in journal.attempts("run1")
        for effect in attempt.effects
        if effect.outcome is Outcome.UNKNOWN
    ]


@settings(max_examples=10, phases=[Phase.explicit, Phase.generate])
@given(DEEDS)
def test_a_history_stays_the_same_wherever_it_is_carried(
    deeds: list[tuple[str, str, Any]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder, name, "journal.db") for name in ("here", "there")]
        with Journal.open(places[0]) as acting, Journal.open(places[1]) as looking:
            for journal in (acting, looking):
                start(journal, "other", resource="cluster-B")
            start(acting)
            for deed, text, value in deeds:
                if deed != "pass":
                    do(acting, deed, text, value)
                    continue
                carry(acting, looking, Path(folder, "file.json"))
                acting, looking = looking, acting
            carry(acting, looking, Path(folder, "file.json"))


def carry(giver: Journal, taker: Journal, file: Path) -> None:
    """Hand the run over by a file, and see that it is all there and holds no secret."""
    parcel = giver.give("run1")
    file.write_bytes(parcel.as_bytes())
    assert SECRET.encode() not in file.read_bytes()
    assert masked_json(parcel.content) == parcel.content
    taken = read_parcel(file)
    assert taken == parcel
    taker.accept(taken, plan_path=Path("plan.toml"))
    with taker._store.reading():
        found = export_run(taker._store, "run1")
    assert found.model_copy(update={"event": found.event[:-1]}) == parcel.export
