-- The columns whose values come from a sequence: those that own it, and those whose default is it.
SELECT
    sn.nspname AS sequence_schema,
    sc.relname AS sequence,
    tn.nspname AS schema,
    tc.relname AS relation,
    a.attname AS column
FROM (
    SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS number
    FROM pg_catalog.pg_depend AS d
    WHERE d.classid = 'pg_catalog.pg_class'::regclass
      AND d.refclassid = 'pg_catalog.pg_class'::regclass
      AND d.refobjsubid > 0
      AND d.deptype IN ('a', 'i')
    UNION
    SELECT d.refobjid, x.adrelid, x.adnum
    FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_attrdef AS x ON x.oid = d.objid
    WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass
      AND d.refclassid = 'pg_catalog.pg_class'::regclass
) AS found
JOIN pg_catalog.pg_class AS sc ON sc.oid = found.sequence AND sc.relkind = 'S'
JOIN pg_catalog.pg_namespace AS sn ON sn.oid = sc.relnamespace
JOIN pg_catalog.pg_class AS tc
    ON tc.oid = found.relation AND tc.relkind IN ('r', 'p') AND tc.relpersistence <> 't'
JOIN pg_catalog.pg_namespace AS tn ON tn.oid = tc.relnamespace
JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid = tc.oid AND a.attnum = found.number
    AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
ORDER BY 1, 2, 3, 4, 5
