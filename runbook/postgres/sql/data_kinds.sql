WITH relation AS (
    SELECT c.relkind, c.relpersistence, c.relispartition, n.nspname || '.' || c.relname AS name
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
    count(*) FILTER (WHERE relkind = 'p' AND NOT relispartition) AS partitioned_tables,
    ARRAY(
        SELECT extname FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql'
        ORDER BY extname COLLATE "C"
    ) AS extensions,
    -- Five of each are enough to know what they are.
    (array_agg(name ORDER BY name COLLATE "C")
        FILTER (WHERE relkind = 'r' AND relpersistence = 'u'))[1:5] AS unlogged_names,
    (array_agg(name ORDER BY name COLLATE "C") FILTER (WHERE relkind = 'm'))[1:5] AS view_names,
    ARRAY(
        SELECT format('%s of %s', count(*), pg_get_userbyid(lomowner))
        FROM pg_catalog.pg_largeobject_metadata
        GROUP BY lomowner
        ORDER BY count(*) DESC
        LIMIT 5
    ) AS large_object_owners
FROM relation
