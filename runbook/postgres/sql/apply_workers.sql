-- Who applies the changes of another server here. Below 16 all are called `logical replication worker`.
SELECT pid, coalesce(usename, '') AS role, coalesce(datname, '') AS database, backend_type
FROM pg_catalog.pg_stat_activity
WHERE backend_type LIKE 'logical replication%'
  AND backend_type <> 'logical replication launcher'
ORDER BY pid
