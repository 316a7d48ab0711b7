"""The mark in AWS: its text, who is left behind by it, and what cannot be marked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.aws import Call
from runbook.aws.errors import AccessDenied, AwsRefused
from runbook.aws.facts import Cluster, tag_rows
from runbook.base.context import RunContext
from runbook.failures import Ambiguous, Refused, StepFailed
from runbook.ownership import holder
from runbook.ownership.holder import HOLDER_TAG, HolderTag

AT = datetime(2026, 11, 30, 3, 0, 0, tzinfo=UTC)
MARK = HolderTag("k3f9qa", 7, "3f9a1c8e", "ada", "laptop-1", AT)
OWN = {"number": 7, "claim": "3f9a1c8e", "who": "ada", "machine": "laptop-1", "at": AT.isoformat()}

_OF_A_TAG = re.compile(r"[\w .:/=+@-]*")


def cluster(name: str, mark: str | None = None) -> Cluster:
    return Cluster.parse(
        {
            "DbClusterResourceId": f"cluster-{name}",
            "DBClusterIdentifier": name,
            "DBClusterArn": f"arn:aws:rds:us-east-1:123456789012:cluster:{name}",
            "Status": "available",
            "EngineVersion": "16.14",
            "TagList": tag_rows({} if mark is None else {HOLDER_TAG: mark}),
        }
    )


class Aws:
    """Takes tags, or says otherwise."""

    def __init__(self, answers: Mapping[str, BaseException]) -> None:
        self.region = "us-east-1"
        self.answers = answers
        self.made: list[str] = []

    async def perform(self, call: Call) -> dict[str, Any]:
        name = call.parameters["ResourceName"].rsplit(":", 1)[-1]
        self.made.append(name)
        if name in self.answers:
            raise self.answers[name]
        return {}


def context(own: Any = OWN, answers: Mapping[str, BaseException] = {}) -> RunContext:
    plan = SimpleNamespace(cluster=SimpleNamespace(identifier="orders"))
    facts = {holder.FACT: own}
    made = SimpleNamespace(
        run="k3f9qa", fact=facts.get, plan=plan, aws=Aws(answers), now=lambda: AT
    )
    return cast(RunContext, made)


@given(
    who=st.text(min_size=1),
    machine=st.text(min_size=1),
    number=st.integers(0, 10**9),
    ended=st.booleans(),
)
def test_a_mark_fits_into_a_tag_and_is_read_from_it(
    who: str, machine: str, number: int, ended: bool
) -> None:
    mark = replace(MARK, who=who, machine=machine, number=number, ended=ended)
    text = mark.text()
    assert len(text) <= 256
    assert _OF_A_TAG.fullmatch(text)
    read = HolderTag.parse(text)
    assert read is not None
    assert (read.run, read.number, read.claim, read.at) == (mark.run, number, mark.claim, AT)
    assert read.ended is ended


@given(st.text())
def test_a_text_that_is_none_of_ours_is_no_mark(text: str) -> None:
    assert HolderTag.parse(text) is None


@pytest.mark.parametrize(
    ("own", "on_clusters", "left"),
    [
        (OWN, [], False),
        (OWN, [MARK], False),
        (OWN, [MARK, replace(MARK, number=3, claim="00000000")], False),
        (OWN, [replace(MARK, number=6, claim="00000000")], False),
        (OWN, [replace(MARK, number=8, claim="00000000")], True),
        (OWN, [MARK, replace(MARK, number=8, claim="00000000")], True),
        (OWN, [replace(MARK, claim="00000000")], True),
        (OWN, [replace(MARK, number=8, claim="00000000", ended=True)], True),
        (OWN, [replace(MARK, run="other1", number=99)], False),
        (None, [MARK], True),
        (None, [], False),
    ],
    ids=[
        "no mark", "its own", "an older copy beside it", "a describe that trails", "a newer one",
        "a newer one beside its own", "another claim of the same number", "a newer one that ended",
        "another run's", "a journal that knows none", "neither",
    ],
)  # fmt: skip
def test_who_is_left_behind(own: Any, on_clusters: list[HolderTag], left: bool) -> None:
    clusters = [cluster(f"c{place}", mark.text()) for place, mark in enumerate(on_clusters)]
    assert (holder.left_behind(context(own), clusters) is not None) is left


def test_the_next_mark_is_above_all_that_is_known() -> None:
    seen = cluster("a", replace(MARK, number=12).text())
    found = holder.next_mark(context(), [seen], who="ben")
    assert (found.number, found.who) == (13, "ben")
    assert found.claim != MARK.claim
    assert holder.next_mark(context(), [], who="ben").number == 8
    assert holder.next_mark(context(None), [], who="ben").number == 1


async def test_production_that_may_not_be_tagged_holds_nothing_up() -> None:
    answers: dict[str, BaseException] = {
        "orders": AccessDenied("AccessDenied", "not authorized to perform rds:AddTagsToResource"),
        "gone": AwsRefused("DBClusterNotFoundFault", "no such cluster"),
    }
    here = context(answers=answers)
    made = holder.calls(MARK, [cluster(name) for name in ("orders", "gone", "orders-green")])
    refused = await holder.put(here, made)
    assert sorted(refused) == ["gone", "orders"]
    assert "AddTagsToResource" in refused["orders"]
    assert cast(Aws, here.aws).made == list(made)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (AwsRefused("InvalidParameterValue", "the tag is too long"), "the tag is too long"),
        (Ambiguous("the answer was lost"), "It is unknown whether orders bears the mark"),
    ],
)
async def test_a_mark_of_which_nothing_is_known_lets_no_change_follow(
    answer: BaseException, words: str
) -> None:
    made = holder.calls(MARK, [cluster("orders"), cluster("orders-green")])
    with pytest.raises(StepFailed, match=words):
        await holder.put(context(answers={"orders": answer}), made)


def test_a_number_that_aws_may_not_have_is_put_again_and_not_gone_past() -> None:
    """Gone past, it would hide another journal's mark of the number between."""
    unset = {**OWN, "set": False}
    again = holder.next_mark(context(unset), [], who="ada")
    assert (again.number, again.claim) == (7, OWN["claim"])
    newer = cluster("orders", replace(MARK, number=8).text())
    assert holder.next_mark(context(unset), [newer], who="ada").number == 9


def test_another_run_that_goes_on_is_not_overwritten() -> None:
    other = replace(MARK, run="other1", who="eve", machine="desk")
    with pytest.raises(Refused, match="in the hands of run other1") as refused:
        holder.refuse_if_anothers(context(), [cluster("orders", other.text())])
    assert "blueprime adopt orders --run other1" in refused.value.todo
    assert "remove-tags-from-resource" in refused.value.todo
    ended = replace(other, ended=True)
    holder.refuse_if_anothers(context(), [cluster("orders", ended.text()), cluster("x", "words")])
