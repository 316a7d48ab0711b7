-- A publication leaves generated columns out (`publish_generated_columns`, from 18 on an option).
-- Where they are part of a row's identity, the subscriber cannot find the row; from 18 on UPDATE and
-- DELETE are refused on the publisher instead, with REPLICA IDENTITY FULL too.
WITH generated AS (
    SELECT attrelid, attnum, attname
    FROM pg_catalog.pg_attribute
    WHERE attgenerated <> '' AND attnum > 0 AND NOT attisdropped
), identity AS (
    SELECT c.oid, c.relreplident, n.nspname, c.relname
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r'
      AND c.relpersistence = 'p'
      AND n.nspname <> 'information_schema'
      AND n.nspname NOT LIKE 'pg\_%'
      AND c.oid IN (SELECT attrelid FROM generated)
)
SELECT
    t.nspname AS schema,
    t.relname AS name,
    t.relreplident = 'f' AS in_full,
    array_agg(g.attname ORDER BY g.attnum) AS columns
FROM identity AS t
JOIN generated AS g ON g.attrelid = t.oid
WHERE t.relreplident = 'f'
   OR EXISTS (
       SELECT FROM pg_catalog.pg_index AS i
       WHERE i.indrelid = t.oid
         AND i.indimmediate
         AND ((t.relreplident = 'd' AND i.indisprimary)
              OR (t.relreplident = 'i' AND i.indisreplident))
         AND g.attnum = ANY (i.indkey)
   )
GROUP BY t.oid, t.nspname, t.relname, t.relreplident
ORDER BY t.nspname COLLATE "C", t.relname COLLATE "C"
