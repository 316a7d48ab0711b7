"""What a planted hazard is, and the ways to plant one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from psycopg.sql import SQL, Identifier

from rehearsal.aws.models import Cluster
from runbook.aws.errors import AccessDenied
from runbook.aws.facts import Quota
from runbook.aws.rds import Rds
from runbook.postgres.fix import FixKind
from runbook.preflight.check import Check
from runbook.preflight.result import Level
from tests.preflight.conftest import Plant, Site

BLOCK, UNKNOWN, WARN = Level.BLOCK, Level.UNKNOWN, Level.WARN

Held = Callable[[Site, str], AbstractContextManager[str | None]]
"""Something that stands while the check looks; may yield the subject, where only it knows."""

Changes = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Planted:
    """One hazard: planted, the check must say exactly this; before, that all is well.

    In `subject` and `plan`, `{db}` is the test's database, whose name is awkward.
    """

    check: Check
    level: Level
    subject: str
    sql: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    """In the database already while the check is quiet."""
    aws: Plant | None = None
    held: Held | None = None
    plan: Changes = field(default_factory=dict)
    """Section -> values, changed with the hazard; `""` is the plan's top."""
    plan_before: Changes = field(default_factory=dict)
    patches: tuple[tuple[Any, str, Any], ...] = ()
    """Thresholds brought within reach, from the beginning."""
    kind: FixKind | None = None
    says: str = ""
    """Words that the text must hold."""
    note: str = ""


def of_lab(site: Site) -> Cluster:
    return site.lab.control.clusters[0]


def setting(name: str, value: Any) -> Plant:
    return lambda site: of_lab(site).settings.update({name: value})


def parameter(name: str, value: str) -> Plant:
    return lambda site: of_lab(site).group.values.update({name: value})


def cluster_has(**changes: Any) -> Plant:
    def plant(site: Site) -> None:
        for name, value in changes.items():
            setattr(of_lab(site), name, value)

    return plant


def instance_has(number: int, **changes: Any) -> Plant:
    def plant(site: Site) -> None:
        for name, value in changes.items():
            setattr(of_lab(site).instances[number], name, value)

    return plant


def no_writer(site: Site) -> None:
    for instance in of_lab(site).instances:
        instance.is_writer = False


def default_group(site: Site) -> None:
    of_lab(site).group = site.lab.control.group("default.aurora-postgresql16", cluster=True)


def custom_instance_group(site: Site) -> None:
    site.lab.client().create_db_parameter_group(
        DBParameterGroupName="instances16",
        DBParameterGroupFamily="aurora-postgresql16",
        Description="mine",
    )
    of_lab(site).instances[0].group = site.lab.control.group("instances16", cluster=False)


def cluster_group_named(name: str) -> Plant:
    return lambda site: site.lab.client().create_db_cluster_parameter_group(
        DBClusterParameterGroupName=name,
        DBParameterGroupFamily="aurora-postgresql17",
        Description="somebody's",
    )


def snapshot_named(name: str) -> Plant:
    return lambda site: site.lab.client().create_db_cluster_snapshot(
        DBClusterSnapshotIdentifier=name, DBClusterIdentifier="orders"
    )


def changed_since(site: Site) -> None:
    """A static value that the writer has not read; the reader was rebooted since."""
    of_lab(site).group.values["max_wal_senders"] = "50"
    reader = of_lab(site).instances[1]
    reader.applied_cluster_group = of_lab(site).group.applied()


def clones(site: Site) -> None:
    of_lab(site).clone_group = "cg-1"
    # Green is the fifteenth.
    for number in range(14):
        site.lab.client().restore_db_cluster_to_point_in_time(
            DBClusterIdentifier=f"clone-{number}",
            SourceDBClusterIdentifier="orders",
            RestoreType="copy-on-write",
            UseLatestRestorableTime=True,
        )


def full_of_clusters(site: Site) -> None:
    for number in range(38):
        site.lab.client().restore_db_cluster_to_point_in_time(
            DBClusterIdentifier=f"other-{number}",
            SourceDBClusterIdentifier="orders",
            RestoreType="copy-on-write",
            UseLatestRestorableTime=True,
        )


def deployed(site: Site) -> None:
    client = site.lab.client()
    client.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="green18",
        DBParameterGroupFamily="aurora-postgresql18",
        Description="green",
    )
    client.create_blue_green_deployment(
        BlueGreenDeploymentName="theirs",
        Source=site.lab.control.arn(of_lab(site)),
        TargetEngineVersion="18.4",
        TargetDBClusterParameterGroupName="green18",
    )
    site.lab.control.deployments[0].identifier = "bgd-theirs0000000000"


@contextmanager
def scaled(site: Site, database: str) -> Iterator[None]:
    client = site.lab.client("application-autoscaling")
    target = {
        "ServiceNamespace": "rds",
        "ResourceId": "cluster:orders",
        "ScalableDimension": "rds:cluster:ReadReplicaCount",
    }
    client.register_scalable_target(
        **target, MinCapacity=1, MaxCapacity=4, RoleARN="arn:aws:iam::471147110815:role/scaling"
    )
    yield
    client.deregister_scalable_target(**target)


def proxied(site: Site) -> None:
    site.lab.control.proxies["front"] = "orders"


def integrated(site: Site) -> None:
    site.lab.control.integrations["to-lake"] = site.lab.control.arn(of_lab(site))


ZONE = "example.com"
RECORD = "orders.example.com"


@contextmanager
def record_to(site: Site, host: str, ttl_s: int) -> Iterator[None]:
    client = site.lab.client("route53")
    record = {
        "Name": RECORD,
        "Type": "CNAME",
        "TTL": ttl_s,
        "ResourceRecords": [{"Value": host}],
    }
    for action in ("UPSERT", "DELETE"):
        client.change_resource_record_sets(
            HostedZoneId=zone_of(site),
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]},
        )
        if action == "UPSERT":
            yield


def zone_of(site: Site) -> str:
    """Return the id of the test's hosted zone, made at the first use."""
    client = site.lab.client("route53")
    for zone in client.list_hosted_zones()["HostedZones"]:
        if zone["Name"] == f"{ZONE}.":
            return str(zone["Id"]).rpartition("/")[2]
    made = client.create_hosted_zone(Name=ZONE, CallerReference="t")
    return str(made["HostedZone"]["Id"]).rpartition("/")[2]


def leads(host: str, ttl_s: int = 5) -> Held:
    """The record leads to a host; empty: to the cluster's own endpoint."""
    return lambda site, database: record_to(site, host or site.lab.cluster()["Endpoint"], ttl_s)


def session(user: str = "app_writer", name: str = "", begin: bool = False) -> Held:
    """Somebody is connected, maybe idle in a transaction; the subject is the pid if it has one."""

    @contextmanager
    def hold(site: Site, database: str) -> Iterator[str | None]:
        with site.blue.session(database, user) as connection:
            connection.execute("SELECT set_config('application_name', %s, false)", (name,))
            if begin:
                connection.execute("BEGIN")
                connection.execute("SELECT pg_current_xact_id()")
            yield f"pid {connection.info.backend_pid}" if begin or name else None
            if begin:
                connection.execute("ROLLBACK")

    return hold


@contextmanager
def prepared(site: Site, database: str) -> Iterator[None]:
    with site.blue.session(database) as connection:
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE held (id int)")
        connection.execute("PREPARE TRANSACTION 'it''s held'")
    yield


def system(name: str, value: str) -> Held:
    """A setting of the server, reloaded, and put back."""

    @contextmanager
    def hold(site: Site, database: str) -> Iterator[None]:
        layer = dict(site.blue.server.layers["group"])
        site.blue.server.configure("group", {**layer, name: value})
        _reload(site)
        yield
        site.blue.server.configure("group", layer)
        _reload(site)

    return hold


def _reload(site: Site) -> None:
    """Reload, and wait until the postmaster has told a new session."""
    with site.blue.session() as admin:
        before = admin.execute("SELECT pg_conf_load_time()").fetchone()
        admin.execute("SELECT pg_reload_conf()")
        while admin.execute("SELECT pg_conf_load_time()").fetchone() == before:
            pass


def admin(do: str, undo: str) -> Held:
    """Statements on another database than the test's; `{}` is the test's."""

    @contextmanager
    def hold(site: Site, database: str) -> Iterator[None]:
        with site.blue.session() as connection:
            connection.execute(SQL(do).format(Identifier(database)))
        yield
        with site.blue.session() as connection:
            connection.execute(SQL(undo).format(Identifier(database)))

    return hold


def without_encoding(*statements: bytes) -> Held:
    """A database of bytes, beside the test's own."""

    @contextmanager
    def hold(site: Site, database: str) -> Iterator[None]:
        with site.blue.session() as connection:
            connection.execute(
                "CREATE DATABASE legacy TEMPLATE template0 ENCODING 'SQL_ASCII'"
                " LC_COLLATE 'C' LC_CTYPE 'C'"
            )
        try:
            with site.blue.session("legacy") as inside:
                inside.execute("SET client_encoding = 'SQL_ASCII'")
                for statement in statements:
                    inside.execute(statement)
            yield
        finally:
            with site.blue.session() as connection:
                connection.execute("DROP DATABASE legacy WITH (FORCE)")

    return hold


@contextmanager
def invalid(site: Site, database: str) -> Iterator[None]:
    """A DROP DATABASE that was cut short leaves this behind."""
    query = "UPDATE pg_database SET datconnlimit = %s WHERE datname = %s"
    with site.blue.session() as connection:
        connection.execute(query, (-2, database))
    yield
    with site.blue.session() as connection:
        connection.execute(query, (-1, database))


def denied(method: str, action: str, of: type = Rds) -> Held:
    """A look at AWS for which the credentials have no permission."""

    @contextmanager
    def hold(site: Site, database: str) -> Iterator[None]:
        async def refused(*_: Any) -> None:
            raise AccessDenied("AccessDenied", f"not authorized to perform {action}")

        with patch.object(of, method, refused):
            yield

    return hold


def unsaid(quota: str) -> Held:
    """A quota that AWS's answer leaves out."""
    asked = Rds.account_quotas

    @contextmanager
    def hold(site: Site, database: str) -> Iterator[None]:
        async def all_but_one(rds: Rds) -> dict[str, Quota]:
            return {name: found for name, found in (await asked(rds)).items() if name != quota}

        with patch.object(Rds, "account_quotas", all_but_one):
            yield

    return hold


def named_extension(name: str) -> tuple[str, ...]:
    """The wheel carries few extensions: one is entered by hand."""
    return (
        "SET allow_system_table_mods = on; INSERT INTO pg_extension"
        f" SELECT (oid::int + 100000)::oid, '{name}', extowner, extnamespace, extrelocatable,"
        " extversion FROM pg_extension WHERE extname = 'plpgsql'",
    )


def trigger(body: str) -> tuple[str, ...]:
    return (
        "CREATE FUNCTION twice() RETURNS trigger LANGUAGE plpgsql"
        f" AS 'BEGIN {body} RETURN NEW; END'",
        "CREATE TRIGGER \"t '1'\" AFTER INSERT ON fired FOR EACH ROW EXECUTE FUNCTION twice()",
        "ALTER TABLE fired ENABLE ALWAYS TRIGGER \"t '1'\"",
    )


SQUASH = (
    "CREATE FUNCTION squash(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(t) $$",
    "CREATE FUNCTION doubled(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS"
    " $$ BEGIN RETURN squash(t) || squash(t); END $$",
    "CREATE FUNCTION twice(t text) RETURNS text LANGUAGE sql IMMUTABLE AS"
    " $$ SELECT /* squash (x) */ public.doubled(t) $$",
)
FIRED = ("CREATE TABLE fired (id int PRIMARY KEY)", "CREATE TABLE audit (id int PRIMARY KEY)")
LONG_NAME = "orders-" + "x" * 44
ROUTE53: Changes = {"endpoint": {"method": "route53", "hosted_zone_id": "{zone}", "record": RECORD}}
