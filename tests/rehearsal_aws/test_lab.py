"""The lab as it is used: its process, its clients, and a night's calls on real servers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from rehearsal import lab
from rehearsal.lab import LabError, LabGone, LabRuns, Options
from tests.rehearsal_aws.conftest import until
from tests.rehearsal_aws.night import (
    Night,
    client,
    cloned,
    deployed,
    parameter_group,
    switched_over,
)
from tests.rehearsal_aws.requests import member

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace with a running lab, which does not outlive the tests."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BLUEPRIME_HOME", str(folder))
        yield folder
        if lab._held(lab.folder()):
            lab.stop()


@pytest.fixture(autouse=True)
def _in_home(home: Path, monkeypatch: pytest.MonkeyPatch, _own_world: None) -> None:
    monkeypatch.setenv("BLUEPRIME_HOME", str(home))


@pytest.fixture
def running() -> dict[str, Any]:
    """The status of the lab, started if none runs."""
    if not lab._held(lab.folder()):
        lab.start(Options(load=40, lives_with=os.getpid()))
    return lab.status()


def processes_below(base: Path) -> list[int]:
    """Return the processes that run in, or are told of, a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
                place = os.readlink(entry / "cwd")
            except OSError:
                continue
            if str(base).encode() in command or place.startswith(str(base)):
                found.append(int(entry.name))
    return found


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_without_a_lab_every_client_says_so_in_one_sentence(home: Path) -> None:
    for call in (lab.status, lab.env, lab.stop, lab.ledger, lambda: lab.traffic("stop")):
        with pytest.raises(LabGone, match="There is no lab in"):
            call()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (Options(from_version="12"), "There is no PostgreSQL 12 here"),
        (Options(from_version="18", to_version="16"), "cannot be upgraded"),
    ],
)
def test_a_lab_that_cannot_be_says_why(options: Options, text: str) -> None:
    with pytest.raises(LabError, match=text):
        lab.start(options)


def test_a_lab_without_what_it_needs_names_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "find_spec", lambda name: None if name == "moto" else object())
    with pytest.raises(LabError, match=r"needs moto, which .* lacks\. Nothing was started") as said:
        lab.start(Options())
    assert "-m pip install '.[lab]'" in str(said.value)
    assert not lab._held(lab.folder())


def test_status_is_told_between_two_renames_and_of_a_process_that_stands_still(
    running: dict[str, Any],
) -> None:
    rds = Night(running).rds
    rds.modify_db_cluster(
        DBClusterIdentifier="orders", NewDBClusterIdentifier="aside", ApplyImmediately=True
    )
    until(lambda: [each["identifier"] for each in lab.status()["clusters"]] == ["aside"])
    assert lab.env() == running["env"], "the name comes back to the same port"
    rds.modify_db_cluster(
        DBClusterIdentifier="aside", NewDBClusterIdentifier="orders", ApplyImmediately=True
    )
    until(lambda: [each["identifier"] for each in lab.status()["clusters"]] == ["orders"])
    os.kill(running["pid"], signal.SIGSTOP)
    try:
        with pytest.raises(LabError, match=f"kill -CONT {running['pid']}"):
            lab.status()
    finally:
        os.kill(running["pid"], signal.SIGCONT)
    assert lab.status()["pid"] == running["pid"]


def test_a_killed_lab_leaves_no_server_and_the_next_one_starts(running: dict[str, Any]) -> None:
    folder = lab.folder()
    base = (folder / "servers").resolve()
    port = int(running["env"]["PGPORT"])
    assert listens(port)
    lab.traffic("start")
    children = processes_below(base)
    assert children
    os.kill(running["pid"], signal.SIGKILL)
    os.waitpid(running["pid"], 0)
    until(lambda: not processes_below(base) and not base.exists(), 30)
    assert not listens(port)
    with pytest.raises(LabGone):
        lab.traffic("stop")
    again = lab.start(Options(load=40, lives_with=os.getpid()))
    assert again["pid"] != running["pid"]
    with pytest.raises(LabRuns, match="runs already"):
        lab.start(Options())


def test_secrets_stay_in_files_of_their_owner(running: dict[str, Any]) -> None:
    passfile = Path(running["env"]["PGPASSFILE"])
    assert passfile.stat().st_mode & 0o777 == 0o600
    passwords = {line.rsplit(":", 1)[1] for line in passfile.read_text().splitlines()}
    assert passwords
    shown = json.dumps(running) + (lab.folder() / lab.LOG).read_text()
    commands = b"".join(
        Path(f"/proc/{pid}/cmdline").read_bytes()
        for pid in [running["pid"], *processes_below((lab.folder() / "servers").resolve())]
    ).decode()
    assert not [word for word in passwords if word in shown or word in commands]


def test_the_hooks_stop_and_start_traffic_from_anywhere(
    running: dict[str, Any], tmp_path: Path
) -> None:
    def run(name: str) -> None:
        subprocess.run(running["hooks"][name], check=True, cwd=tmp_path, env={})

    run("start")
    until(lambda: lab.status()["traffic"].get("acknowledged", 0) > 0)
    port = running["env"]["PGPORT"]
    subprocess.run([*running["hooks"]["lead"], "127.0.0.1", port], check=True, env={})
    assert lab.traffic("status")["running"] is True
    run("stop")
    run("stop")
    assert lab.traffic("status")["running"] is False
    verdict = lab.ledger()
    assert verdict["acknowledged"] > 0
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)


def test_a_hook_without_a_lab_fails_with_one_sentence(
    running: dict[str, Any], tmp_path: Path
) -> None:
    command = [*running["hooks"]["stop"][:-1], str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("There is no lab in")
    assert len(done.stderr.splitlines()) == 1


def test_the_client_imports_nothing_heavy() -> None:
    code = (
        "import sys, rehearsal.lab;"
        "print([m for m in ('moto', 'boto3', 'psycopg', 'botocore') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_master_secret_opens_production(running: dict[str, Any]) -> None:
    value = client(running, "secretsmanager").get_secret_value(SecretId=running["password"])
    secret = json.loads(value["SecretString"])
    with psycopg.connect(
        host=secret["host"],
        port=secret["port"],
        user=secret["username"],
        password=secret["password"],
        dbname=secret["dbname"],
    ) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    assert row == ("16.14",)
    groups = client(running).describe_db_subnet_groups(DBSubnetGroupName="orders-private")
    assert groups["DBSubnetGroups"][0]["Subnets"]


def test_a_failover_ends_sessions_and_keeps_slots(running: dict[str, Any]) -> None:
    """The reader bears the writer's name afterwards, and what was committed is there."""
    night = Night(running)
    slots = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'kept'"
    night.sql("orders", "SELECT pg_create_logical_replication_slot('kept', 'pgoutput')")
    with night.session("orders") as idle:
        idle.execute("SELECT 1")
        night.rds.failover_db_cluster(DBClusterIdentifier="orders")
        until(lambda: night.cluster("orders")["Status"] == "available")
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
    assert night.sql("orders", "SELECT aurora_db_instance_identifier()") == [("orders-2",)]
    assert night.sql("orders", slots) == [(1,)]
    night.sql("orders", "SELECT pg_drop_replication_slot('kept')")
    night.rds.failover_db_cluster(
        DBClusterIdentifier="orders", TargetDBInstanceIdentifier="orders-1"
    )
    until(lambda: night.cluster("orders")["Status"] == "available")
    assert night.sql("orders", "SELECT aurora_db_instance_identifier()") == [("orders-1",)]


def test_a_snapshot_is_restored_as_it_was(running: dict[str, Any]) -> None:
    night = Night(running)
    count = "SELECT count(*) FROM customer"
    before = night.sql("orders", count)
    night.rds.create_db_cluster_snapshot(
        DBClusterIdentifier="orders", DBClusterSnapshotIdentifier="before"
    )
    until(lambda: night.cluster("orders")["Status"] == "available")
    lab.fault("stray-write", "orders")
    night.rds.restore_db_cluster_from_snapshot(
        DBClusterIdentifier="restored", SnapshotIdentifier="before", Engine="aurora-postgresql"
    )
    until(lambda: night.cluster("restored")["Status"] == "available")
    night.rds.create_db_instance(**member("restored-1", "restored"))
    until(lambda: night.cluster("restored")["DBClusterMembers"])
    until(lambda: night.instance("restored-1")["DBInstanceStatus"] == "available")
    assert night.sql("restored", count) == before != night.sql("orders", count)
    lab.fault("lose-cluster", "restored")
    night.rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="before")


def test_cloudwatch_has_datapoints_of_the_servers(running: dict[str, Any]) -> None:
    """The first are there soon after the lab is."""
    now = datetime.now(UTC)
    query = {
        "Namespace": "AWS/RDS",
        "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "orders-1"}],
        "StartTime": now - timedelta(hours=1),
        "EndTime": now + timedelta(minutes=1),
        "Period": 60,
        "Statistics": ["Maximum"],
    }
    cloudwatch = client(running, "cloudwatch")

    def latest(metric: str) -> list[float]:
        found = cloudwatch.get_metric_statistics(MetricName=metric, **query)["Datapoints"]
        return [each["Maximum"] for each in found]

    until(lambda: latest("TransactionLogsDiskUsage"))
    assert max(latest("TransactionLogsDiskUsage")) >= 1 << 24
    assert latest("OldestReplicationSlotLag") == [-1]


def test_parameters_are_those_of_the_server(running: dict[str, Any]) -> None:
    """Static is what the server takes at a start alone."""
    night = Night(running)
    pages = night.rds.get_paginator("describe_db_cluster_parameters").paginate(
        DBClusterParameterGroupName="orders-pg16"
    )
    listed = {row["ParameterName"]: row for each in pages for row in each["Parameters"]}
    served = dict(night.sql("orders", "SELECT name, context FROM pg_settings"))
    both = listed.keys() & served.keys()
    assert len(both) > 300
    static = {name for name in both if served[name] == "postmaster"}
    assert {name for name in both if listed[name]["ApplyType"] == "static"} == static


def test_the_aws_command_line_works(running: dict[str, Any]) -> None:
    aws = shutil.which("aws")
    if (
        aws is None
        or subprocess.run([aws, "--version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("the AWS CLI is not installed")
    done = subprocess.run(
        [
            *(aws, "rds", "describe-db-clusters", "--query", "DBClusters[].EngineVersion"),
            # Versions before 1.29 and 2.13 do not know AWS_ENDPOINT_URL.
            *("--endpoint-url", running["env"]["AWS_ENDPOINT_URL"], "--output", "json"),
        ],
        env={**os.environ, **running["env"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == ["16.14"]


def test_a_night_on_real_servers(running: dict[str, Any]) -> None:
    night = Night(running)
    lab.traffic("start")
    parameter_group(night)
    deployment = deployed(night)
    switched_over(night, deployment)
    cloned(night, deployment)
    lab.traffic("stop")
    verdict = lab.ledger()
    assert verdict["acknowledged"] > 0
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)


def test_faults_reach_the_servers(running: dict[str, Any]) -> None:
    night = Night(running)
    before = night.sql("orders", "SELECT count(*) FROM customer")[0][0]
    lab.fault("stray-write", "orders")
    assert night.sql("orders", "SELECT count(*) FROM customer")[0][0] == before + 1
    lab.fault("ddl", "orders", "orders")
    assert night.sql(
        "orders", "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'surprise%'"
    ) == [(1,)]
    lab.fault("drop-link", "orders")
    with pytest.raises(psycopg.OperationalError):
        night.sql("orders", "SELECT 1")
    lab.fault("restore-link", "orders")
    assert night.sql("orders", "SELECT 1") == [(1,)]
    lab.fault("kill-server", "orders")
    with pytest.raises(psycopg.OperationalError):
        night.sql("orders", "SELECT 1")
    with pytest.raises(LabError, match=r"no verdict: .* could not be compared\. connection failed"):
        lab.ledger()
    lab.fault("start-server", "orders")
    assert night.sql("orders", "SELECT count(*) FROM customer")[0][0] == before + 1
    for words in (("coffee",), ("ddl",), ("ddl", "nix"), ("throttle", "X", "0")):
        with pytest.raises(LabError):
            lab.fault(*words)


def test_stopping_leaves_no_process_and_no_port(running: dict[str, Any]) -> None:
    base = (lab.folder() / "servers").resolve()
    lab.traffic("start")
    ports = [cluster["port"] for cluster in running["clusters"]]
    ports.append(int(running["endpoint_url"].rpartition(":")[2]))
    assert all(listens(port) for port in ports)
    os.kill(running["pid"], signal.SIGSTOP)  # it is stopped all the same
    lab.stop()
    assert not base.exists()
    assert processes_below(base) == []
    assert processes_below(lab.folder()) == []
    assert not any(listens(port) for port in ports)
    assert not Path(running["env"]["PGPASSFILE"]).exists()
    with pytest.raises(LabGone):
        lab.status()


def test_a_lab_ends_with_its_companion_even_in_the_middle_of_work() -> None:
    companion = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = lab.start(Options(load=0, databases=1, pace=1, lives_with=companion.pid))
    base = (lab.folder() / "servers").resolve()
    with pytest.raises(LabError, match="without a workload"):
        lab.traffic("start")
    client(started).restore_db_cluster_to_point_in_time(
        DBClusterIdentifier="prime",
        SourceDBClusterIdentifier="orders",
        RestoreType="copy-on-write",
        UseLatestRestorableTime=True,
    )
    assert lab.status()["clusters"][1]["status"] == "creating"
    companion.communicate(b"\n")
    until(lambda: not lab._held(lab.folder()), 60)
    assert not base.exists()
    assert processes_below(base) == []
