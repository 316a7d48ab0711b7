-- The columns of a table's key (the primary key's, else the replica identity's), with what it takes
-- to look a row up by it: the type and the operator that the index knows as equality.
WITH chosen AS (
    SELECT i.*
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = %(table)s
      AND i.indisvalid AND (i.indisprimary OR i.indisreplident)
    ORDER BY i.indisprimary DESC
    LIMIT 1
)
SELECT
    a.attname AS name,
    format_type(a.atttypid, -1) AS type,
    n.nspname AS operator_schema,
    o.oprname AS operator
FROM chosen AS i
CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[])
    WITH ORDINALITY AS k (attnum, opclass, place)
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
JOIN pg_catalog.pg_opclass AS c ON c.oid = k.opclass
JOIN pg_catalog.pg_amop AS m
    ON m.amopfamily = c.opcfamily AND m.amopstrategy = 3
   AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype
JOIN pg_catalog.pg_operator AS o ON o.oid = m.amopopr
JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace
WHERE k.place <= i.indnkeyatts
ORDER BY k.place
