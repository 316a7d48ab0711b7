-- Each with the materialized views that it reads from, be it through plain views.
WITH RECURSIVE reads (root, oid) AS (
    SELECT oid, oid FROM pg_catalog.pg_class WHERE relkind = 'm'
    UNION
    SELECT reads.root, d.refobjid
    FROM reads
    JOIN pg_catalog.pg_class AS c ON c.oid = reads.oid
    JOIN pg_catalog.pg_rewrite AS w ON w.ev_class = c.oid
    JOIN pg_catalog.pg_depend AS d
        ON d.classid = 'pg_catalog.pg_rewrite'::regclass
        AND d.objid = w.oid
        AND d.refclassid = 'pg_catalog.pg_class'::regclass
        AND d.refobjid <> c.oid
    WHERE c.oid = reads.root OR c.relkind = 'v'
)
SELECT
    n.nspname AS schema,
    c.relname AS name,
    c.oid::bigint AS oid,
    c.relispopulated AS populated,
    ARRAY(
        SELECT r.oid::bigint FROM reads AS r
        JOIN pg_catalog.pg_class AS m ON m.oid = r.oid AND m.relkind = 'm'
        WHERE r.root = c.oid AND r.oid <> c.oid
    ) AS reads_from
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'm'
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
