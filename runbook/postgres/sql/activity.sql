SELECT (SELECT count(*)::int
        FROM pg_catalog.pg_stat_activity
        WHERE backend_type = 'client backend'
          AND usename = ANY (%s)) AS sessions,
       (SELECT coalesce(sum(tup_inserted + tup_updated + tup_deleted), 0)::bigint
        FROM pg_catalog.pg_stat_database
        WHERE datname IS NOT NULL) AS rows_written,
       pg_catalog.pg_is_in_recovery()
         OR pg_catalog.current_setting('transaction_read_only') = 'on' AS read_only
