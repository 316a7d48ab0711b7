SELECT pubname AS name
FROM pg_catalog.pg_publication
ORDER BY pubname COLLATE "C"
