-- What pg_upgrade refuses, or what the schema's restore on the new server fails at, each with the
-- major from which it is so (pg_upgrade's check.c, and what each major took out of its catalogs).
WITH relation AS (
    SELECT a.attrelid AS oid, x.relation, x.attribute, x.since
    FROM unnest(%(relations)s::text[], %(columns)s::text[], %(column_since)s::int[])
        AS x (relation, attribute, since)
    JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = to_regclass(x.relation) AND a.attname = x.attribute
), function AS (
    SELECT p.oid, x.name, x.since
    FROM unnest(%(functions)s::text[], %(function_since)s::int[]) AS x (name, since)
    JOIN pg_catalog.pg_proc AS p
        ON p.proname = x.name AND p.pronamespace = 'pg_catalog'::regnamespace
), viewed AS MATERIALIZED (
    SELECT c.oid, n.nspname, c.relname, r.ev_action::text AS tree
    FROM pg_catalog.pg_rewrite AS r
    JOIN pg_catalog.pg_class AS c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm')
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname NOT LIKE 'pg\_%%' AND n.nspname <> 'information_schema'
), over AS MATERIALIZED (
    SELECT v.oid, v.nspname, v.relname, r.relation, r.attribute, r.since
    FROM viewed AS v
    JOIN relation AS r ON strpos(v.tree, format(':relid %%s ', r.oid)) > 0
)
SELECT 'view' AS kind, nspname AS schema, relname AS name,
    string_agg(DISTINCT what, ', ') AS detail, since
FROM (
    SELECT o.nspname, o.relname, format('%%s.%%s', o.relation, o.attribute), o.since
    FROM over AS o
    -- The definition as it is restored; only of those that look at such a relation at all.
    WHERE pg_get_viewdef(o.oid) ~ format('\m%%s\M', o.attribute)
    UNION ALL
    SELECT v.nspname, v.relname, format('%%s()', f.name), f.since
    FROM viewed AS v
    JOIN function AS f ON strpos(v.tree, format(':funcid %%s ', f.oid)) > 0
) AS lost (nspname, relname, what, since)
GROUP BY nspname, relname, since
UNION ALL -- before 18
SELECT 'inherited column', n.nspname, c.relname, child.attname, 18 -- before 18
FROM pg_catalog.pg_inherits AS i -- before 18
JOIN pg_catalog.pg_attribute AS child ON child.attrelid = i.inhrelid -- before 18
JOIN pg_catalog.pg_attribute AS parent -- before 18
    ON parent.attrelid = i.inhparent AND parent.attname = child.attname -- before 18
JOIN pg_catalog.pg_class AS c ON c.oid = child.attrelid -- before 18
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace -- before 18
WHERE parent.attnum > 0 AND parent.attnotnull AND NOT child.attnotnull -- before 18
UNION ALL -- before 14
SELECT 'operator', n.nspname, o.oprname, format('(%%s, NONE)', o.oprleft::regtype), 14 -- before 14
FROM pg_catalog.pg_operator AS o -- before 14
JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace -- before 14
WHERE o.oprright = 0 AND o.oid >= 16384 -- before 14
UNION ALL -- before 14
SELECT 'conversion', n.nspname, o.conname, '', 14 -- before 14
FROM pg_catalog.pg_conversion AS o -- before 14
JOIN pg_catalog.pg_namespace AS n ON n.oid = o.connamespace -- before 14
WHERE o.oid >= 16384 -- before 14
UNION ALL -- before 14
SELECT 'aggregate', n.nspname, p.proname, format('(%%s)', pg_get_function_identity_arguments(p.oid)), 14 -- before 14
FROM pg_catalog.pg_aggregate AS a -- before 14
JOIN pg_catalog.pg_proc AS p ON p.oid = a.aggfnoid -- before 14
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace -- before 14
WHERE p.oid >= 16384 -- before 14
  AND a.aggtranstype IN ('anyarray'::regtype, 'anyelement'::regtype) -- before 14
  AND (a.aggtransfn = ANY (%(polymorphic)s::regprocedure[]) -- before 14
       OR a.aggfinalfn = ANY (%(polymorphic)s::regprocedure[])) -- before 14
UNION ALL -- before 14
SELECT 'operator', n.nspname, o.oprname, -- before 14
    format('(%%s, %%s)', coalesce(nullif(o.oprleft, 0)::regtype::text, 'NONE'), o.oprright::regtype), 14 -- before 14
FROM pg_catalog.pg_operator AS o -- before 14
JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace -- before 14
WHERE o.oid >= 16384 -- before 14
  AND o.oprcode = ANY (%(polymorphic)s::regprocedure[]) -- before 14
  AND o.oprleft IN ('anyarray'::regtype, 'anyelement'::regtype) -- before 14
ORDER BY 2, 3, 4
