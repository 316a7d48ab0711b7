-- Changes whenever a row of these catalogs has come, gone or changed, like `schema_stamp.sql`.
WITH part (number, rows, ids) AS (
    SELECT 1, count(*), sum(xmin::text::bigint)
    FROM pg_catalog.pg_class WHERE relpersistence <> 't' AND relkind IN ('r', 'p', 'v', 'm', 'S', 'i', 'I', 'f')
    UNION ALL SELECT 2, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_proc
    UNION ALL SELECT 3, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_rewrite
    UNION ALL SELECT 4, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_trigger
    UNION ALL SELECT 5, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_policy
    UNION ALL SELECT 6, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_index
    UNION ALL SELECT 7, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_default_acl
    UNION ALL SELECT 8, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_namespace
        WHERE nspname NOT LIKE 'pg\_%temp\_%'
    UNION ALL SELECT 9, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_attribute WHERE attacl IS NOT NULL
    UNION ALL SELECT 10, count(*), sum(xmin::text::bigint)
        FROM pg_catalog.pg_type WHERE typtype IN ('e', 'd', 'r') OR typacl IS NOT NULL
    UNION ALL SELECT 11, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_event_trigger
    UNION ALL SELECT 12, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_statistic_ext
    UNION ALL SELECT 13, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_operator
    UNION ALL SELECT 14, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_cast
    UNION ALL SELECT 15, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_extension
    UNION ALL SELECT 16, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_foreign_server
    UNION ALL SELECT 17, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_language
    UNION ALL SELECT 18, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_foreign_data_wrapper
    UNION ALL SELECT 19, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_opclass
    UNION ALL SELECT 20, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_collation
    UNION ALL SELECT 21, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_ts_config
    UNION ALL SELECT 22, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_ts_dict
    -- Roles are shared: one that is renamed changes who owns and who was granted what.
    UNION ALL SELECT 23, count(*), sum(hashtext(rolname)) FROM pg_catalog.pg_roles
)
SELECT string_agg(format('%s %s', rows, coalesce(ids, 0)), '; ' ORDER BY number) FROM part
