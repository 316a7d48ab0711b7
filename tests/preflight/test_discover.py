"""A plan as it is discovered: it loads, says what was found, and errors are clear sentences."""

from __future__ import annotations

import tomllib
import traceback
from pathlib import Path
from typing import Any

import pytest
from psycopg.sql import SQL, Identifier

from runbook.failures import Refused, StepFailed
from runbook.plan.discover import discover
from runbook.plan.model import Plan
from runbook.preflight.plans import load
from tests.preflight.conftest import PASSWORD, Site
from tests.rehearsal_aws.conftest import ACCOUNT, REGION


def _loaded(folder: Path, text: str) -> Plan:
    path = folder / "orders.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


async def _discover(site: Site, name: str = "orders", version: str = "17.9", **more: Any) -> str:
    return await discover(site.aws, name, version, password="env:ORDERS_PASSWORD", **more)


async def test_what_is_discovered_loads(site: Site, database: str, tmp_path: Path) -> None:
    text = await _discover(site)
    plan = _loaded(tmp_path, text)
    cluster = site.lab.control.clusters[0]
    assert plan.cluster.identifier == "orders"
    assert plan.cluster.resource_id == cluster.resource_id
    assert (plan.cluster.region, plan.cluster.account) == (REGION, ACCOUNT)
    assert plan.upgrade.target_version == "17.9"
    assert plan.upgrade.order == "traffic-first"
    assert plan.credentials.user == "postgres"
    assert plan.credentials.password == "env:ORDERS_PASSWORD"
    assert plan.credentials.sslmode == "prefer"
    assert plan.traffic.stop == "manual"
    assert plan.traffic.application_roles == ("app_writer", "limited")
    assert plan.acknowledge == ()
    assert PASSWORD not in text
    assert "not yet on Aurora itself" in " ".join(text.split())
    assert all(len(line) <= 120 for line in text.splitlines())


async def test_what_the_defaults_say_is_what_the_plan_says(site: Site, tmp_path: Path) -> None:
    data = tomllib.loads(await _discover(site))
    bare = {
        "version": 1,
        **{name: data[name] for name in ("cluster", "credentials", "traffic")},
        "upgrade": {"target_version": "17.9"},
    }
    assert _loaded(tmp_path, await _discover(site)) == Plan.model_validate(bare)


async def test_kinds_of_data_wait_for_a_person(site: Site, database: str, tmp_path: Path) -> None:
    site.blue.run(database, "CREATE TABLE t (id serial PRIMARY KEY)", "SELECT lo_create(0)")
    text = await _discover(site)
    assert _loaded(tmp_path, text).acknowledge == ()
    assert f"# 1 in {database}: " in text
    assert '# "large_objects",' in text
    assert "unlogged_tables" not in text
    accepted = _loaded(tmp_path, await _discover(site, acknowledge=True))
    assert accepted.acknowledge == ("sequences", "large_objects")


async def test_names_of_every_kind_survive(site: Site, tmp_path: Path) -> None:
    names = ['q"uote', "back\\slash", "new\nline", "tab\t", "del\x7f", "$identifier", "🐘 #1"]
    with site.blue.session() as connection:
        for name in names:
            connection.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(name)))
        try:
            text = await _discover(site)
        finally:
            for name in names:
                connection.execute(SQL("DROP ROLE {}").format(Identifier(name)))
    assert set(names) <= set(_loaded(tmp_path, text).traffic.application_roles)


async def test_for_the_lab_hooks_and_short_pauses(site: Site, tmp_path: Path) -> None:
    plan = _loaded(
        tmp_path,
        await _discover(
            site,
            stop_command=('/opt/it\'s "here"/blueprime', "lab", "traffic", "stop"),
            start_command=("blueprime", "lab", "traffic", "start"),
            application_roles=("app_writer",),
            order="protect-first",
            fast=True,
        ),
    )
    assert plan.traffic.stop == "command"
    assert plan.traffic.stop_command[0] == '/opt/it\'s "here"/blueprime'
    assert plan.traffic.start_command[-1] == "start"
    assert plan.traffic.application_roles == ("app_writer",)
    assert plan.upgrade.order == "protect-first"
    assert plan.limits.poll_s < 1
    assert plan.limits.create_deployment_s == 4 * 3600


async def test_an_amazon_address_is_verified(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from runbook.plan import discover as module

    commercial = "us-east-1"
    host = f"orders.cluster-c1abc.{commercial}.rds.amazonaws.com"
    assert module._sslmode(host) == "verify-full"
    assert module._sslmode("amazonaws.com.example.org") == "prefer"
    assert "/truststore.pki.rds.amazon" in module._sslmode_why(host, "verify-full", commercial)
    assert "does not prove who answers" in module._sslmode_why(host, "require", commercial)


@pytest.mark.parametrize(
    ("region", "suffix", "bundle"),
    [
        (
            "us-gov-west-1",
            "amazonaws.com",
            "https://truststore.pki.us-gov-west-1.rds.amazonaws.com/",
        ),
        (
            "us-gov-east-1",
            "amazonaws.com",
            "https://truststore.pki.us-gov-west-1.rds.amazonaws.com/",
        ),
        (
            "cn-north-1",
            "amazonaws.com.cn",
            "https://rds-truststore.s3.cn-north-1.amazonaws.com.cn/",
        ),
        ("eusc-de-east-1", "amazonaws.eu", "bundle of the partition aws-eusc"),
        ("us-iso-east-1", "c2s.ic.gov", "bundle of the partition aws-iso"),
    ],
)
def test_each_partition_has_certificates_of_its_own(region: str, suffix: str, bundle: str) -> None:
    from runbook.plan import discover as module

    host = f"orders.cluster-c1abc.{region}.rds.{suffix}"
    assert module._sslmode(host) == "verify-full"
    assert bundle in module._sslmode_why(host, "verify-full", region)


async def test_an_unknown_cluster_names_those_there_are(site: Site) -> None:
    with pytest.raises(Refused) as caught:
        await _discover(site, "ordres")
    assert caught.value.what == (
        "us-east-1 has no Aurora PostgreSQL cluster 'ordres'. There are: orders."
    )
    assert "no plan was written" in caught.value.now


async def test_an_invalid_target_names_the_valid_ones(site: Site) -> None:
    with pytest.raises(Refused, match=r"cannot be upgraded to 17\.99\. Valid targets: 17\."):
        await _discover(site, version="17.99")


async def test_a_cluster_that_is_there_already_is_said_to_be(site: Site) -> None:
    now = site.lab.control.clusters[0].version
    with pytest.raises(Refused, match=f"orders is already on {now}: there is nothing") as there:
        await _discover(site, version=now)
    assert "blueprime runs" in there.value.todo
    with pytest.raises(Refused, match=f"orders is on {now}: there is nothing to upgrade to 11.9"):
        await _discover(site, version="11.9")


async def test_a_secret_in_a_stop_command_never_comes_into_a_plan(site: Site) -> None:
    secret = "-".join(("correct", "horse"))
    with pytest.raises(Refused, match="--stop-command holds a password") as refused:
        await _discover(site, stop_command=["scale", "--password", secret])
    assert secret not in "".join(traceback.format_exception(refused.value))


async def test_a_version_without_blue_green_support(site: Site) -> None:
    site.lab.control.clusters[0].version = "15.3"
    with pytest.raises(Refused) as caught:
        await _discover(site, version="16.14")
    assert "15.3" in caught.value.what
    assert caught.value.todo


async def test_a_server_that_refuses(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_PASSWORD", "tr0ub4dor")
    with pytest.raises(StepFailed) as caught:
        await _discover(site)
    assert "password" in caught.value.what
    assert "tr0ub4dor" not in str(caught.value)


async def test_a_password_instead_of_a_reference_is_not_echoed(site: Site) -> None:
    secret = "-".join(("correct", "horse"))
    with pytest.raises(Refused, match="must be a reference, never a password") as caught:
        await discover(site.aws, "orders", "17.9", password=secret)
    assert secret not in "".join(traceback.format_exception(caught.value))
