-- One ordinary table or partition: its columns, and those that tell its rows apart for replication
-- (the primary key, or the index chosen as identity). Only keys of built-in types can be looked up
-- by our sessions, whose search_path is pg_catalog.
SELECT
    c.oid::bigint AS oid,
    ARRAY(
        SELECT a.attname FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attname COLLATE "C"
    ) AS columns,
    ARRAY(
        SELECT a.attname FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        ORDER BY a.attname COLLATE "C"
    ) AS stored,
    ARRAY(
        SELECT a.attname
        FROM pg_catalog.pg_index AS i
        JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
        WHERE i.indrelid = c.oid
          AND (c.relreplident = 'i' AND i.indisreplident OR c.relreplident = 'd' AND i.indisprimary)
          AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_attribute AS k
              JOIN pg_catalog.pg_type AS t ON t.oid = k.atttypid
              WHERE k.attrelid = c.oid AND k.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
                AND t.typnamespace <> 'pg_catalog'::regnamespace
          )
        ORDER BY a.attname COLLATE "C"
    ) AS key,
    greatest(c.reltuples, 0)::bigint AS rows,
    pg_catalog.pg_table_size(c.oid) AS size_bytes
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND c.relkind = 'r'
