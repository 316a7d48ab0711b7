-- What a role owns or was granted keeps it from being dropped, and is told by the database that it is
-- in; what belongs to the whole server (CONNECT on a database) is told as an empty name.
SELECT DISTINCT coalesce(d.datname, '')
FROM pg_catalog.pg_shdepend AS s
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.dbid
WHERE s.refclassid = 'pg_catalog.pg_authid'::regclass
  AND s.refobjid = (SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = %s)
  AND s.classid <> 'pg_catalog.pg_auth_members'::regclass
ORDER BY 1
