-- A role's own setting beats that of the database. The former is seen by all; what counts is the
-- last word of a role in a database, so every row that says off is told.
SELECT
    r.rolname AS role,
    coalesce(d.datname, '') AS database
FROM pg_catalog.pg_db_role_setting AS s
JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
WHERE r.rolname <> ALL (%s)
  AND EXISTS (
      SELECT FROM unnest(s.setconfig) AS entry
      WHERE lower(entry) LIKE 'default_transaction_read_only=%%'
        AND NOT split_part(entry, '=', 2)::boolean
  )
ORDER BY r.rolname COLLATE "C", d.datname COLLATE "C"
