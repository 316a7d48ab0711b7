"""What stands beside the tables: data, extensions, roles, and the ways to the cluster."""

from __future__ import annotations

from runbook.postgres.fix import FixKind
from runbook.preflight.checks import (
    database_roles,
    extensions,
    reachability,
    rights,
    unreplicated,
)
from tests.preflight.plants.planting import (
    BLOCK,
    RECORD,
    ROUTE53,
    WARN,
    Planted,
    admin,
    invalid,
    leads,
    named_extension,
    proxied,
    session,
    setting,
    without_encoding,
)

PLANTS: tuple[Planted, ...] = (
    Planted(unreplicated.acknowledged, BLOCK, "{db}/sequences", sql=("CREATE SEQUENCE s",)),
    Planted(
        unreplicated.acknowledged,
        BLOCK,
        "{db}/large_objects",
        sql=("SELECT lo_create(0)",),
        says="1 of postgres",
    ),
    Planted(
        unreplicated.acknowledged,
        BLOCK,
        "{db}/unlogged_tables",
        sql=("CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY)",),
        says="public.scratch",
    ),
    Planted(
        unreplicated.acknowledged,
        BLOCK,
        "{db}/materialized_views",
        sql=("CREATE MATERIALIZED VIEW v AS SELECT 1 AS one",),
        says="public.v",
    ),
    Planted(
        unreplicated.databases,
        BLOCK,
        "{db}",
        held=admin(
            "ALTER DATABASE {} ALLOW_CONNECTIONS false", "ALTER DATABASE {} ALLOW_CONNECTIONS true"
        ),
        says="datallowconn",
    ),
    Planted(
        unreplicated.databases,
        BLOCK,
        "{db}",
        held=invalid,
        says="cut short",
    ),
    Planted(unreplicated.encoding, WARN, "legacy", held=without_encoding(), says="SQL_ASCII"),
    Planted(
        unreplicated.encoding,
        BLOCK,
        "legacy",
        held=without_encoding(b'CREATE TABLE "stra\xdfe" (id int PRIMARY KEY)'),
        says="stra\\xdfe",
    ),
    Planted(
        extensions.named,
        BLOCK,
        "{db}/pglogical",
        sql=named_extension("pglogical"),
        kind=FixKind.DROP_EXTENSION,
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
        kind=FixKind.IDENTITY_FULL,
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
        kind=FixKind.TERMINATE,
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
    Planted(
        database_roles.connect,
        BLOCK,
        "{db}",
        held=admin(
            "REVOKE CONNECT ON DATABASE {} FROM PUBLIC", "GRANT CONNECT ON DATABASE {} TO PUBLIC"
        ),
        plan_before={"credentials": {"user": "limited"}},
        plan={"credentials": {"user": "limited"}},
    ),
    Planted(
        database_roles.connect,
        BLOCK,
        "{db}",
        held=admin(
            "REVOKE CONNECT ON DATABASE {0} FROM PUBLIC; GRANT CONNECT ON DATABASE {0} TO limited",
            "GRANT CONNECT ON DATABASE {0} TO PUBLIC; REVOKE CONNECT ON DATABASE {0} FROM limited",
        ),
        plan_before={"credentials": {"user": "limited"}},
        plan={"credentials": {"user": "limited"}},
        says="may not grant it",
    ),
    Planted(
        database_roles.application,
        BLOCK,
        "app_wrtier",
        plan={"traffic": {"application_roles": ["app_wrtier"]}},
    ),
    Planted(
        database_roles.apply,
        WARN,
        "{db}/run_as_owner",
        before=(
            "CREATE TABLE note (id int PRIMARY KEY, tenant text)",
            "ALTER TABLE note OWNER TO app_writer",
            "ALTER TABLE note ENABLE ROW LEVEL SECURITY",
        ),
        sql=("ALTER TABLE note FORCE ROW LEVEL SECURITY",),
        says="row-level security enabled",
    ),
    Planted(
        database_roles.apply,
        WARN,
        "{db}/run_as_owner",
        before=(
            'CREATE TABLE "Audit ""1""" (id int PRIMARY KEY)',
            'ALTER TABLE "Audit ""1""" OWNER TO app_writer',
        ),
        sql=('REVOKE UPDATE, DELETE, TRUNCATE ON "Audit ""1""" FROM app_writer',),
        says="app_writer lacks UPDATE, DELETE, TRUNCATE",
    ),
    Planted(
        database_roles.apply,
        BLOCK,
        "{db}/public.theirs",
        before=('ALTER TABLE "Kunde ""1""" OWNER TO limited',),
        sql=("CREATE TABLE theirs (id int PRIMARY KEY)",),
        plan_before={"credentials": {"user": "limited"}},
        plan={"credentials": {"user": "limited"}},
        says='role "limited" cannot SET ROLE to "postgres"',
    ),
    Planted(
        rights.maintain,
        WARN,
        "{db}/app_writer",
        before=('ALTER TABLE "Kunde ""1""" OWNER TO limited',),
        sql=(
            "GRANT app_writer TO limited WITH ADMIN TRUE, INHERIT FALSE, SET FALSE",
            "CREATE MATERIALIZED VIEW v AS SELECT 1",
            "ALTER MATERIALIZED VIEW v OWNER TO app_writer",
        ),
        held=admin("SELECT 1 AS {}", "REVOKE app_writer FROM limited; SELECT 1 AS {}"),
        plan_before={"credentials": {"user": "limited"}},
        plan={"credentials": {"user": "limited"}},
        kind=FixKind.JOIN_ROLE,
        says="a rollback would not refresh 1: public.v",
    ),
    Planted(
        rights.row_security,
        WARN,
        "{db}/public.note",
        before=(
            "CREATE TABLE note (id int PRIMARY KEY)",
            "ALTER TABLE note OWNER TO app_writer",
        ),
        sql=("ALTER TABLE note ENABLE ROW LEVEL SECURITY",),
        plan_before={"credentials": {"user": "limited"}},
        plan={"credentials": {"user": "limited"}},
        says="may keep rows from",
    ),
    Planted(database_roles.unnamed, WARN, "limited", held=session("limited")),
    Planted(
        database_roles.read_only,
        WARN,
        "app_writer",
        held=admin(
            "ALTER ROLE app_writer IN DATABASE {} SET default_transaction_read_only = off",
            "ALTER ROLE app_writer IN DATABASE {} RESET default_transaction_read_only",
        ),
    ),
    Planted(
        reachability.commands,
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
    Planted(reachability.route53, BLOCK, RECORD, plan=ROUTE53, says="no CNAME"),
    Planted(
        reachability.route53,
        BLOCK,
        RECORD,
        held=leads("elsewhere.example.com"),
        plan=ROUTE53,
        says="elsewhere.example.com",
    ),
    Planted(reachability.route53, WARN, RECORD, held=leads("", 300), plan=ROUTE53),
    Planted(
        reachability.certificate,
        WARN,
        "orders",
        plan={"credentials": {"sslmode": "verify-full"}, "connection": {"former_names": False}},
        says="former_names false",
    ),
    Planted(
        reachability.iam,
        WARN,
        "orders/1 known",
        held=admin(
            "CREATE ROLE rds_iam; GRANT rds_iam TO app_writer; COMMENT ON DATABASE {} IS 'iam'",
            "COMMENT ON DATABASE {} IS NULL; DROP ROLE rds_iam",
        ),
        says="app_writer may log in with IAM tokens",
    ),
    Planted(reachability.data_api, WARN, "orders", aws=setting("HttpEndpointEnabled", True)),
    Planted(reachability.proxy, WARN, "front", aws=proxied),
)
