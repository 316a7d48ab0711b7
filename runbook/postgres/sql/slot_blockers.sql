-- Slot creation waits for every transaction that has an id, in any database; those of workers too.
SELECT
    pid,
    usename AS role,
    extract(epoch FROM clock_timestamp() - xact_start)::float8 AS age_s,
    datname AS database,
    coalesce(application_name, '') AS application,
    backend_type,
    state,
    coalesce(query, '') AS query,
    backend_start
FROM pg_catalog.pg_stat_activity
WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
UNION ALL
SELECT
    NULL, owner, extract(epoch FROM clock_timestamp() - prepared)::float8, database, '',
    'prepared transaction', 'prepared', 'prepared transaction ' || quote_literal(gid),
    NULL
FROM pg_catalog.pg_prepared_xacts
ORDER BY age_s DESC NULLS LAST
