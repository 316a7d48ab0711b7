-- Options of the server alone: those of user mappings hold passwords.
SELECT
    s.srvname AS name,
    w.fdwname AS wrapper,
    coalesce((
        SELECT option_value FROM pg_catalog.pg_options_to_table(s.srvoptions)
        WHERE option_name = 'host'
    ), '') AS host,
    (SELECT count(*)::int FROM pg_catalog.pg_foreign_table AS t WHERE t.ftserver = s.oid) AS tables
FROM pg_catalog.pg_foreign_server AS s
JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw
ORDER BY s.srvname COLLATE "C"
