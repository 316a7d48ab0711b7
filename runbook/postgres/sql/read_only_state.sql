WITH kept AS (
    SELECT s.setdatabase, s.setrole, split_part(entry, '=', 2) AS value
    FROM pg_catalog.pg_db_role_setting AS s
    CROSS JOIN LATERAL unnest(s.setconfig) AS entry
    WHERE split_part(entry, '=', 1) = 'default_transaction_read_only'
      AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database
                                WHERE datname = current_database()))
)
SELECT
    pg_is_in_recovery() AS in_recovery,
    -- What a new session of this user has before it sets anything, as our own sessions do.
    (SELECT reset_val = 'on' FROM pg_catalog.pg_settings
     WHERE name = 'default_transaction_read_only') AS default_read_only,
    (SELECT value FROM kept WHERE setrole = 0 AND setdatabase <> 0) AS database_setting,
    ARRAY(
        SELECT pg_get_userbyid(setrole) || '=' || value FROM kept WHERE setrole <> 0 ORDER BY 1
    ) AS role_settings
