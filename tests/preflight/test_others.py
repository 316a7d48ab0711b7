"""Another run of blueprime on the cluster is named, and nothing that it or AWS needs is dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from runbook.base.context import CLUSTER_TAG, RUN_TAG
from runbook.failures import Refused
from runbook.ownership.holder import HOLDER_TAG, HolderTag
from runbook.postgres.fix import Fix, FixKind
from runbook.preflight import survey
from runbook.preflight.check import Check
from runbook.preflight.checks import cluster, other_runs, replication, sessions
from runbook.preflight.result import Level
from runbook.repair.preflight_fixes import Fixing
from tests.preflight.conftest import Site

RUN = "k2f9qa"
OWN = "t35t"
BLOCK = Level.BLOCK
AT = datetime(2026, 11, 26, 22, 1, 7, tzinfo=UTC)


def arn(site: Site, name: str = "orders") -> str:
    found: str = site.lab.cluster(name)["DBClusterArn"]
    return found


def tags(**values: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def of_run(site: Site, run: str = RUN) -> list[dict[str, str]]:
    return tags(**{RUN_TAG: run, CLUSTER_TAG: site.plan.cluster.resource_id})


def marked(site: Site, run: str = RUN, *, ended: bool = False, text: str = "") -> None:
    mark = HolderTag(run, 3, "c1a1m000", "ben", "laptop-7", AT, ended)
    site.lab.client().add_tags_to_resource(
        ResourceName=arn(site), Tags=tags(**{HOLDER_TAG: text or mark.text()})
    )


def group(site: Site, run: str = RUN) -> None:
    site.lab.client().create_db_cluster_parameter_group(
        DBClusterParameterGroupName=f"bp-{run}-pg",
        DBParameterGroupFamily="aurora-postgresql18",
        Description="green",
        Tags=of_run(site, run),
    )


def clone(site: Site, name: str, made_by: Sequence[Mapping[str, str]] = ()) -> None:
    site.lab.client().restore_db_cluster_to_point_in_time(
        DBClusterIdentifier=name,
        SourceDBClusterIdentifier="orders",
        RestoreType="copy-on-write",
        UseLatestRestorableTime=True,
        Tags=list(made_by),
    )


def deployed(site: Site, name: str, made_by: Sequence[Mapping[str, str]] = ()) -> str:
    """Let somebody make a deployment; return its identifier."""
    client = site.lab.client()
    client.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="green18",
        DBParameterGroupFamily="aurora-postgresql18",
        Description="green",
    )
    client.create_blue_green_deployment(
        BlueGreenDeploymentName=name,
        Source=arn(site),
        TargetEngineVersion="18.4",
        TargetDBClusterParameterGroupName="green18",
        Tags=list(made_by),
    )
    return site.lab.control.deployments[0].identifier


async def test_a_mark_names_the_run_its_holder_and_the_way_to_take_it_off(site: Site) -> None:
    await site.quiet(other_runs.another_run)
    marked(site)
    result = await site.fires(other_runs.another_run, BLOCK, f"run {RUN}")
    for words in ("ben on laptop-7", "2026-11-26 22:01:07 UTC", "nothing but this mark"):
        assert words in result.text
    assert f"on laptop-7, blueprime watch {RUN}" in result.remedy
    assert f"blueprime handover {RUN}" in result.remedy
    assert (
        f"aws rds remove-tags-from-resource --region us-east-1 --resource-name {arn(site)} "
        f"--tag-keys {HOLDER_TAG}"
    ) in result.remedy
    assert not other_runs.another_run.waivable
    site.lab.client().remove_tags_from_resource(ResourceName=arn(site), TagKeys=[HOLDER_TAG])
    await site.quiet(other_runs.another_run)


async def test_the_mark_of_this_run_and_of_one_that_has_ended_block_nothing(site: Site) -> None:
    marked(site, OWN)
    await site.quiet(other_runs.another_run)
    marked(site, ended=True)
    group(site)
    (result,) = await site.ask(other_runs.another_run)
    assert result.level is Level.PASS
    assert f"left by run {RUN}, which has ended: parameter group bp-{RUN}-pg" in result.text


async def test_a_mark_that_cannot_be_read_blocks(site: Site) -> None:
    marked(site, text=f"v9 run={RUN} by:ben")
    result = await site.fires(other_runs.another_run, BLOCK, "orders")
    assert "remove-tags-from-resource" in result.remedy


async def test_what_is_left_without_a_mark_blocks_unless_it_can_be_told(site: Site) -> None:
    group(site)
    result = await site.fires(other_runs.another_run, BLOCK, f"run {RUN}")
    assert "nothing says who holds it, or whether it has ended" in result.text
    assert f"parameter group bp-{RUN}-pg" in result.text
    assert f"blueprime adopt orders --run {RUN}" in result.remedy
    # Production uses the group: that run has gone its way, and holds nothing aside.
    blue = site.lab.control.clusters[0]
    former, blue.group = blue.group, site.lab.control.group(f"bp-{RUN}-pg", cluster=True)
    await site.quiet(other_runs.another_run)
    blue.group = former
    # This run has marked the cluster since, and could do so only when that one had ended.
    marked(site, OWN)
    await site.quiet(other_runs.another_run)


async def test_blue_prime_of_another_run_blocks(site: Site) -> None:
    clone(site, f"orders-prime-{RUN}", of_run(site))
    result = await site.fires(other_runs.another_run, BLOCK, f"run {RUN}")
    assert f"orders-prime-{RUN} (16." in result.text


async def test_the_deployment_of_a_run_is_never_advised_to_be_deleted(site: Site) -> None:
    identifier = deployed(site, f"bp-{RUN}-bgd", of_run(site))
    # A deployment is no leftover, whatever the mark says.
    marked(site, ended=True)
    named = await site.fires(other_runs.another_run, BLOCK, f"run {RUN}")
    assert f"deployment bp-{RUN}-bgd" in named.text
    told = await site.fires(cluster.deployments, BLOCK, identifier)
    assert f"run {RUN} of blueprime" in told.remedy
    assert "delete-blue-green-deployment" not in f"{told}{named}"


async def test_a_foreign_deployment_says_what_its_deletion_would_delete(site: Site) -> None:
    identifier = deployed(site, "theirs")
    making = await site.fires(cluster.deployments, BLOCK, identifier)
    assert "--delete-target, which deletes the green in making" in making.remedy
    clone(site, "orders-green-x1y2z3")
    control = site.lab.control
    control.deployments[0].target = next(c for c in control.clusters if "-green-" in c.identifier)
    told = await site.fires(cluster.deployments, BLOCK, identifier)
    assert "--delete-target, which deletes the cluster orders-green-x1y2z3" in told.remedy
    control.deployments[0].status = "SWITCHOVER_COMPLETED"
    over = await site.fires(cluster.deployments, BLOCK, identifier)
    assert "--delete-target" not in over.remedy
    assert "Both clusters stay" in over.remedy
    await site.quiet(other_runs.another_run)


OBJECTS: tuple[tuple[Check, str, FixKind], ...] = (
    (replication.publications, "CREATE PUBLICATION {name}", FixKind.DROP_PUBLICATION),
    (
        replication.subscriptions,
        "CREATE SUBSCRIPTION {name} CONNECTION 'host=nowhere' PUBLICATION p"
        " WITH (connect = false, slot_name = NONE)",
        FixKind.DROP_SUBSCRIPTION,
    ),
    (
        replication.slots,
        "SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')",
        FixKind.DROP_SLOT,
    ),
)


def by_kind(objects: tuple[tuple[Check, str, FixKind], ...]) -> Any:
    return pytest.mark.parametrize(
        ("check", "make", "kind"), objects, ids=[kind.value for *_, kind in objects]
    )


@by_kind(OBJECTS)
async def test_awss_own_objects_are_left_alone_while_a_deployment_stands(
    site: Site, database: str, check: Check, make: str, kind: FixKind
) -> None:
    name = "rds_feed"
    site.blue.run(database, make.format(name=name))
    subject = name if kind is FixKind.DROP_SLOT else f"{database}/{name}"
    alone = await site.fires(check, BLOCK, subject)
    assert alone.fix is not None
    assert alone.fix.kind is kind
    identifier = deployed(site, "theirs")
    beside = await site.fires(check, BLOCK, subject)
    assert beside.fix is None
    assert f"theirs ({identifier})" in beside.text
    assert "DROP" not in beside.remedy
    assert "pg_drop" not in beside.remedy
    # It was offered before the deployment came: at the moment of performing it is refused.
    await _refused(site, alone.fix, f"theirs ({identifier})")
    assert [r.subject for r in await site.ask(check)] == [subject]


@by_kind(OBJECTS)
async def test_the_objects_of_another_run_are_left_alone(
    site: Site, database: str, check: Check, make: str, kind: FixKind
) -> None:
    name = f"blueprime_{RUN}_1"
    site.blue.run(database, make.format(name=name))
    subject = name if kind is FixKind.DROP_SLOT else f"{database}/{name}"
    result = await site.fires(check, BLOCK, subject)
    assert result.fix is None
    assert f"run {RUN} of blueprime" in result.text
    assert f"{result.remedy}".count("DROP") == 0
    await _refused(site, Fix(kind, database, (name,)), f"run {RUN} of blueprime")
    assert [r.subject for r in await site.ask(check)] == [subject]


async def test_a_session_of_blueprime_itself_is_let_end(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "LONG_S", 0.0)
    with site.blue.session() as inside:
        inside.execute("SET application_name = 'blueprime'; BEGIN; SELECT 1")
        result = await site.fires(sessions.long, Level.WARN, f"pid {inside.info.backend_pid}")
        assert result.fix is None
        assert "let it end" in result.remedy
        assert "terminate" not in result.remedy
        inside.execute("ROLLBACK")


async def _refused(site: Site, fix: Fix, words: str) -> None:
    async with site.context() as context:
        remedy = Fixing(why="Planted.", fix=fix.as_json())
        (wave,) = await remedy.effects(context)
        assert await remedy.owner(context) is not None
        with pytest.raises(Refused) as refusal:
            await wave[0].perform()
    assert words in refusal.value.what
    assert refusal.value.now == "Nothing was changed."
