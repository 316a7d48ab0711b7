-- Takes what was committed since the last call, of transactions that replication did not bring, and
-- says the tables and how many rows; never the rows themselves. The messages are those of the
-- logical replication protocol, version 1: I, U and D begin with the table's oid, T with a count, the
-- options and the oids, O says the origin, M is a logical message: ours marks what blueprime does
-- itself. From 16 on what has an origin is not even decoded.
WITH change AS MATERIALIZED (
    SELECT xid::text AS xid, data, chr(get_byte(data, 0)) AS kind
    FROM pg_logical_slot_get_binary_changes(
        %(slot)s, NULL, NULL, 'proto_version', '1', 'publication_names', %(publication)s
        , 'messages', 'true'  -- since 14
        , 'origin', 'none'  -- since 16
    )
), known AS (
    SELECT DISTINCT xid
    FROM change
    WHERE kind = 'O'
       OR kind = 'M' AND substring(data FROM 11 FOR 10) = '\x626c75657072696d6500'::bytea
), touched AS (
    SELECT
        kind,
        (get_byte(data, at) * 16777216::bigint + get_byte(data, at + 1) * 65536
         + get_byte(data, at + 2) * 256 + get_byte(data, at + 3)) AS oid
    FROM change
    CROSS JOIN LATERAL generate_series(
        CASE kind WHEN 'T' THEN 6 ELSE 1 END,
        CASE kind WHEN 'T' THEN length(data) - 4 ELSE 1 END,
        4
    ) AS at
    WHERE kind IN ('I', 'U', 'D', 'T')
      AND NOT EXISTS (SELECT FROM known WHERE known.xid = change.xid)
)
SELECT
    coalesce(n.nspname, '')::text AS schema,
    coalesce(c.relname, '')::text AS table,
    count(*) FILTER (WHERE kind = 'I') AS inserted,
    count(*) FILTER (WHERE kind = 'U') AS updated,
    count(*) FILTER (WHERE kind = 'D') AS deleted,
    count(*) FILTER (WHERE kind = 'T') AS truncated
FROM touched AS t
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.oid
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
GROUP BY 1, 2
ORDER BY 1, 2
