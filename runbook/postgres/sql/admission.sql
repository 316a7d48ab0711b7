-- Whom a server lets in, and where they could write. `roles`: which roles count; null: those of
-- every client. A session may still override what its database says.
SELECT
    pg_is_in_recovery() AS in_recovery,
    ARRAY(
        SELECT rolname::text
        FROM pg_catalog.pg_roles
        WHERE rolcanlogin
          AND rolname <> ALL (%(internal)s)
          AND rolname NOT LIKE 'pg\_%%'
          AND rolname NOT LIKE 'blueprime\_%%'
          AND rolname <> current_user
          AND rolname = ANY (coalesce(%(roles)s::text[], ARRAY[rolname::text]))
        ORDER BY 1
    ) AS able,
    ARRAY(
        SELECT d.datname::text
        FROM pg_catalog.pg_database AS d
        WHERE d.datallowconn
          AND d.datconnlimit <> -2
          AND d.datname NOT IN ('template0', 'template1', 'rdsadmin')
          AND NOT pg_is_in_recovery()
          AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_db_role_setting AS s
              CROSS JOIN LATERAL unnest(s.setconfig) AS c (entry)
              WHERE s.setdatabase = d.oid
                AND s.setrole = 0
                AND c.entry ~ '^default_transaction_read_only=(on|true|yes|1)$'
          )
        ORDER BY 1
    ) AS writable
