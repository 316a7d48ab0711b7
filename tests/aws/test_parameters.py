"""What of blue's parameter group goes into the group of the new family."""

from __future__ import annotations

from runbook.aws.facts import Parameter
from runbook.aws.parameters import LOGICAL_REPLICATION, carry, modify_group_calls


def _parameter(
    name: str, value: str | None = None, *, apply_type: str = "dynamic", modifiable: bool = True
) -> Parameter:
    return Parameter(name, value, "user", apply_type, modifiable, "")


def _by_name(*parameters: Parameter) -> dict[str, Parameter]:
    return {p.name: p for p in parameters}


def test_values_are_carried_with_the_new_familys_way_of_applying_them() -> None:
    blue = _by_name(
        _parameter("work_mem", "65536"),
        _parameter("max_wal_senders", "30", apply_type="dynamic"),
    )
    family = _by_name(
        _parameter("work_mem"),
        _parameter("max_wal_senders", apply_type="static"),
        _parameter(LOGICAL_REPLICATION, "0", apply_type="static"),
    )
    carried = carry(blue, family)
    assert [(p.name, p.value, p.apply_method) for p in carried.values] == [
        ("max_wal_senders", "30", "pending-reboot"),
        (LOGICAL_REPLICATION, "1", "pending-reboot"),
        ("work_mem", "65536", "immediate"),
    ]
    assert carried.dropped == ()
    assert carried.value("work_mem") == "65536"


def test_what_the_new_family_does_not_know_is_dropped_and_named() -> None:
    blue = _by_name(
        _parameter("old_snapshot_threshold", "60"),
        _parameter("fixed", "1"),
        _parameter("left_alone", None),
        _parameter(LOGICAL_REPLICATION, "0", apply_type="static"),
    )
    family = _by_name(_parameter("fixed", modifiable=False), _parameter("left_alone"))
    carried = carry(blue, family)
    assert carried.dropped == ("fixed", "old_snapshot_threshold")
    assert [(p.name, p.value) for p in carried.values] == [(LOGICAL_REPLICATION, "1")]


def test_twenty_values_go_into_a_call() -> None:
    values = [_parameter(f"p{number:02}", str(number)) for number in range(45)]
    calls = modify_group_calls("green18", values)
    assert [len(call.parameters["Parameters"]) for call in calls] == [20, 20, 5]
    names = [row["ParameterName"] for call in calls for row in call.parameters["Parameters"]]
    assert names == [p.name for p in values]
