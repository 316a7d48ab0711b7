-- Changes whenever a row of these catalogs has come, gone or changed, and costs a scan of them and no
-- more. Every version of a row bears the id of the transaction that made it, and a newer one a larger
-- id: so where as many rows add up to the same, none was replaced (until ids wrap around, which is
-- billions of transactions). ANALYZE and VACUUM change rows in place and stay out of it; what
-- belongs to temporary tables is left out, since sessions make and drop those all the time.
WITH fleeting AS MATERIALIZED (
    SELECT oid FROM pg_catalog.pg_class WHERE relpersistence = 't'
), passing AS MATERIALIZED (
    SELECT oid FROM pg_catalog.pg_namespace WHERE nspname LIKE 'pg\_%temp\_%'
), part (number, rows, ids) AS (
    SELECT 1, count(*), sum(xmin::text::bigint)
    FROM pg_catalog.pg_class WHERE relpersistence <> 't' AND relkind IN ('r', 'p', 'S', 'i', 'I', 'c')
    UNION ALL
    SELECT 2, count(*), sum(xmin::text::bigint)
    FROM pg_catalog.pg_attribute WHERE attnum > 0 AND attrelid NOT IN (SELECT oid FROM fleeting)
    UNION ALL
    SELECT 3, count(*), sum(xmin::text::bigint)
    FROM pg_catalog.pg_constraint WHERE conrelid NOT IN (SELECT oid FROM fleeting)
    UNION ALL
    SELECT 4, count(*), sum(xmin::text::bigint)
    FROM pg_catalog.pg_index WHERE indrelid NOT IN (SELECT oid FROM fleeting)
    UNION ALL
    SELECT 5, count(*), sum(xmin::text::bigint)
    FROM pg_catalog.pg_attrdef WHERE adrelid NOT IN (SELECT oid FROM fleeting)
    UNION ALL
    SELECT 6, count(*), sum(xmin::text::bigint)
    FROM pg_catalog.pg_sequence WHERE seqrelid NOT IN (SELECT oid FROM fleeting)
    UNION ALL
    SELECT 7, count(*), sum(xmin::text::bigint)
    FROM pg_catalog.pg_trigger WHERE tgrelid NOT IN (SELECT oid FROM fleeting)
    UNION ALL
    SELECT 8, count(*), sum(xmin::text::bigint)
    FROM pg_catalog.pg_inherits WHERE inhrelid NOT IN (SELECT oid FROM fleeting)
    UNION ALL
    SELECT 9, count(*), sum(xmin::text::bigint)
    FROM pg_catalog.pg_type WHERE typnamespace NOT IN (SELECT oid FROM passing)
    UNION ALL
    SELECT 10, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_enum
    UNION ALL
    SELECT 11, count(*), sum(xmin::text::bigint)
    FROM pg_catalog.pg_namespace WHERE oid NOT IN (SELECT oid FROM passing)
    UNION ALL
    SELECT 12, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_extension
    UNION ALL
    -- What belongs to an extension is left out of what is compared.
    SELECT 13, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_depend WHERE deptype = 'e'
    UNION ALL
    -- Expressions name what they use.
    SELECT 14, count(*), sum(xmin::text::bigint)
    FROM pg_catalog.pg_proc WHERE pronamespace NOT IN (SELECT oid FROM passing)
    UNION ALL
    SELECT 15, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_operator
    UNION ALL
    SELECT 16, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_collation
    UNION ALL
    SELECT 17, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_publication
    UNION ALL
    SELECT 18, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_publication_rel
    UNION ALL -- since 15
    SELECT 19, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_publication_namespace -- since 15
    UNION ALL
    SELECT 20, count(*), sum(xmin::text::bigint) FROM pg_catalog.pg_subscription_rel
    UNION ALL
    -- Of subscriptions only these columns are for everybody to read.
    SELECT 21, count(*), sum(hashtext(format('%s %s', oid, subname)))  -- since 14
    SELECT 21, count(*), sum(hashtext(format('%s %s', subdbid, subname)))  -- before 14
    FROM pg_catalog.pg_subscription
)
SELECT string_agg(format('%s %s', rows, coalesce(ids, 0)), '; ' ORDER BY number) FROM part
