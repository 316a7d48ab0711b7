-- What `database_objects.sql` reads beside the catalogs of `schema_stamp.sql`: it changes likewise.
WITH part (number, rows, ids) AS (
    SELECT 1, count(*), sum(xmin::text::bigint)
    FROM pg_catalog.pg_class WHERE relpersistence <> 't' AND relkind IN ('v', 'm', 'f')
    UNION ALL SELECT 2, count(*), sum(xmin::text::bigint)
    FROM pg_catalog.pg_rewrite AS w
    WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = w.ev_class AND c.relpersistence = 't'
    )
    UNION ALL SELECT 3, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_policy
    UNION ALL SELECT 4, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_default_acl
    UNION ALL SELECT 5, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_event_trigger
    UNION ALL SELECT 6, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_statistic_ext
    UNION ALL SELECT 7, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_cast
    UNION ALL SELECT 8, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_foreign_server
    UNION ALL SELECT 9, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_foreign_data_wrapper
    -- The mappings themselves may hold passwords, and are for superusers to read.
    UNION ALL SELECT 10, count(*), sum(umid::bigint) FROM pg_catalog.pg_user_mappings
    UNION ALL SELECT 11, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_language
    UNION ALL SELECT 12, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_opclass
    UNION ALL SELECT 13, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_ts_config
    UNION ALL SELECT 14, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_ts_dict
    -- Roles are shared: one that is renamed changes who owns and who was granted what.
    UNION ALL SELECT 15, count(*), sum(hashtext(rolname)) FROM pg_catalog.pg_roles
)
SELECT string_agg(format('%s %s', rows, coalesce(ids, 0)), '; ' ORDER BY number) FROM part
