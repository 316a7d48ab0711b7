SELECT pid, coalesce(datname, '') AS database, backend_start
FROM pg_catalog.pg_stat_activity
WHERE application_name = 'pg_repack' AND backend_type = 'client backend'
ORDER BY pid
