-- Tables whose rows are told apart by all their columns. Apply then looks for each updated or deleted
-- row by the primary key if there is one, from 16 on by another btree index, else in the whole table.
SELECT
    n.nspname AS schema,
    c.relname AS name,
    -- Never counted is not empty: before 14 both are 0.
    CASE
        WHEN c.reltuples > 0 THEN c.reltuples::bigint
        WHEN pg_stat_get_live_tuples(c.oid) > 0 THEN pg_stat_get_live_tuples(c.oid)
        WHEN c.reltuples = 0 AND c.relpages > 0 THEN 0 -- before 14
        WHEN c.reltuples = 0 THEN 0 -- since 14
    END AS rows,
    nullif(c.relpages, 0)::bigint * current_setting('block_size')::int AS size_bytes,
    coalesce(
        pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid), 0
    )::bigint AS writes,
    EXISTS (
        SELECT FROM pg_catalog.pg_index AS i
        JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
        JOIN pg_catalog.pg_am AS m ON m.oid = x.relam
        WHERE i.indrelid = c.oid AND i.indisvalid AND m.amname = 'btree'
          AND i.indpred IS NULL AND i.indkey[0] <> 0
    ) AS indexed
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r'
  AND c.relpersistence = 'p'
  AND c.relreplident = 'f'
  AND n.nspname <> 'information_schema'
  AND n.nspname NOT LIKE 'pg\_%'
  AND n.nspname NOT LIKE 'rds\_%'
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_index AS i
      WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate
  )
ORDER BY rows DESC, n.nspname COLLATE "C", c.relname COLLATE "C"
