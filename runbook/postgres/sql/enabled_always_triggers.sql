-- Apply runs with an empty search_path: a name without its schema is not found then, unless the
-- function sets a search_path of its own. Such names are told by what follows a keyword in its source
-- and is a relation outside of the system's schemas.
SELECT
    n.nspname AS schema,
    c.relname AS name,
    t.tgname AS trigger,
    t.tgenabled::text AS enabled,
    t.tgfoid::regprocedure::text AS function,
    ARRAY(
        SELECT DISTINCT m[1]
        FROM regexp_matches(
            p.prosrc,
            '\m(?:into|update|from|join)\s+(?:only\s+)?"?([[:alpha:]_][[:alnum:]_$]*)"?(?!["[:alnum:]_$]|\s*\.)',
            'gi'
        ) AS m
        WHERE NOT EXISTS (
            SELECT FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search_path=%'
        )
          AND EXISTS (
            SELECT FROM pg_catalog.pg_class AS r
            JOIN pg_catalog.pg_namespace AS s ON s.oid = r.relnamespace
            WHERE r.relname IN (m[1], lower(m[1]))
              AND r.relkind IN ('r', 'p', 'v', 'm', 'f')
              AND s.nspname <> 'information_schema'
              AND s.nspname NOT LIKE 'pg\_%'
        )
    ) AS unqualified
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE t.tgenabled IN ('A', 'R') AND NOT t.tgisinternal
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", t.tgname COLLATE "C"
