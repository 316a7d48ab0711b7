"""A plan is validated strictly: each problem names file, line and key, and no secret is echoed."""

from __future__ import annotations

import os
import re
import tomllib
import traceback
from pathlib import Path

import pytest

from runbook.plan.arguments import hold_secret
from runbook.plan.model import EndpointMethod, Order, Plan, PlanError, StopMethod, from_json
from runbook.preflight.machine import as_file
from runbook.preflight.plans import load

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


def test_a_limit_of_the_first_version_is_read_under_its_name_of_today(tmp_path: Path) -> None:
    plan = load(_write(tmp_path, f"{GOOD}\n[limits]\nmend_s = 77\n"))
    assert plan.limits.repair_s == 77
    kept = plan.model_dump(mode="json")
    assert kept["limits"]["repair_s"] == 77
    kept["limits"]["mend_s"] = kept["limits"].pop("repair_s")
    assert from_json(kept).limits.repair_s == 77


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
        ('"471100000815"', "471100000815", "plan.toml:8: cluster.account:", "text in quotes"),
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


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("fence", ("window_s = inf", "window_s = 1e9", "window_s = nan", "limit_s = inf")),
        ("fence", ("window_s = 30\nlimit_s = 30",)),
        ("protection", ("lag_limit_s = inf", "lag_limit_s = 1e7", "fresh_s = inf", "bake_s = inf")),
        ("protection", (f"lag_limit_bytes = {10**23}", "lag_limit_bytes = 2_000_000_000_000")),
        ("protection", ("lag_limit_bytes = 1.5", "sample_every_s = 4000", "bake_s = -1")),
        ("compare", ("parallel = 1000000", "parallel = 0", "hash_budget_s = nan")),
        ("compare", ("sampled_share = nan", "sampled_share = 2")),
        ("limits", ("poll_s = inf", "clone_s = 1e12", "patience_s = nan", "late_effect_s = inf")),
        ("endpoint", ("ttl_s = 9_999_999_999", f"ttl_s = {2**70}")),
    ],
)
def test_figures_that_wait_without_end_or_let_anything_pass_are_refused(
    tmp_path: Path, section: str, values: tuple[str, ...]
) -> None:
    for value in values:
        (problem,) = _problems(tmp_path, f"{GOOD}\n[{section}]\n{value}\n")
        assert problem.startswith("plan.toml:"), problem
        assert f"{section}" in problem
        assert " must be " in problem, problem


OF_ANY_TYPE = (
    '"text"',
    "true",
    "7",
    "7.5",
    "[1]",
    "{a = 1}",
    "2026-11-30",
    "nan",
    '""',
    "[]",
    "[[]]",
)
JARGON = re.compile(
    r"input|valid|tuple|pattern|instance|dictionary|parse|fractional|{|pydantic", re.I
)


@pytest.mark.parametrize("section", [name for name in Plan.model_fields if name != "version"])
def test_whatever_stands_at_a_key_is_refused_in_plain_words(tmp_path: Path, section: str) -> None:
    """No word of the library that checks it: who reads it knows TOML and the plan, no more."""
    made = tomllib.loads(WAIVED)
    kind = Plan.model_fields[section].annotation
    keys = getattr(kind, "model_fields", {})
    tried = [{**made, section: tomllib.loads(f"a = {value}")["a"]} for value in OF_ANY_TYPE]
    for key in keys:
        for value in OF_ANY_TYPE:
            within = {**made.get(section, {}), key: tomllib.loads(f"a = {value}")["a"]}
            tried.append({**made, section: within})
    refused = 0
    for data in tried:
        try:
            from_json(data)
        except PlanError as error:
            refused += 1
            for problem in error.problems:
                words = problem.partition(": ")[2].partition(": ")[2]
                assert words
                assert not JARGON.search(words), problem
    assert refused > len(tried) // 3


def test_a_file_of_any_editor_and_none_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load(path).cluster.identifier == "orders"
    (problem,) = _problems(tmp_path, f"a = {'[' * 5000}{']' * 5000}")
    assert problem == "plan.toml: is nested too deeply to be a plan"
    (problem,) = _problems(tmp_path, GOOD + "#" * (1 << 20))
    assert "and is no plan" in problem
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for endless in (Path("/dev/zero"), pipe, tmp_path):
        with pytest.raises(PlanError, match="is no file"):
            load(endless)


@pytest.mark.parametrize(
    "words",
    [
        ("sh", "-c", "PGPASSWORD=hunter2 psql -c 'select 1'"),
        ("env", "DB_PASS=hunter2", "stop"),
        ("psql", "host=h user=u password=hunter2"),
        ("psql", "postgres://u:hunter2@h/db"),
        ("curl", "https://bob:hunter2@host/stop"),
        ("scale", "--password", "hunter2"),
        ("scale", "--password=hunter2"),
        ("scale", "--db-pass", "hunter2"),
        ("scale", "--pw=hunter2"),
        ("scale", "--token", "hunter2"),
        ("scale", "--api-key=hunter2"),
        ("scale", "--secret", "hunter2"),
        ("vault", "token=hunter2"),
        ("mysql", "-phunter2"),
        ("/usr/bin/curl", "-u", "bob:hunter2", "http://x"),
        ("sh", "-c", "curl --user bob:hunter2 http://x"),
        ("curl", "-H", "Authorization: Bearer hunter2"),
        ("x", "AWS_SECRET_ACCESS_KEY=hunter2"),
    ],
)
def test_a_secret_among_arguments_is_seen(words: tuple[str, ...]) -> None:
    assert hold_secret(words)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("true",),
        ("scale", "--password", "env:PW"),
        ("scale", "--password-file", "/run/secrets/pw", "--token-file=/run/t"),
        ("scale", "PGPASSFILE=/run/q", "--secret-id", "orders", "--secret-arn=arn:aws:x"),
        ("psql", "-w", "--no-password", "orders"),
        ("ssh", "-p", "5432", "bastion", "sudo systemctl stop orders"),
        ("docker", "exec", "-u", "1000:1000", "app", "stop"),
        ("env", "PWD=/srv", "COMPASS=north", "stop", "--bypass", "yes"),
        ("kubectl", "scale", "deploy/orders", "--replicas=0", "--token", ""),
    ],
)
def test_what_only_names_where_a_secret_is_is_taken(words: tuple[str, ...]) -> None:
    assert not hold_secret(words)
