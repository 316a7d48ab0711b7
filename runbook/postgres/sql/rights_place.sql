SELECT
    current_user::text AS user,
    current_database()::text AS database,
    r.rolname::text AS owner,
    r.rolsuper AS owner_superuser
FROM pg_catalog.pg_database AS d
JOIN pg_catalog.pg_roles AS r ON r.oid = d.datdba
WHERE d.datname = current_database()
