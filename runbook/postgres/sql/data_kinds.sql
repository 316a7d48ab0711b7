WITH relation AS (
    SELECT c.relkind, c.relpersistence
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname <> 'information_schema'
      AND n.nspname NOT LIKE 'pg\_%'
      AND n.nspname NOT LIKE 'rds\_%'
      AND c.relpersistence <> 't'
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend AS d
          WHERE d.classid = 'pg_catalog.pg_class'::regclass
            AND d.objid = c.oid
            AND d.deptype = 'e'
      )
)
SELECT
    count(*) FILTER (WHERE relkind = 'S') AS sequences,
    (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata) AS large_objects,
    count(*) FILTER (WHERE relkind = 'r' AND relpersistence = 'u') AS unlogged_tables,
    count(*) FILTER (WHERE relkind = 'm') AS materialized_views,
    count(*) FILTER (WHERE relkind = 'r' AND relpersistence = 'p') AS tables,
    count(*) FILTER (WHERE relkind = 'f') AS foreign_tables,
    ARRAY(
        SELECT extname FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql'
        ORDER BY extname COLLATE "C"
    ) AS extensions
FROM relation
