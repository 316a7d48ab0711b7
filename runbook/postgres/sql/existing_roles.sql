SELECT rolname AS name
FROM pg_catalog.pg_roles
WHERE rolname = ANY (%s)
ORDER BY rolname COLLATE "C"
