"""Every hazard that the lab can plant, as data: what to plant, and what must be seen of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from psycopg.sql import SQL, Identifier

from rehearsal.aws.models import Cluster
from runbook.fix import Mend
from runbook.preflight import (
    account,
    capacity,
    cluster,
    data,
    endpoints,
    extensions,
    look,
    parameters,
    replication,
    roles,
    schema,
    sessions,
)
from runbook.preflight.check import Check
from runbook.preflight.result import Level
from tests.preflight.conftest import Plant, Site
from tests.rehearsal_aws.conftest import ACCOUNT

BLOCK, WARN = Level.BLOCK, Level.WARN

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
    mend: Mend | None = None
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


def changed_since(site: Site) -> None:
    """A static value that the writer has not read; the reader was rebooted since."""
    of_lab(site).group.values["max_wal_senders"] = "50"
    reader = of_lab(site).instances[1]
    reader.applied_cluster_group = of_lab(site).group.applied()


def clones(site: Site) -> None:
    of_lab(site).clone_group = "cg-1"
    for number in range(15):
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
    client.register_scalable_target(**target, MinCapacity=1, MaxCapacity=4)
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
    return lambda site, database: record_to(site, host, ttl_s)


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


@contextmanager
def invalid(site: Site, database: str) -> Iterator[None]:
    """A DROP DATABASE that was cut short leaves this behind."""
    query = "UPDATE pg_database SET datconnlimit = %s WHERE datname = %s"
    with site.blue.session() as connection:
        connection.execute(query, (-2, database))
    yield
    with site.blue.session() as connection:
        connection.execute(query, (-1, database))


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


FIRED = ("CREATE TABLE fired (id int PRIMARY KEY)", "CREATE TABLE audit (id int PRIMARY KEY)")
LONG_NAME = "orders-" + "x" * 44
ROUTE53: Changes = {"endpoint": {"method": "route53", "hosted_zone_id": "{zone}", "record": RECORD}}

PLANTS: tuple[Planted, ...] = (
    # account
    Planted(account.identity, BLOCK, ACCOUNT, plan={"cluster": {"account": "000000000001"}}),
    # cluster
    Planted(cluster.found, BLOCK, "orders", aws=cluster_has(identifier="orders-old1")),
    Planted(cluster.status, BLOCK, "orders", aws=cluster_has(status="modifying")),
    Planted(cluster.status, BLOCK, "orders-1", aws=instance_has(0, status="rebooting")),
    Planted(cluster.members, BLOCK, "orders", aws=no_writer),
    Planted(cluster.version, BLOCK, "orders", aws=cluster_has(version="15.3")),
    Planted(cluster.target, BLOCK, "16.4", plan={"upgrade": {"target_version": "16.4"}}),
    Planted(cluster.target, WARN, "18.4", plan={"upgrade": {"target_version": "18.4"}}),
    Planted(cluster.kind, BLOCK, "orders", aws=setting("EngineMode", "serverless")),
    Planted(
        cluster.kind,
        BLOCK,
        "orders",
        aws=setting("ReplicationSourceIdentifier", "arn:aws:rds:eu-west-1:1:cluster:orders"),
        says="eu-west-1",
    ),
    Planted(cluster.kind, WARN, "orders", aws=setting("GlobalWriteForwardingStatus", "enabled")),
    Planted(cluster.master_password, BLOCK, "orders", aws=cluster_has(managed_secret=True)),
    Planted(cluster.backups, BLOCK, "orders", aws=setting("BackupRetentionPeriod", 0)),
    Planted(cluster.deployments, BLOCK, "bgd-theirs0000000000", aws=deployed, says="theirs"),
    Planted(cluster.name, WARN, LONG_NAME, aws=instance_has(1, identifier=LONG_NAME)),
    Planted(
        cluster.not_copied,
        WARN,
        "arn:aws:iam::1:role/export",
        aws=setting(
            "AssociatedRoles", [{"RoleArn": "arn:aws:iam::1:role/export", "Status": "ACTIVE"}]
        ),
    ),
    Planted(cluster.auto_scaling, WARN, "orders", held=scaled),
    Planted(cluster.zero_etl, BLOCK, "to-lake", aws=integrated),
    Planted(cluster.slot_race, WARN, "orders", aws=cluster_has(version="16.8")),
    # parameters
    Planted(parameters.group, BLOCK, "default.aurora-postgresql16", aws=default_group),
    Planted(parameters.in_sync, BLOCK, "orders-1", aws=changed_since),
    Planted(
        parameters.logical_replication,
        BLOCK,
        "orders-pg16",
        aws=parameter("rds.logical_replication", "0"),
    ),
    Planted(
        parameters.pending_restart,
        BLOCK,
        "orders",
        held=system("max_wal_senders", "41"),
        says="max_wal_senders",
    ),
    Planted(
        parameters.synchronous_commit,
        BLOCK,
        "orders-pg16",
        aws=parameter("synchronous_commit", "off"),
    ),
    Planted(
        parameters.sizing,
        WARN,
        "orders-pg16",
        aws=lambda site: setattr(parameters, "_SPARE_PROCESSES", 100),
        patches=((parameters, "_SPARE_PROCESSES", 4),),
        says="max_worker_processes",
    ),
    Planted(
        parameters.target_group,
        BLOCK,
        "nowhere",
        plan={"upgrade": {"cluster_parameter_group": "nowhere"}},
    ),
    Planted(parameters.instance_group, WARN, "instances16", aws=custom_instance_group),
    Planted(
        parameters.force_ssl,
        BLOCK,
        "orders-pg16",
        aws=parameter("rds.force_ssl", "1"),
        says="sslmode",
    ),
    Planted(
        parameters.force_ssl,
        WARN,
        "app_writer",
        before=(),
        aws=parameter("rds.force_ssl", "1"),
        held=session(),
        plan_before={"credentials": {"sslmode": "prefer"}},
        plan={"credentials": {"sslmode": "prefer"}},
    ),
    # capacity
    Planted(capacity.quotas, BLOCK, "DBClusters", aws=full_of_clusters),
    Planted(capacity.clones, WARN, "orders", aws=clones),
    Planted(
        capacity.slot_limit, WARN, "orders-pg16", held=system("max_slot_wal_keep_size", "1000")
    ),
    Planted(
        capacity.kept_wal,
        WARN,
        "heavy",
        sql=("SELECT pg_create_logical_replication_slot('heavy', 'pgoutput')",),
        patches=((capacity, "_MUCH_WAL_BYTES", 0),),
        mend=Mend.DROP_SLOT,
    ),
    # replication
    Planted(
        replication.publications,
        BLOCK,
        '{db}/mine "1"',
        sql=('CREATE PUBLICATION "mine ""1""" FOR ALL TABLES',),
        mend=Mend.DROP_PUBLICATION,
    ),
    Planted(
        replication.subscriptions,
        BLOCK,
        "{db}/theirs",
        sql=(
            "CREATE SUBSCRIPTION theirs CONNECTION 'host=127.0.0.1 password=hunter2' PUBLICATION p"
            " WITH (connect = false, slot_name = NONE)",
        ),
        mend=Mend.DROP_SUBSCRIPTION,
    ),
    Planted(
        replication.slots,
        BLOCK,
        "debezium",
        sql=("SELECT pg_create_logical_replication_slot('debezium', 'pgoutput')",),
        mend=Mend.DROP_SLOT,
    ),
    # sessions
    Planted(sessions.prepared, BLOCK, "it's held", held=prepared, mend=Mend.ROLL_BACK_PREPARED),
    Planted(
        sessions.long,
        WARN,
        "",
        held=session(begin=True),
        aws=lambda site: setattr(look, "LONG_S", 0.0),
        patches=((look, "LONG_S", 30.0),),
        mend=Mend.TERMINATE,
        says="idle in transaction",
    ),
    # schema
    Planted(
        schema.identity,
        BLOCK,
        '{db}/public.no "key" 100%',
        sql=('CREATE TABLE "no ""key"" 100%" (note text)',),
        mend=Mend.IDENTITY_FULL,
    ),
    Planted(
        schema.identity,
        BLOCK,
        "{db}/public.raw",
        sql=("CREATE TABLE raw (note json)",),
        note="FULL would not do",
    ),
    Planted(
        schema.identity,
        BLOCK,
        "{db}/public.late",
        before=("CREATE TABLE late (id int PRIMARY KEY)",),
        sql=("ALTER TABLE late REPLICA IDENTITY NOTHING",),
        mend=Mend.IDENTITY_INDEX,
    ),
    Planted(
        schema.equality,
        BLOCK,
        "{db}/public.Geo",
        before=('CREATE TABLE "Geo" (id int PRIMARY KEY, spot point, raw json)',),
        sql=('ALTER TABLE "Geo" REPLICA IDENTITY FULL',),
        mend=Mend.IDENTITY_DEFAULT,
        says="spot, raw",
    ),
    Planted(
        schema.generated,
        BLOCK,
        "{db}/public.made",
        before=("CREATE TABLE made (a int, b int GENERATED ALWAYS AS (a * 2) STORED NOT NULL)",),
        sql=("ALTER TABLE made ADD PRIMARY KEY (b)",),
    ),
    Planted(
        schema.generated,
        BLOCK,
        "{db}/public.made",
        before=(
            "CREATE TABLE made (a int, b int GENERATED ALWAYS AS (a * 2) STORED)",
            "ALTER TABLE made REPLICA IDENTITY FULL",
        ),
        plan={"upgrade": {"target_version": "18.4"}},
        note="to 18 and FULL",
    ),
    Planted(
        schema.triggers,
        WARN,
        "{db}/public.fired",
        before=FIRED,
        sql=trigger("INSERT INTO public.audit VALUES (NEW.id);"),
        mend=Mend.PLAIN_TRIGGER,
    ),
    Planted(
        schema.triggers,
        BLOCK,
        "{db}/public.fired",
        before=FIRED,
        sql=trigger("INSERT INTO audit VALUES (NEW.id);"),
        mend=Mend.PLAIN_TRIGGER,
        says="audit",
    ),
    Planted(
        schema.event_triggers,
        WARN,
        "{db}/watch DDL",
        before=("CREATE FUNCTION told() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",),
        sql=('CREATE EVENT TRIGGER "watch DDL" ON ddl_command_end EXECUTE FUNCTION told()',),
    ),
    Planted(
        schema.partitions,
        WARN,
        "{db}/partitions",
        sql=("CREATE TABLE by_day (day date PRIMARY KEY) PARTITION BY RANGE (day)",),
        says="by_day",
    ),
    Planted(
        schema.upgrade_types,
        BLOCK,
        "{db}/public.calls",
        before=("CREATE TABLE calls (id int PRIMARY KEY, kind regclass)",),
        sql=("ALTER TABLE calls ADD done regproc[]",),
        says="done",
    ),
    Planted(
        schema.collations,
        WARN,
        "{db}",
        sql=("UPDATE pg_database SET datcollversion = '0.1' WHERE datname = current_database()",),
    ),
    Planted(
        schema.collations,
        WARN,
        "{db}/public.old",
        before=("CREATE COLLATION old (provider = libc, locale = 'C')",),
        sql=("UPDATE pg_collation SET collversion = '0.1' WHERE collname = 'old'",),
    ),
    Planted(
        schema.foreign_servers,
        WARN,
        "{db}/elsewhere",
        before=("CREATE FOREIGN DATA WRAPPER far",),
        sql=("CREATE SERVER elsewhere FOREIGN DATA WRAPPER far OPTIONS (host '10.0.0.5')",),
        says="10.0.0.5",
    ),
    Planted(
        schema.sequences,
        WARN,
        "orders",
        before=("CREATE SEQUENCE a", "CREATE SEQUENCE b"),
        sql=("CREATE SEQUENCE c",),
        patches=((schema, "_MANY_SEQUENCES", 3),),
    ),
    Planted(
        schema.sequence_bounds,
        WARN,
        '{db}/public.near "end"',
        before=(
            'CREATE SEQUENCE "near ""end""" AS smallint',
            "CREATE SEQUENCE round AS smallint CYCLE",
            "SELECT setval('round', 32000)",
        ),
        sql=('SELECT setval(\'"near ""end"""\', 32000)',),
        says="767 calls",
    ),
    Planted(
        schema.sequence_bounds,
        WARN,
        "{db}/public.down",
        before=("CREATE SEQUENCE down INCREMENT -10 MINVALUE -1000 MAXVALUE -1",),
        sql=("SELECT setval('down', -900)",),
        says="10 calls",
        note="downwards",
    ),
    # data
    Planted(data.acknowledged, BLOCK, "{db}/sequences", sql=("CREATE SEQUENCE s",)),
    Planted(
        data.acknowledged,
        BLOCK,
        "{db}/large_objects",
        sql=("SELECT lo_create(0)",),
        says="1 of postgres",
    ),
    Planted(
        data.acknowledged,
        BLOCK,
        "{db}/unlogged_tables",
        sql=("CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY)",),
        says="public.scratch",
    ),
    Planted(
        data.acknowledged,
        BLOCK,
        "{db}/materialized_views",
        sql=("CREATE MATERIALIZED VIEW v AS SELECT 1 AS one",),
        says="public.v",
    ),
    Planted(
        data.databases,
        BLOCK,
        "{db}",
        held=admin(
            "ALTER DATABASE {} ALLOW_CONNECTIONS false", "ALTER DATABASE {} ALLOW_CONNECTIONS true"
        ),
        says="datallowconn",
    ),
    Planted(
        data.databases,
        BLOCK,
        "{db}",
        held=invalid,
        says="cut short",
    ),
    # extensions
    Planted(
        extensions.named,
        BLOCK,
        "{db}/pglogical",
        sql=named_extension("pglogical"),
        mend=Mend.DROP_EXTENSION,
    ),
    Planted(extensions.named, WARN, "{db}/pg_cron", sql=named_extension("pg_cron")),
    Planted(
        extensions.owned_tables,
        WARN,
        "{db}/public.known",
        before=("CREATE TABLE known (id int PRIMARY KEY)",),
        sql=("ALTER EXTENSION plpgsql ADD TABLE known",),
    ),
    Planted(
        extensions.owned_tables,
        BLOCK,
        "{db}/public.loose",
        before=("CREATE TABLE loose (id int)",),
        sql=("ALTER EXTENSION plpgsql ADD TABLE loose",),
        mend=Mend.IDENTITY_FULL,
    ),
    Planted(
        extensions.pg_repack,
        BLOCK,
        "{db}/repack.log_16384",
        before=("CREATE SCHEMA repack", "CREATE TABLE repack.primary_keys (id int PRIMARY KEY)"),
        sql=("CREATE TABLE repack.log_16384 (id bigint PRIMARY KEY)",),
    ),
    Planted(
        extensions.pg_repack,
        BLOCK,
        "",
        held=session("postgres", "pg_repack"),
        mend=Mend.TERMINATE,
        says="at work",
    ),
    Planted(
        extensions.cron_jobs,
        WARN,
        "{db}/job 7",
        before=(
            "CREATE SCHEMA cron",
            "CREATE TABLE cron.job (jobid bigint PRIMARY KEY, schedule text, command text,"
            " database text, username text, active boolean)",
            "INSERT INTO cron.job VALUES (6, '@daily', 'SELECT 1', 'a', 'b', false)",
        ),
        sql=(
            "INSERT INTO cron.job VALUES"
            " (7, '@hourly', 'refresh  materialized view v', 'shop', 'app', true)",
        ),
        says="refreshes a materialized view",
    ),
    Planted(
        extensions.versions,
        WARN,
        "{db}/vector",
        before=("CREATE EXTENSION vector",),
        sql=("UPDATE pg_extension SET extversion = '0.1' WHERE extname = 'vector'",),
    ),
    # roles
    Planted(
        roles.connect,
        BLOCK,
        "{db}",
        held=admin(
            "REVOKE CONNECT ON DATABASE {} FROM PUBLIC", "GRANT CONNECT ON DATABASE {} TO PUBLIC"
        ),
        plan_before={"credentials": {"user": "limited"}},
        plan={"credentials": {"user": "limited"}},
    ),
    Planted(
        roles.application,
        BLOCK,
        "app_wrtier",
        plan={"traffic": {"application_roles": ["app_wrtier"]}},
    ),
    Planted(roles.unnamed, WARN, "limited", held=session("limited")),
    Planted(
        roles.read_only,
        WARN,
        "app_writer",
        held=admin(
            "ALTER ROLE app_writer IN DATABASE {} SET default_transaction_read_only = off",
            "ALTER ROLE app_writer IN DATABASE {} RESET default_transaction_read_only",
        ),
    ),
    # endpoints
    Planted(
        endpoints.commands,
        BLOCK,
        "traffic.stop_command",
        plan_before={
            "traffic": {"stop": "command", "stop_command": ["true"], "start_command": ["true"]}
        },
        plan={
            "traffic": {
                "stop": "command",
                "stop_command": ["/nowhere/stop-orders"],
                "start_command": ["true"],
            }
        },
        says="/nowhere/stop-orders",
    ),
    Planted(endpoints.route53, BLOCK, RECORD, plan=ROUTE53, says="no CNAME"),
    Planted(
        endpoints.route53,
        BLOCK,
        RECORD,
        held=leads("elsewhere.example.com"),
        plan=ROUTE53,
        says="elsewhere.example.com",
    ),
    Planted(endpoints.route53, WARN, RECORD, held=leads("127.0.0.1", 300), plan=ROUTE53),
    Planted(endpoints.proxy, WARN, "front", aws=proxied),
)
"""Not here, since several results belong to it or nothing is to be planted: `roles.master` and
`cluster.deletion-protection`, which tests/preflight/test_database.py and test_cluster.py prove."""

ELSEWHERE = {
    "roles.master": "tests/preflight/test_database.py::test_a_user_without_permissions",
    "cluster.another-run": "tests/preflight/test_others.py::"
    "test_a_mark_names_the_run_its_holder_and_the_way_to_take_it_off",
    "cluster.deletion-protection": "tests/preflight/test_cluster.py::"
    "test_deletion_protection_is_told",
}
"""Check -> the test that proves it."""
