SELECT a.usename AS role, count(*)::int AS sessions
FROM pg_catalog.pg_stat_activity AS a
JOIN pg_catalog.pg_stat_ssl AS s ON s.pid = a.pid
WHERE a.backend_type = 'client backend'
  AND a.client_addr IS NOT NULL
  AND NOT s.ssl
  AND a.usename <> ALL (%s)
  AND NOT (a.usename = current_user AND a.application_name = current_setting('application_name'))
GROUP BY a.usename
ORDER BY a.usename COLLATE "C"
