"""A plan is validated strictly: each problem names file, line and key, and no secret is echoed."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from runbook.needs import as_file
from runbook.plan import EndpointMethod, Order, Plan, PlanError, StopMethod, from_json, load

GOOD = """\
version = 1
acknowledge = ["sequences"]

[cluster]
identifier = "orders"
resource_id = "cluster-ABC123"
region = "us-east-1"
account = "471100000815"

[upgrade]
target_version = "18.4"

[credentials]
user = "postgres"
password = "env:ORDERS_PASSWORD"
sslmode = "require"

[traffic]
stop = "manual"
application_roles = ["app \\"x\\" 🐘"]
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _problems(folder: Path, text: str) -> list[str]:
    path = _write(folder, text)
    with pytest.raises(PlanError) as caught:
        load(path)
    return [problem.replace(f"{path}", "plan.toml") for problem in caught.value.problems]


def test_a_good_plan_and_its_defaults(tmp_path: Path) -> None:
    plan = load(_write(tmp_path, GOOD))
    assert plan.cluster.identifier == "orders"
    assert plan.upgrade.order is Order.TRAFFIC_FIRST
    assert plan.traffic.stop is StopMethod.MANUAL
    assert plan.traffic.application_roles == ('app "x" 🐘',)
    assert plan.endpoint.method is EndpointMethod.RENAME
    assert plan.traffic.lock_roles
    assert not plan.commit.delete_old_blue


def test_a_plan_survives_the_journal(tmp_path: Path) -> None:
    plan = load(_write(tmp_path, GOOD))
    assert from_json(plan.as_json()) == plan
    assert isinstance(plan, Plan)


@pytest.mark.parametrize(
    ("before", "after", "place", "words"),
    [
        ("version = 1", "version = 2", "plan.toml:1: version:", "1"),
        (
            'identifier = "orders"',
            'identifer = "orders"',
            "plan.toml:5: cluster.identifer:",
            "no key",
        ),
        ('identifier = "orders"', 'identifier = "orders-"', "plan.toml:5: cluster.identifier:", ""),
        ('"cluster-ABC123"', '"orders"', "plan.toml:6: cluster.resource_id:", ""),
        ('"471100000815"', "471100000815", "plan.toml:8: cluster.account:", "string"),
        ('"471100000815"', '"4711"', "plan.toml:8: cluster.account:", ""),
        ('account = "471100000815"\n', "", "plan.toml:4: cluster.account:", "is missing"),
        ('"18.4"', '"latest"', "plan.toml:11: upgrade.target_version:", ""),
        (
            'sslmode = "require"',
            'sslmode = "yes"',
            "plan.toml:16: credentials.sslmode:",
            "verify-full",
        ),
        ('stop = "manual"', 'stop = "ask"', "plan.toml:19: traffic.stop:", "manual"),
        ('stop = "manual"', 'stop = "command"', "plan.toml:18: traffic:", "stop_command"),
        ('["sequences"]', '["views"]', "plan.toml:2: acknowledge", "materialized_views"),
        ("[upgrade]", "[upgrades]", "plan.toml:10: upgrades:", "no key"),
        (
            "[upgrade]",
            '[endpoint]\nmethod = "route53"\n[upgrade]',
            "plan.toml:10: endpoint:",
            "record",
        ),
        (
            "[upgrade]",
            "[fence]\nwindow_s = 0\n[upgrade]",
            "plan.toml:11: fence.window_s:",
            "greater",
        ),
        (
            "[upgrade]",
            "[limits]\nclone_s = -1\n[upgrade]",
            "plan.toml:11: limits.clone_s:",
            "greater",
        ),
    ],
)
def test_each_problem_names_its_place(
    tmp_path: Path, before: str, after: str, place: str, words: str
) -> None:
    assert before in GOOD
    problems = _problems(tmp_path, GOOD.replace(before, after))
    assert any(p.startswith(place) and words in p for p in problems), problems


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('"18.4"', '"latest"').replace('"471100000815"', '"4711"')
    assert len(_problems(tmp_path, text)) == 2


@pytest.mark.parametrize(
    "secret", ["correct-horse-battery", "hunter2", "postgres://u:hunter2@host/db", "env: hunter2"]
)
def test_a_password_is_refused_and_not_echoed(tmp_path: Path, secret: str) -> None:
    path = _write(tmp_path, GOOD.replace("env:ORDERS_PASSWORD", secret))
    with pytest.raises(PlanError) as caught:
        load(path)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}:15: credentials.password: must be a reference")
    shown = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in shown
    assert secret not in shown


def test_names_and_arguments_are_taken_as_they_stand(tmp_path: Path) -> None:
    text = GOOD.replace('"app \\"x\\" 🐘"', '" app\\t"')
    assert load(_write(tmp_path, text)).traffic.application_roles == (" app\t",)


@pytest.mark.parametrize(
    "reference",
    [
        "env:ORDERS_PASSWORD",
        "pgpass",
        "iam",
        "arn:aws:secretsmanager:us-east-1:471100000815:secret:orders-AbCdEf",
        "arn:aws-cn:secretsmanager:cn-north-1:471100000815:secret:orders-AbCdEf",
    ],
)
def test_references_are_taken(tmp_path: Path, reference: str) -> None:
    plan = load(_write(tmp_path, GOOD.replace("env:ORDERS_PASSWORD", reference)))
    assert plan.credentials.password == reference


def test_what_is_no_toml(tmp_path: Path) -> None:
    (problem,) = _problems(tmp_path, GOOD.replace('user = "postgres"', "user = postgres"))
    assert problem.startswith("plan.toml")
    assert "line 14" in problem


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="No such file"):
        load(tmp_path / "nowhere.toml")
    path = tmp_path / "latin.toml"
    path.write_bytes(b'user = "J\xf8rgen"')
    with pytest.raises(PlanError, match="not UTF-8"):
        load(path)


@pytest.mark.parametrize(
    "words",
    [
        '["env", "PGPASSWORD=hunter2", "psql"]',
        '["scale", "--password", "hunter2"]',
        '["psql", "postgresql://app:hunter2@db/orders"]',
    ],
)
def test_a_command_with_a_password_is_refused_and_not_echoed(tmp_path: Path, words: str) -> None:
    stop = f'stop = "command"\nstop_command = {words}\nstart_command = ["true"]'
    [problem] = _problems(tmp_path, GOOD.replace('stop = "manual"', stop))
    assert problem.startswith("plan.toml:20: traffic.stop_command: holds a password")
    assert "hunter2" not in problem


def test_a_command_may_name_where_a_password_is(tmp_path: Path) -> None:
    words = '["scale", "--password-file", "/run/p", "--password", "env:P", "PGPASSFILE=/run/q"]'
    stop = f'stop = "command"\nstop_command = {words}\nstart_command = ["true"]'
    load(_write(tmp_path, GOOD.replace('stop = "manual"', stop)))


WAIVED = (
    GOOD
    + """
[[waive]]
check = "schema.identity"
subject = "db/public.log"
gives_up = "rows of it are never updated"

[[waive]]
check = "schema.extensions"
subject = "db/pg_partman"
gives_up = "its job is stopped until commit"
"""
)


def test_what_is_accepted_is_named(tmp_path: Path) -> None:
    text = WAIVED.replace('["sequences"]', '["sequences", "roles.unnamed", "cluster.target:18.4"]')
    plan = load(_write(tmp_path, text))
    assert plan.acknowledge == ("sequences", "roles.unnamed", "cluster.target:18.4")
    assert [waiver.subject for waiver in plan.waive] == ["db/public.log", "db/pg_partman"]
    assert from_json(plan.as_json()) == plan
    # As a file for another machine, it reads as the same plan.
    assert load(_write(tmp_path, as_file(plan, "k2f9qa"))) == plan


@pytest.mark.parametrize(
    ("before", "after", "place", "words"),
    [
        ('["sequences"]', '["seqences"]', "plan.toml:2: acknowledge.0:", "kind of data"),
        ('["sequences"]', '["roles.nobody"]', "plan.toml:2: acknowledge.0:", "roles.nobody"),
        ('"schema.identity"', '"schema.nothing"', "plan.toml:23: waive.0.check:", "is no check"),
        (
            '"schema.extensions"',
            '"schema.equality"',
            "plan.toml:28: waive.1.check:",
            "cannot be waived; these can be: schema.identity",
        ),
        ('"its job is stopped until commit"', '"x"', "plan.toml:30: waive.1.gives_up:", ""),
        ('subject = "db/pg_partman"\n', "", "plan.toml:27: waive.1.subject:", "is missing"),
    ],
)
def test_what_is_accepted_wrongly_is_told_with_its_line(
    tmp_path: Path, before: str, after: str, place: str, words: str
) -> None:
    assert before in WAIVED
    (problem,) = _problems(tmp_path, WAIVED.replace(before, after))
    assert problem.startswith(place), problem
    assert words in problem
