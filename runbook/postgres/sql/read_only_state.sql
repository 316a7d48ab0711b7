SELECT
    -- What a new session of this user has before it sets anything, as our own sessions do.
    (SELECT reset_val = 'on' FROM pg_catalog.pg_settings
     WHERE name = 'default_transaction_read_only') AS default_read_only,
    (
        SELECT split_part(entry, '=', 2)
        FROM pg_catalog.pg_db_role_setting AS s
        CROSS JOIN LATERAL unnest(s.setconfig) AS entry
        WHERE split_part(entry, '=', 1) = 'default_transaction_read_only'
          AND s.setrole = 0
          AND s.setdatabase = (SELECT oid FROM pg_catalog.pg_database
                               WHERE datname = current_database())
    ) AS database_setting
