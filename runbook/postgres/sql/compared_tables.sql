-- What FOR ALL TABLES covers, as in published_tables, with what hashing its rows needs to know:
-- each column's type (a domain's is what it is made over) and that type's output function, and the
-- columns of its key (the primary key's, else the replica identity's). Asking for a table's size
-- waits for whoever holds it exclusively: there what the statistics say must do.
WITH RECURSIVE plain (type, base) AS (
    SELECT oid, oid FROM pg_catalog.pg_type WHERE typtype <> 'd'
    UNION ALL
    SELECT d.oid, p.base
    FROM plain AS p
    JOIN pg_catalog.pg_type AS d ON d.typbasetype = p.type AND d.typtype = 'd'
), covered AS MATERIALIZED (
    SELECT c.oid, n.oid AS schema_oid, n.nspname, c.relname, c.relpages
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r'
      AND c.relpersistence = 'p'
      AND n.nspname <> 'information_schema'
      AND n.nspname NOT LIKE 'pg\_%'
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend AS d
          WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
            AND d.deptype = 'e'
      )
), attributes AS (
    SELECT
        a.attrelid,
        array_agg(a.attname ORDER BY a.attname COLLATE "C") AS columns,
        array_agg(tn.nspname || '.' || t.typname ORDER BY a.attname COLLATE "C") AS types,
        array_agg(pn.nspname ORDER BY a.attname COLLATE "C") AS output_schemas,
        -- Some types lend another one's function, which then does not take them.
        array_agg(
            CASE
                WHEN p.proargtypes[0] = t.oid OR x.typtype = 'p' THEN p.proname::text
                ELSE ''
            END
            ORDER BY a.attname COLLATE "C"
        ) AS outputs
    FROM covered AS c
    JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN plain ON plain.type = a.atttypid
    JOIN pg_catalog.pg_type AS t ON t.oid = plain.base
    JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.typnamespace
    JOIN pg_catalog.pg_proc AS p ON p.oid = t.typoutput
    JOIN pg_catalog.pg_type AS x ON x.oid = p.proargtypes[0]
    JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.pronamespace
    GROUP BY a.attrelid
), keys AS (
    SELECT DISTINCT ON (i.indrelid)
        i.indrelid,
        ARRAY(
            SELECT a.attname
            FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
            JOIN pg_catalog.pg_attribute AS a
                ON a.attrelid = i.indrelid AND a.attnum = k.attnum
            WHERE k.place <= i.indnkeyatts
            ORDER BY k.place
        ) AS key
    FROM covered AS c
    JOIN pg_catalog.pg_index AS i ON i.indrelid = c.oid
    WHERE i.indisvalid AND (i.indisprimary OR i.indisreplident)
    ORDER BY i.indrelid, i.indisprimary DESC
), held AS MATERIALIZED (
    SELECT DISTINCT relation
    FROM pg_catalog.pg_locks
    WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' AND granted
      AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
)
SELECT
    c.nspname AS schema,
    c.relname AS name,
    coalesce(a.columns, '{}')::text[] AS columns,
    coalesce(a.types, '{}')::text[] AS types,
    coalesce(a.output_schemas, '{}')::text[] AS output_schemas,
    coalesce(a.outputs, '{}')::text[] AS outputs,
    coalesce(k.key, '{}')::text[] AS key,
    CASE
        WHEN h.relation IS NULL THEN coalesce(pg_table_size(c.oid), 0)
        ELSE greatest(c.relpages, 0)::bigint * current_setting('block_size')::int
    END AS size_bytes,
    CASE
        WHEN h.relation IS NULL
            THEN coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::int
        ELSE greatest(c.relpages, 0)
    END AS blocks,
    CASE
        WHEN NOT has_schema_privilege(c.schema_oid, 'USAGE')
            OR NOT has_table_privilege(c.oid, 'SELECT')
            THEN format('%I may not read it', current_user)
        WHEN row_security_active(c.oid)
            THEN format('row-level security keeps rows of it from %%I', current_user)
        ELSE ''
    END AS unread
FROM covered AS c
LEFT JOIN attributes AS a ON a.attrelid = c.oid
LEFT JOIN keys AS k ON k.indrelid = c.oid
LEFT JOIN held AS h ON h.relation = c.oid
ORDER BY size_bytes, c.nspname COLLATE "C", c.relname COLLATE "C"
