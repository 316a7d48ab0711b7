-- Whether a table has statistics is told by `pg_stats`, which shows those of tables that the user may
-- read, and by whether ANALYZE has come to its end there: a table whose rows are all deleted, or
-- that has no columns, gets none. A partitioned table has statistics of its own, which autovacuum
-- never makes. `untried`: ANALYZE calls functions there, of
-- an index or of extended statistics, and has not been seen to succeed on this server: what a major
-- upgrade carried over does not tell that the functions still work.
SELECT
    n.nspname AS schema,
    c.relname AS name,
    pg_table_size(c.oid) AS size_bytes,
    c.relkind <> 'p' AND pg_relation_size(c.oid) > 0 AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_stats AS s
        WHERE s.schemaname = n.nspname AND s.tablename = c.relname
    ) AND analyzed_at IS NULL AS unanalyzed,
    analyzed_at IS NULL AND (
        EXISTS (
            SELECT FROM pg_catalog.pg_index AS i
            WHERE i.indrelid = c.oid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
        )
        OR EXISTS (SELECT FROM pg_catalog.pg_statistic_ext AS e WHERE e.stxrelid = c.oid)
    ) AS untried
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL coalesce(
    pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)
) AS analyzed_at
WHERE c.relkind IN ('r', 'm', 'p')
  AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema'
  AND n.nspname NOT LIKE 'pg\_%'
  AND n.nspname NOT LIKE 'rds\_%'
ORDER BY size_bytes DESC, n.nspname COLLATE "C", c.relname COLLATE "C"
