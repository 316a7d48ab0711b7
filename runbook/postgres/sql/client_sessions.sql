-- Background workers that run as a client's role (pg_cron's jobs) count as well.
SELECT
    pid,
    usename AS role,
    coalesce(datname, '') AS database,
    coalesce(application_name, '') AS application,
    coalesce(client_addr::text, 'local') AS client,
    state,
    extract(epoch FROM clock_timestamp() - backend_start)::float8 AS age_s,
    -- From 15 on an idle session hands in its counts after ten seconds (PGSTAT_IDLE_INTERVAL);
    -- before, only with its next statement or its end.
    coalesce(
        state = 'idle'
        AND state_change < clock_timestamp() - interval '11 s'
        AND current_setting('server_version_num')::int >= 150000,
        false
    ) AS settled
FROM pg_catalog.pg_stat_activity
WHERE usename IS NOT NULL
  AND usename <> ALL (%s)
  AND backend_type NOT IN ('walsender', 'parallel worker')
  AND backend_type NOT LIKE 'logical replication%%'
  AND NOT (usename = current_user AND application_name = current_setting('application_name'))
  AND usename = ANY (coalesce(%s::text[], ARRAY[usename::text]))
ORDER BY backend_start, pid
