-- What a session of any database and role would start with. An entry that names a role outranks the
-- database's, and one that names both outranks all; a session may still say otherwise.
SELECT
    d.datname AS database,
    own.value AS database_setting,
    pg_is_in_recovery() AS in_recovery,
    ARRAY(
        SELECT r.rolname::text
        FROM pg_catalog.pg_db_role_setting AS s
        JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
        CROSS JOIN LATERAL unnest(s.setconfig) AS c (entry)
        WHERE s.setdatabase IN (0, d.oid)
          AND c.entry ~ '^default_transaction_read_only=(off|false|no|0)$'
          AND r.rolcanlogin
          AND r.rolname <> ALL (%(internal)s)
        ORDER BY 1
    ) AS writing_roles
FROM pg_catalog.pg_database AS d
LEFT JOIN LATERAL (
    SELECT split_part(c.entry, '=', 2) AS value
    FROM pg_catalog.pg_db_role_setting AS s
    CROSS JOIN LATERAL unnest(s.setconfig) AS c (entry)
    WHERE s.setdatabase = d.oid AND s.setrole = 0
      AND c.entry LIKE 'default\_transaction\_read\_only=%%'
) AS own ON true
WHERE d.datname = ANY (%(databases)s)
ORDER BY d.datname
