-- A digest of what each password is checked against, never that itself.
SELECT 'password' AS kind, ARRAY[rolname]::text[] AS names, true AS exact, jsonb_build_object(
    'digest', encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex')
) AS made
FROM pg_catalog.pg_authid
WHERE rolname NOT LIKE 'pg\_%%'
  AND rolname NOT LIKE 'blueprime\_%%'
  AND rolname <> ALL (%(internal)s)
  AND NOT (rolname LIKE 'rds\_%%' AND NOT rolcanlogin)
