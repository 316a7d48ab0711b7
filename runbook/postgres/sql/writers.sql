-- Autovacuum takes an id to keep statistics; apply workers are the caller's to judge.
SELECT
    pid,
    usename AS role,
    datname AS database,
    backend_type,
    coalesce(application_name, '') AS application,
    extract(epoch FROM clock_timestamp() - xact_start)::float8 AS age_s,
    coalesce(query, '') AS query
FROM pg_catalog.pg_stat_activity
WHERE backend_xid IS NOT NULL
  AND pid <> pg_backend_pid()
  AND backend_type NOT IN ('walsender', 'autovacuum worker')
  AND backend_type NOT LIKE 'logical replication%%'
  AND (usename IS NULL OR usename <> ALL (%s))
  AND NOT coalesce(
      usename = current_user AND application_name = current_setting('application_name'), false
  )
ORDER BY xact_start
