SELECT
    pid,
    usename AS role,
    datname AS database,
    coalesce(application_name, '') AS application,
    state,
    backend_type,
    backend_start,
    extract(epoch FROM clock_timestamp() - xact_start)::float8 AS age_s,
    coalesce(query, '') AS query
FROM pg_catalog.pg_stat_activity
WHERE pid <> pg_backend_pid()
  AND xact_start < clock_timestamp() - make_interval(secs => %s)
  AND backend_type <> 'walsender'
  AND backend_type NOT LIKE 'logical replication%%'
ORDER BY xact_start
