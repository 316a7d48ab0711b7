-- 'd' is the primary key, so a table without one has none, and so has one whose key is checked at
-- commit (DEFERRABLE), which PostgreSQL takes for no identity; 'i' is an index, which may have been
-- dropped (the letter stays) or be invalid.
WITH comparable AS MATERIALIZED (
    SELECT t.oid
    FROM pg_catalog.pg_type AS t
    WHERE t.typtype = 'e' OR EXISTS (
        SELECT FROM pg_catalog.pg_opclass AS o
        JOIN pg_catalog.pg_am AS am ON am.oid = o.opcmethod AND am.amname IN ('btree', 'hash')
        WHERE o.opcdefault
          AND (o.opcintype = t.oid
               OR EXISTS (
                   SELECT FROM pg_catalog.pg_cast AS k
                   WHERE k.castsource = t.oid AND k.casttarget = o.opcintype
                     AND k.castmethod = 'b' AND k.castcontext = 'i'
               ))
    )
)
SELECT
    n.nspname AS schema,
    c.relname AS name,
    c.relreplident::text AS replica_identity,
    CASE c.relreplident
        WHEN 'd' THEN CASE
            WHEN k.relid IS NULL THEN 'it has no primary key'
            WHEN k.deferrable THEN 'its primary key is DEFERRABLE, which is no replica identity'
            ELSE 'the index of its primary key is invalid'
        END
        WHEN 'n' THEN 'its REPLICA IDENTITY is NOTHING'
        ELSE 'the index of its REPLICA IDENTITY is gone or invalid'
    END AS reason,
    k.relid IS NOT NULL AND k.deferrable AS deferrable,
    -- Not pg_table_size, which waits for whoever holds the table. No page and no row: nobody has
    -- counted yet.
    nullif(c.relpages, 0)::bigint * current_setting('block_size')::int AS size_bytes,
    -- Never counted is not empty: before 14 both are 0.
    CASE
        WHEN c.reltuples > 0 THEN c.reltuples::bigint
        WHEN pg_stat_get_live_tuples(c.oid) > 0 THEN pg_stat_get_live_tuples(c.oid)
        WHEN c.reltuples = 0 AND c.relpages > 0 THEN 0 -- before 14
        WHEN c.reltuples = 0 THEN 0 -- since 14
    END AS rows,
    coalesce(
        pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid), 0
    )::bigint AS writes,
    (
        SELECT ic.relname
        FROM pg_catalog.pg_index AS x
        JOIN pg_catalog.pg_class AS ic ON ic.oid = x.indexrelid
        WHERE x.indrelid = c.oid
          AND x.indisunique
          AND x.indisvalid
          AND x.indimmediate
          AND x.indpred IS NULL
          AND x.indexprs IS NULL
          AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_attribute AS a
              WHERE a.attrelid = c.oid
                AND a.attnum = ANY ((x.indkey::int2[])[0:x.indnkeyatts - 1])
                AND (NOT a.attnotnull OR a.attgenerated <> '')
          )
        ORDER BY ic.relname COLLATE "C"
        LIMIT 1
    ) AS index,
    -- A first look: a range or a composite counts as no.
    NOT EXISTS (
        SELECT FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = c.oid
          AND a.attnum > 0
          AND NOT a.attisdropped
          AND (a.attgenerated <> '' OR CASE
              WHEN t.typtype = 'd' THEN t.typbasetype
              WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem
              ELSE t.oid
          END NOT IN (SELECT oid FROM comparable))
    ) AS full_possible
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN (
    SELECT indrelid AS relid, NOT indimmediate AS deferrable
    FROM pg_catalog.pg_index
    WHERE indisprimary
) AS k ON k.relid = c.oid
WHERE c.relkind = 'r'
  AND c.relpersistence = 'p'
  AND n.nspname <> 'information_schema'
  AND n.nspname NOT LIKE 'pg\_%'
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS d
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
  )
  AND c.relreplident <> 'f'
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_index AS i
      WHERE i.indrelid = c.oid
        AND i.indisvalid
        AND i.indimmediate
        AND ((c.relreplident = 'd' AND i.indisprimary)
             OR (c.relreplident = 'i' AND i.indisreplident))
  )
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
