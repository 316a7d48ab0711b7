-- A backend reports its counts at its end at the latest, before it leaves pg_stat_activity; an idle
-- one may hold them back for ten seconds (PGSTAT_IDLE_INTERVAL).
-- Files: TRUNCATE and rewrites count no row, and give a table a new file; so does making a table.
-- Catalogs: DDL. Left out is what ANALYZE and the set-up of replication write. Shared catalogs (roles,
-- databases) are no data.
WITH counted AS (
    SELECT
        n.nspname = 'pg_catalog' AS is_catalog,
        c.relname IN ('pg_largeobject', 'pg_largeobject_metadata') AS is_large_object,
        c.oid,
        c.relfilenode,
        pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid)
        + pg_stat_get_tuples_deleted(c.oid) AS writes
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm')
      AND c.relpersistence <> 't'
      AND n.nspname NOT LIKE 'rds\_%'
      AND NOT c.relisshared
      AND c.oid <> ALL (ARRAY[
          'pg_catalog.pg_statistic', 'pg_catalog.pg_statistic_ext_data', 'pg_catalog.pg_depend',
          'pg_catalog.pg_publication', 'pg_catalog.pg_publication_rel',
          'pg_catalog.pg_publication_namespace',  -- since 15
          'pg_catalog.pg_subscription_rel'
      ]::regclass[])
)
SELECT
    current_database()::text AS database,
    coalesce(sum(writes) FILTER (WHERE NOT is_catalog), 0)::bigint AS user_tables,
    coalesce(sum(writes) FILTER (WHERE is_catalog AND NOT is_large_object), 0)::bigint AS catalogs,
    (SELECT stats_reset FROM pg_catalog.pg_stat_database WHERE datname = current_database())
        AS stats_reset,
    coalesce(sum(writes) FILTER (WHERE is_catalog AND is_large_object), 0)::bigint AS large_objects,
    coalesce(
        sum(hashint8extended(oid::bigint, relfilenode::bigint)) FILTER (WHERE NOT is_catalog), 0
    )::text AS files
FROM counted
