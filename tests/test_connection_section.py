"""`[connection]` of a plan: the ends of tunnels, validated strictly, read before each step."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from runbook.aws.facts import Cluster
from runbook.plan.connection import root_file
from runbook.plan.model import Plan, PlanError, from_json
from runbook.plan.target import target_of
from runbook.postgres.target import Address
from runbook.preflight import plans
from runbook.preflight.machine import as_file
from state.journal import Journal
from state.records import Run
from tests.test_plan import GOOD

ORDERS = "orders.cluster-abc.us-east-1.rds.amazonaws.com"
VIA = f"""
[connection.via]
"{ORDERS.upper()}" = "localhost:15432"
"orders-old1.cluster-abc.us-east-1.rds.amazonaws.com" = "[::1]:15433"
"""


def _load(folder: Path, text: str) -> Plan:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return plans.load(path)


def _cluster(endpoint: str) -> Cluster:
    facts = SimpleNamespace(endpoint=endpoint, port=5432, major=16, engine_version="16.9")
    facts.members = ()
    return cast(Cluster, facts)


def test_an_endpoint_leads_to_its_tunnel_and_keeps_its_name(tmp_path: Path) -> None:
    plan = _load(tmp_path, GOOD + VIA)
    target = target_of(_cluster(ORDERS), plan.credentials, plan.connection, "blue")
    assert (target.host, target.port, target.via) == (ORDERS, 5432, Address("127.0.0.1", 15432))
    assert target.place("orders") == (
        f'blue ({ORDERS}:5432 via 127.0.0.1:15432, database "orders")'
    )
    assert plan.connection.way_to(ORDERS.replace("orders", "orders-old1")) == ("::1", 15433)
    assert from_json(plan.as_json()) == plan
    assert _load(tmp_path, as_file(plan, "k2f9qa")) == plan


def test_an_endpoint_without_an_entry_is_named_with_what_to_write(tmp_path: Path) -> None:
    plan = _load(tmp_path, GOOD + VIA)
    prime = ORDERS.replace("orders", "orders-prime")
    target = target_of(_cluster(prime), plan.credentials, plan.connection, "blue prime")
    assert f"has no entry for {prime}" in target.no_way
    assert f'"{prime}" = "127.0.0.1:PORT"' in target.no_way
    every = _load(tmp_path, f'{GOOD}{VIA}"*" = "127.0.0.1:6432"\n')
    assert every.connection.way_to(prime) == ("127.0.0.1", 6432)
    direct = _load(tmp_path, GOOD).connection
    assert direct.leads_to(prime)
    assert direct.way_to(prime) is None


@pytest.mark.parametrize(
    ("row", "place", "words"),
    [
        ('"o.example" = "15432"', "plan.toml:23: connection.via.o.example:", "an address and a"),
        ('"o.example" = "bastion:15432"', "plan.toml:23: connection.via.o.example:", "127.0.0.1"),
        ('"o.example" = "127.0.0.1:0"', "plan.toml:23: connection.via.o.example:", "a port"),
        ('"o.example" = "127.0.0.1:65536"', "plan.toml:23: connection.via.o.example:", "a port"),
        ('"o.example" = 15432', "plan.toml:23: connection.via.o.example:", "text in quotes"),
        ('"o.example:5432" = "[::1]:1"', "connection.via.o.example:5432:", "without a port"),
        ('"*.example" = "[::1]:1"', "plan.toml:23: connection.via.*.example:", "for all"),
        ('"a b" = "[::1]:1"', "plan.toml:23: connection.via.a b:", "name of an endpoint"),
    ],
)
def test_a_wrong_entry_is_told_with_its_line(
    tmp_path: Path, row: str, place: str, words: str
) -> None:
    with pytest.raises(PlanError) as caught:
        _load(tmp_path, f"{GOOD}\n[connection.via]\n{row}\n")
    (problem,) = caught.value.problems
    assert place in problem, problem
    assert words in problem


def test_tunnels_are_read_before_each_step_and_nothing_else_is(tmp_path: Path) -> None:
    plan = _load(tmp_path, GOOD)
    run = cast(Run, SimpleNamespace(id="k2f9qa", plan_path=str(tmp_path / "plan.toml")))
    with Journal.open(tmp_path / "journal.db") as journal:
        plans.begin(journal, run.id, plan, tmp_path / "plan.toml", plans.Environment.AWS)
        _load(tmp_path, f"{GOOD}\n[protection]\nfresh_s = 33.0\n{VIA}")
        found = plans.for_step(journal, run, plan, "clone")
        assert found.connection.way_to(ORDERS) == ("127.0.0.1", 15432)
        assert found.protection == plan.protection
        assert plans.of_run(journal, journal.run(run.id)) == found
        said = [event.text for event in journal.events(run.id)]
        assert any("[connection] was read again" in words for words in said)
        assert any("was edited (protection)" in words for words in said)
        assert plans.for_step(journal, run, found, "bake") is found


def test_the_path_of_a_ca_file_is_written_in_full(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    plan = _load(tmp_path / "sub", GOOD.replace("[traffic]", 'sslrootcert = "ca.pem"\n\n[traffic]'))
    assert plan.credentials.sslrootcert == str(tmp_path / "sub" / "ca.pem")
    assert root_file("system", tmp_path) == "system"
    assert root_file("", tmp_path) == ""
    assert root_file("/etc/ca.pem", tmp_path) == "/etc/ca.pem"
    assert root_file("~/ca.pem", tmp_path) == str(Path("~/ca.pem").expanduser())
