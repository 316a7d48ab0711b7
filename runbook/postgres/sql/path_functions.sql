-- Functions that are run with an empty search_path and name something without its schema. Apply runs
-- what stands in indexes, checks, domains and generated columns, ANALYZE what stands in indexes;
-- REFRESH MATERIALIZED VIEW has such a path from 17 on (release notes of 17, "safe search_path").
-- What a body names is told by its words: what follows a keyword, a cast, or stands before a bracket.
WITH RECURSIVE outside AS MATERIALIZED (
    SELECT oid, nspname FROM pg_catalog.pg_namespace
    WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
), body AS MATERIALIZED (
    SELECT
        p.oid,
        o.nspname,
        p.proname,
        regexp_replace(p.prosrc, '--[^\n]*|/\*([^*]|\*+[^*/])*\*+/', ' ', 'g') AS source,
        EXISTS (
            SELECT FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search_path=%'
        ) AS bound
    FROM pg_catalog.pg_proc AS p
    JOIN outside AS o ON o.oid = p.pronamespace
    JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
    WHERE l.lanname IN ('sql', 'plpgsql')
      AND p.prokind = 'f'
      AND p.prosqlbody IS NULL -- since 14
), viewed (root, relation) AS (
    SELECT c.oid, c.oid FROM pg_catalog.pg_class AS c WHERE c.relkind = 'm'
    UNION
    SELECT v.root, d.refobjid
    FROM viewed AS v
    JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = v.relation
    JOIN pg_catalog.pg_depend AS d
        ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
       AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> v.relation
    JOIN pg_catalog.pg_class AS c ON c.oid = d.refobjid AND c.relkind = 'v'
), used (kind, place, name, function) AS (
    SELECT 'index', i.indrelid, c.relname, d.refobjid
    FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_index AS i ON i.indexrelid = d.objid
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    WHERE d.classid = 'pg_catalog.pg_class'::regclass
      AND d.refclassid = 'pg_catalog.pg_proc'::regclass
    UNION
    SELECT CASE WHEN k.conrelid = 0 THEN 'domain' ELSE 'check' END, k.conrelid,
        CASE WHEN k.conrelid = 0 THEN k.contypid::regtype::text ELSE k.conname END, d.refobjid
    FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_constraint AS k ON k.oid = d.objid AND k.contype = 'c'
    WHERE d.classid = 'pg_catalog.pg_constraint'::regclass
      AND d.refclassid = 'pg_catalog.pg_proc'::regclass
    UNION
    SELECT 'generated column', a.attrelid, a.attname, d.refobjid
    FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_attrdef AS f ON f.oid = d.objid
    JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND a.attgenerated <> ''
    WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass
      AND d.refclassid = 'pg_catalog.pg_proc'::regclass
    UNION
    SELECT 'materialized view', v.root, c.relname, d.refobjid
    FROM viewed AS v
    JOIN pg_catalog.pg_class AS c ON c.oid = v.root
    JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = v.relation
    JOIN pg_catalog.pg_depend AS d
        ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
       AND d.refclassid = 'pg_catalog.pg_proc'::regclass
), reached (kind, place, name, function) AS (
    SELECT u.kind, u.place, u.name, u.function FROM used AS u
    UNION
    -- One that binds its path lends it to what it calls.
    SELECT r.kind, r.place, r.name, callee.oid
    FROM reached AS r
    JOIN body AS b ON b.oid = r.function AND NOT b.bound
    CROSS JOIN LATERAL regexp_matches(
        b.source, '"?([[:alpha:]_][[:alnum:]_$]*)"?\s*\(', 'g'
    ) AS m
    JOIN body AS callee ON callee.proname IN (m[1], lower(m[1]))
), named AS (
    SELECT b.oid, m[1] AS word, 'relation' AS kind
    FROM (SELECT DISTINCT function FROM reached) AS r
    JOIN body AS b ON b.oid = r.function AND NOT b.bound
    CROSS JOIN LATERAL regexp_matches(
        b.source,
        '\m(?:into|update|from|join)\s+(?:only\s+)?"?([[:alpha:]_][[:alnum:]_$]*)"?(?!["[:alnum:]_$]|\s*[.(])',
        'gi'
    ) AS m
    UNION
    SELECT b.oid, m[1], 'function'
    FROM (SELECT DISTINCT function FROM reached) AS r
    JOIN body AS b ON b.oid = r.function AND NOT b.bound
    CROSS JOIN LATERAL regexp_matches(
        b.source, '(?<![.[:alnum:]_$"])"?([[:alpha:]_][[:alnum:]_$]*)"?\s*\(', 'g'
    ) AS m
    UNION
    SELECT b.oid, m[1], 'type'
    FROM (SELECT DISTINCT function FROM reached) AS r
    JOIN body AS b ON b.oid = r.function AND NOT b.bound
    CROSS JOIN LATERAL regexp_matches(
        b.source, '::\s*"?([[:alpha:]_][[:alnum:]_$]*)"?(?!["[:alnum:]_$]|\s*\.)', 'g'
    ) AS m
), lost AS (
    SELECT n.oid, n.word, o.nspname
    FROM named AS n
    JOIN pg_catalog.pg_class AS c
        ON c.relname IN (n.word, lower(n.word)) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    JOIN outside AS o ON o.oid = c.relnamespace
    WHERE n.kind = 'relation'
    UNION
    SELECT n.oid, n.word, o.nspname
    FROM named AS n
    JOIN pg_catalog.pg_proc AS p ON p.proname IN (n.word, lower(n.word))
    JOIN outside AS o ON o.oid = p.pronamespace
    WHERE n.kind = 'function'
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_proc AS s
          WHERE s.proname = p.proname AND s.pronamespace = 'pg_catalog'::regnamespace
      )
    UNION
    SELECT n.oid, n.word, o.nspname
    FROM named AS n
    JOIN pg_catalog.pg_type AS t ON t.typname IN (n.word, lower(n.word))
    JOIN outside AS o ON o.oid = t.typnamespace
    WHERE n.kind = 'type'
)
SELECT
    r.kind,
    coalesce(n.nspname, '') AS schema,
    CASE WHEN r.kind = 'domain' THEN r.name ELSE c.relname END AS name,
    CASE WHEN r.kind IN ('domain', 'materialized view') THEN '' ELSE r.name END AS part,
    r.function::regprocedure::text AS function,
    array_agg(DISTINCT l.word) AS unqualified,
    array_agg(DISTINCT l.nspname::text) AS schemas
FROM reached AS r
JOIN lost AS l ON l.oid = r.function
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = r.place
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname IS NULL OR n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
GROUP BY r.kind, n.nspname, c.relname, r.name, r.function
ORDER BY 2, 3, 4, 5
