-- What pg_upgrade refuses: types whose values are object identifiers that the upgrade does not keep,
-- aclitem, whose form changed with 16, and rows of the system's own tables and views, which change
-- with each major. Arrays, domains, ranges and composites of them count as well.
WITH RECURSIVE wraps (outside, inside) AS MATERIALIZED (
    SELECT oid, CASE typtype WHEN 'd' THEN typbasetype ELSE typelem END
    FROM pg_catalog.pg_type
    WHERE typtype = 'd' OR typcategory = 'A'
    UNION ALL
    SELECT rngtypid, rngsubtype FROM pg_catalog.pg_range
    UNION ALL
    SELECT c.reltype, a.atttypid
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.reltype <> 0 AND c.oid >= 16384
), refused (oid, name) AS (
    SELECT t.oid, t.typname
    FROM pg_catalog.pg_type AS t
    WHERE t.typnamespace = 'pg_catalog'::regnamespace
      AND t.typname = ANY (ARRAY[
          'regcollation', 'regconfig', 'regdictionary', 'regnamespace', 'regoper', 'regoperator',
          'aclitem',  -- before 16
          'regproc', 'regprocedure'
      ])
    UNION
    SELECT t.oid, t.typname
    FROM pg_catalog.pg_type AS t
    WHERE t.typtype = 'c'
      AND (t.oid < 16384 OR t.typnamespace = 'information_schema'::regnamespace)
    UNION
    SELECT w.outside, r.name
    FROM refused AS r
    JOIN wraps AS w ON w.inside = r.oid
)
SELECT n.nspname AS schema, c.relname AS name, a.attname AS column, min(r.name) AS type
FROM refused AS r
JOIN pg_catalog.pg_attribute AS a
    ON a.atttypid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'm', 'i')
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\_%'
GROUP BY n.nspname, c.relname, a.attname
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", a.attname COLLATE "C"
