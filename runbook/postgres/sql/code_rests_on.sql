-- Which objects the functions and views of clients rest on, as far as the catalogs tell: of a function,
-- the types of its arguments and of its result, and a body that was parsed when it was made. Kinds and
-- names are those of `database_objects.sql`; of a table or a type, those under which its owner is named.
WITH client_schema AS (
    SELECT n.*
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT LIKE 'rds\_%'
), object (classid, objid, kind, names) AS (
    SELECT 'pg_catalog.pg_class'::regclass, c.oid,
        CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'owner' END,
        CASE WHEN c.relkind IN ('r', 'p') THEN ARRAY['table'] ELSE '{}' END || ARRAY[n.nspname, c.relname]::text[]
    FROM pg_catalog.pg_class AS c JOIN client_schema AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm')
    UNION ALL
    SELECT 'pg_catalog.pg_type'::regclass, t.oid, 'owner', ARRAY['type', n.nspname, t.typname]::text[]
    FROM pg_catalog.pg_type AS t JOIN client_schema AS n ON n.oid = t.typnamespace
    WHERE t.typtype IN ('e', 'd', 'r', 'c')
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 'routine', ARRAY[n.nspname, p.proname, (
        SELECT coalesce(string_agg(format_type(t.oid, NULL), ', ' ORDER BY t.place), '')
        FROM unnest(p.proargtypes) WITH ORDINALITY AS t (oid, place)
    )]::text[]
    FROM pg_catalog.pg_proc AS p JOIN client_schema AS n ON n.oid = p.pronamespace
), named AS (
    -- A view rests on what its rule reads, and an array or a row on what it is of.
    SELECT 'pg_catalog.pg_class'::regclass AS classid, w.ev_class AS objid, d.refclassid, d.refobjid
    FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_rewrite AS w ON w.oid = d.objid
    WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass
    UNION
    SELECT d.classid, d.objid, d.refclassid, d.refobjid
    FROM pg_catalog.pg_depend AS d
    WHERE d.classid = 'pg_catalog.pg_proc'::regclass
), rests AS (
    SELECT n.classid, n.objid,
        CASE WHEN r.oid IS NULL THEN n.refclassid ELSE 'pg_catalog.pg_class'::regclass END AS refclassid,
        coalesce(r.oid, nullif(t.typelem, 0), n.refobjid) AS refobjid
    FROM named AS n
    LEFT JOIN pg_catalog.pg_type AS t ON n.refclassid = 'pg_catalog.pg_type'::regclass AND t.oid = n.refobjid
    LEFT JOIN pg_catalog.pg_type AS e ON e.oid = coalesce(nullif(t.typelem, 0), t.oid)
    LEFT JOIN pg_catalog.pg_class AS r ON r.oid = e.typrelid AND r.relkind <> 'c'
)
SELECT DISTINCT o.kind, o.names, b.kind AS on_kind, b.names AS on_names
FROM rests AS d
JOIN object AS o ON o.classid = d.classid AND o.objid = d.objid
JOIN object AS b ON b.classid = d.refclassid AND b.objid = d.refobjid
WHERE (o.classid, o.objid) <> (b.classid, b.objid)
