SELECT e.extname AS name, e.extversion AS installed, a.default_version AS current
FROM pg_catalog.pg_extension AS e
JOIN pg_catalog.pg_available_extensions AS a ON a.name = e.extname
WHERE a.default_version <> e.extversion
ORDER BY e.extname COLLATE "C"
