-- Apply compares rows with the default btree or hash operators of each column's type. An array has
-- them if its elements have, a range and a composite always have the class but not their parts; so
-- types are followed down to what they are made of.
WITH RECURSIVE full_column AS (
    SELECT c.oid AS relid, n.nspname, c.relname, a.attname, a.attnum, a.atttypid
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    WHERE c.relkind = 'r'
      AND c.relpersistence = 'p'
      AND c.relreplident = 'f'
      AND n.nspname <> 'information_schema'
      AND n.nspname NOT LIKE 'pg\_%'
      AND n.nspname NOT LIKE 'rds\_%'
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend AS d
          WHERE d.classid = 'pg_catalog.pg_class'::regclass
            AND d.objid = c.oid
            AND d.deptype = 'e'
      )
), part (root, typid) AS (
    SELECT DISTINCT atttypid, atttypid FROM full_column
    UNION
    SELECT part.root, inner_type.typid
    FROM part
    JOIN pg_catalog.pg_type AS t ON t.oid = part.typid
    CROSS JOIN LATERAL (
        SELECT t.typbasetype AS typid WHERE t.typtype = 'd'
        UNION ALL
        SELECT t.typelem
        WHERE t.typcategory = 'A' AND t.typelem <> 0
        UNION ALL
        SELECT r.rngsubtype FROM pg_catalog.pg_range AS r
        WHERE r.rngtypid = t.oid
            OR r.rngmultitypid = t.oid -- since 14
        UNION ALL
        SELECT a.atttypid FROM pg_catalog.pg_attribute AS a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ) AS inner_type
), unequal AS (
    SELECT DISTINCT part.root
    FROM part
    JOIN pg_catalog.pg_type AS t ON t.oid = part.typid
    WHERE t.typtype = 'b'
      AND t.typcategory <> 'A'
      AND NOT EXISTS (
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
    f.nspname AS schema,
    f.relname AS name,
    array_agg(f.attname ORDER BY f.attnum) AS columns,
    EXISTS (
        SELECT FROM pg_catalog.pg_index AS i
        WHERE i.indrelid = f.relid AND i.indisprimary AND i.indisvalid AND i.indimmediate
    ) AS keyed
FROM full_column AS f
JOIN unequal AS u ON u.root = f.atttypid
GROUP BY f.relid, f.nspname, f.relname
ORDER BY f.nspname COLLATE "C", f.relname COLLATE "C"
