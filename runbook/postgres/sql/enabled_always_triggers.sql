SELECT
    n.nspname AS schema,
    c.relname AS name,
    t.tgname AS trigger,
    t.tgenabled::text AS enabled,
    t.tgfoid::regprocedure::text AS function
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE t.tgenabled IN ('A', 'R') AND NOT t.tgisinternal
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", t.tgname COLLATE "C"
