"""Who serves: what the journal says is held against what the clusters say."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.aws.facts import Cluster
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import ClusterImpact, Impact
from runbook.ownership import serving
from runbook.ownership.serving import Access, ClusterUse
from runbook.plan.model import EndpointMethod
from runbook.postgres.admission import Admission
from runbook.postgres.fence_sql import ClientSession

NAMES = {
    Role.BLUE: "orders",
    Role.GREEN: "orders-green-k2f9qa",
    Role.NEW_BLUE: "orders",
    Role.OLD_BLUE: "orders-old1",
    Role.BLUE_PRIME: "orders-prime-k3f9qa",
}


def cluster(name: str) -> Cluster:
    return Cluster.parse(
        {
            "DbClusterResourceId": f"cluster-{name}",
            "DBClusterIdentifier": name,
            "DBClusterArn": f"arn:{name}",
            "Status": "available",
            "EngineVersion": "16.14",
        }
    )


def session(database: str = "shop") -> ClientSession:
    return ClientSession(7, "app", database, "web", "10.0.0.7", "idle", 3.0)


def admits(*, able: bool = False, writable: bool = False, inside: int = 0, recovery: bool = False):  # type: ignore[no-untyped-def]
    return Admission(
        recovery,
        ("app",) if able else (),
        ("shop",) if writable else (),
        tuple(session() for _ in range(inside)),
    )


OPEN = admits(able=True, writable=True, inside=2)
CLOSED = admits()


def seen(role: Role, admission: Admission | None, unknown: str = "") -> ClusterUse:
    return ClusterUse(role, cluster(NAMES[role]), admission, unknown)


def context(
    facts: Mapping[str, Any],
    *,
    method: EndpointMethod = EndpointMethod.COMMAND,
    roles: tuple[str, ...] = ("app",),
    accepted: tuple[str, ...] = (),
) -> RunContext:
    plan = SimpleNamespace(
        cluster=SimpleNamespace(identifier="orders"),
        endpoint=SimpleNamespace(method=method),
        traffic=SimpleNamespace(application_roles=roles),
    )
    made = SimpleNamespace(plan=plan, fact=facts.get, accepted=lambda gate: gate in accepted)
    return cast(RunContext, made)


PROTECTED = {
    "switchover": {},
    "traffic": {"open": True, "on": "new blue"},
    "serving.blue": "closed",
    "serving.green": "open",
}
"""What a journal knows of a run that is protected."""

ROLLED_BACK = {
    "switchover": {},
    "traffic": {"open": True, "on": "blue prime"},
    "serving.blue": "closed",
    "serving.green": "closed",
    "serving.blue-prime": "open",
}

AS_PROTECTED = {
    Role.NEW_BLUE: OPEN,
    Role.OLD_BLUE: CLOSED,
    Role.BLUE_PRIME: CLOSED,
}
AS_ROLLED_BACK = {
    Role.NEW_BLUE: CLOSED,
    Role.OLD_BLUE: CLOSED,
    Role.BLUE_PRIME: OPEN,
}


def told(
    facts: Mapping[str, Any],
    clusters: Mapping[Role, Admission],
    kind: Impact,
    role: Role,
    **more: Any,
) -> list[str]:
    found = {each: seen(each, admission) for each, admission in clusters.items()}
    return serving.disagreements(context(facts, **more), found, [ClusterImpact(kind, role)])


ALL = [(kind, role) for kind in Impact for role in AS_PROTECTED]


@pytest.mark.parametrize(("kind", "role"), ALL)
@pytest.mark.parametrize("roles", [("app",), ()], ids=["roles listed", "no role listed"])
def test_a_journal_that_knows_less_than_the_world_changes_nothing(
    kind: Impact, role: Role, roles: tuple[str, ...]
) -> None:
    """By its journal the run is protected; somebody has rolled it back since. And the reverse."""
    words = told(PROTECTED, AS_ROLLED_BACK, kind, role, roles=roles)
    assert any("(new blue): by the journal it serves" in each for each in words)
    words = told(ROLLED_BACK, AS_PROTECTED, kind, role, roles=roles)
    assert any("(blue prime): by the journal it serves" in each for each in words)


@pytest.mark.parametrize(
    ("kind", "role", "allowed"),
    [
        (Impact.STOP, Role.NEW_BLUE, True),
        (Impact.CHANGE, Role.NEW_BLUE, True),
        (Impact.CHANGE, Role.BLUE_PRIME, True),
        (Impact.CLOSE, Role.OLD_BLUE, True),
        (Impact.DELETE, Role.BLUE_PRIME, True),
        (Impact.DELETE, Role.OLD_BLUE, True),
        (Impact.DELETE, Role.NEW_BLUE, False),
        (Impact.CLOSE, Role.NEW_BLUE, False),
        (Impact.OPEN, Role.BLUE_PRIME, False),
        (Impact.OPEN, Role.OLD_BLUE, False),
    ],
)
def test_where_journal_and_world_agree_only_what_serves_is_kept(
    kind: Impact, role: Role, allowed: bool
) -> None:
    assert (told(PROTECTED, AS_PROTECTED, kind, role) == []) is allowed


def test_a_cluster_that_another_hand_has_opened_is_not_touched() -> None:
    opened = {**AS_PROTECTED, Role.BLUE_PRIME: admits(able=True, writable=True)}
    for kind in (Impact.DELETE, Impact.CHANGE, Impact.CLOSE):
        (words,) = told(PROTECTED, opened, kind, Role.BLUE_PRIME)
        assert 'it is closed to the applications; "app" may log in and write in "shop"' in words


def test_what_another_hand_has_opened_is_a_reason_to_read_the_run_anew() -> None:
    """It holds up no step that leaves it alone; and the way on that is told does not refuse."""
    opened = {**AS_PROTECTED, Role.BLUE_PRIME: admits(able=True, writable=True)}
    found = {role: seen(role, each) for role, each in opened.items()}
    assert serving.disagreements(context(PROTECTED), found, ()) == []
    (words,) = serving.differences(context(PROTECTED), found)
    assert "(blue prime): by the journal it is closed to the applications" in words
    found = {role: seen(role, each) for role, each in AS_PROTECTED.items()}
    assert serving.differences(context(PROTECTED), found) == []


def test_readers_of_the_applications_keep_a_cluster_from_being_deleted_not_from_being_closed() -> (
    None
):
    read = {**AS_PROTECTED, Role.OLD_BLUE: admits(inside=1)}
    (words,) = told(PROTECTED, read, Impact.DELETE, Role.OLD_BLUE)
    assert '1 session: session 7 of "app" in "shop"' in words
    assert told(PROTECTED, read, Impact.CLOSE, Role.OLD_BLUE) == []


@pytest.mark.parametrize("method", EndpointMethod)
def test_production_that_lost_its_name_is_told(method: EndpointMethod) -> None:
    """AWS gives the name to new blue whatever the method; to blue prime only a rename does."""
    found = {role: seen(role, each) for role, each in AS_PROTECTED.items()}
    found[Role.NEW_BLUE] = ClusterUse(Role.NEW_BLUE, cluster("orders-new-k3f9qa"), OPEN)
    words = serving.disagreements(context(PROTECTED, method=method), found, ())
    assert "it is named orders-new-k3f9qa, not orders" in words[0]
    found = {role: seen(role, each) for role, each in AS_ROLLED_BACK.items()}
    words = serving.disagreements(context(ROLLED_BACK, method=method), found, ())
    assert bool(words) is (method is EndpointMethod.RENAME)


@pytest.mark.parametrize(
    "closed",
    [
        admits(able=True, inside=1),
        admits(writable=True),
        admits(able=True, recovery=True),
    ],
    ids=["read-only", "nobody may log in", "in recovery"],
)
def test_production_that_takes_no_writes_is_told(closed: Admission) -> None:
    clusters = {**AS_PROTECTED, Role.NEW_BLUE: closed}
    assert told(PROTECTED, clusters, Impact.CHANGE, Role.BLUE_PRIME)


def test_a_cluster_that_cannot_be_asked_is_deleted_only_by_a_persons_word() -> None:
    found = {role: seen(role, each) for role, each in AS_PROTECTED.items()}
    found[Role.BLUE_PRIME] = seen(Role.BLUE_PRIME, None, "no answer in 5 s")
    stakes = [ClusterImpact(Impact.DELETE, Role.BLUE_PRIME)]
    (words,) = serving.disagreements(context(PROTECTED), found, stakes)
    assert "cannot be asked whether it serves: no answer in 5 s" in words
    gate = serving.unasked_key(found[Role.BLUE_PRIME])
    assert serving.disagreements(context(PROTECTED, accepted=(gate,)), found, stakes) == []


def test_nothing_is_dropped_emptied_or_deleted_while_production_cannot_be_asked() -> None:
    found = {role: seen(role, each) for role, each in AS_PROTECTED.items()}
    found[Role.NEW_BLUE] = seen(Role.NEW_BLUE, None, "no answer in 5 s")
    for kind in (Impact.DELETE, Impact.CHANGE):
        stakes = [ClusterImpact(kind, Role.BLUE_PRIME)]
        (words,) = serving.disagreements(context(PROTECTED), found, stakes)
        assert "serves the applications by the journal, and cannot be asked" in words


def test_behind_the_fence_what_this_run_opened_itself_is_no_disagreement() -> None:
    """A rollback was called off after blue prime was made writable: it is closed again."""
    facts = {**PROTECTED, "traffic": {"open": False, "on": ""}, "serving.green": "closed"}
    facts["serving.blue-prime"] = "open"
    clusters = {**AS_ROLLED_BACK, Role.BLUE_PRIME: admits(able=True, writable=True)}
    assert told(facts, clusters, Impact.CLOSE, Role.BLUE_PRIME) == []
    clusters[Role.BLUE_PRIME] = OPEN
    (words,) = told(facts, clusters, Impact.CLOSE, Role.BLUE_PRIME)
    assert "it serves nobody; 2 sessions" in words


def test_traffic_that_is_stopped_again_after_a_fence_that_was_not_proved_is_no_disagreement() -> (
    None
):
    facts = {**PROTECTED, "traffic": {"open": False, "on": ""}, "serving.green": "closed"}
    assert told(facts, AS_PROTECTED, Impact.STOP, Role.NEW_BLUE) == []


FACTS = st.fixed_dictionaries(
    {
        "switchover": st.just({}),
        "traffic": st.sampled_from(
            [{"open": False, "on": ""}]
            + [{"open": True, "on": role.value} for role in AS_PROTECTED]
        ),
        **{
            serving.door_fact(role): st.sampled_from([None, *map(str, Access)])
            for role in AS_PROTECTED
        },
    }
)
ADMISSIONS = st.builds(
    admits,
    able=st.booleans(),
    writable=st.booleans(),
    inside=st.integers(0, 2),
    recovery=st.booleans(),
)
CLUSTERS = st.fixed_dictionaries({role: st.none() | ADMISSIONS for role in AS_PROTECTED})


@given(facts=FACTS, clusters=CLUSTERS, silent=st.sets(st.sampled_from(list(AS_PROTECTED))))
def test_whatever_a_journal_believes(
    facts: dict[str, Any], clusters: dict[Role, Admission | None], silent: set[Role]
) -> None:
    """What is in use is never deleted, nothing is opened beside it; silence betters nothing."""
    found = {role: seen(role, each) for role, each in clusters.items()}
    here = context(facts)
    used = {role for role, each in clusters.items() if each is not None and each.inside}
    for role in clusters:
        others = used - {role}
        deletes = serving.disagreements(here, found, [ClusterImpact(Impact.DELETE, role)])
        assert deletes or role not in used
        opens = serving.disagreements(here, found, [ClusterImpact(Impact.OPEN, role)])
        assert opens or not others
        hushed = {
            each: seen(each, None, "no answer in 5 s") if each in silent else found[each]
            for each in found
        }
        if not deletes and role in silent:
            assert serving.disagreements(here, hushed, [ClusterImpact(Impact.DELETE, role)])
