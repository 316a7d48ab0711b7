-- `rds_superuser` and `rds_replication` exist on Aurora alone.
WITH me AS (
    SELECT
        r.*,
        r.rolsuper OR EXISTS (
            SELECT FROM pg_catalog.pg_roles AS g
            WHERE g.rolname = 'rds_superuser' AND pg_has_role(r.oid, g.oid, 'USAGE')
        ) AS great,
        r.rolreplication OR r.rolsuper OR EXISTS (
            SELECT FROM pg_catalog.pg_roles AS g
            WHERE g.rolname = 'rds_replication' AND pg_has_role(r.oid, g.oid, 'USAGE')
        ) AS replicates
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolname = current_user
), relation AS (
    SELECT c.oid, c.relkind, c.relowner, n.nspname, n.nspname || '.' || c.relname AS name
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'S')
      AND c.relpersistence = 'p'
      AND n.nspname <> 'information_schema'
      AND n.nspname NOT LIKE 'pg\_%'
), unreadable AS MATERIALIZED (
    SELECT name FROM relation WHERE relkind = 'r' AND NOT has_table_privilege(oid, 'SELECT')
), unsettable AS MATERIALIZED (
    SELECT nspname, pg_get_userbyid(relowner)::text AS owner FROM relation
    WHERE relkind = 'S'
      AND NOT (has_sequence_privilege(oid, 'SELECT') AND has_sequence_privilege(oid, 'UPDATE'))
)
SELECT
    current_user::text AS user,
    me.rolsuper AS superuser,
    me.rolcreaterole OR me.rolsuper AS createrole,
    me.replicates AS replication,
    has_database_privilege(current_database(), 'CREATE') AS create_in_database,
    (
        SELECT pg_has_role(d.datdba, 'USAGE')
            OR pg_has_role(d.datdba, 'SET') -- since 16
            OR pg_has_role(d.datdba, 'MEMBER') -- before 16
        FROM pg_catalog.pg_database AS d
        WHERE d.datname = current_database()
    ) AS own_database,
    me.great AS publish_all_tables,
    me.great
        OR pg_has_role('pg_create_subscription', 'USAGE')  -- since 16
        AS create_subscription,
    me.great OR pg_has_role('pg_signal_backend', 'USAGE') AS signal_backends,
    me.great OR pg_has_role('pg_read_all_stats', 'USAGE') AS monitor,
    has_function_privilege('pg_logical_emit_message(boolean, text, text)', 'EXECUTE') -- before 17
    has_function_privilege('pg_logical_emit_message(boolean, text, text, boolean)', 'EXECUTE') -- since 17
        AS emit_message,
    (SELECT count(*) FROM unreadable) AS unreadable_tables,
    ARRAY(SELECT name FROM unreadable ORDER BY name COLLATE "C" LIMIT 5) AS unreadable_names,
    ARRAY(SELECT DISTINCT owner FROM unsettable ORDER BY 1) AS unsettable_owners,
    ARRAY(SELECT count(*) FROM unsettable GROUP BY owner ORDER BY owner) AS unsettable_sequences,
    ARRAY(SELECT DISTINCT nspname FROM unsettable ORDER BY 1) AS unsettable_schemas,
    current_setting('server_version_num')::int / 10000 AS major
FROM me
