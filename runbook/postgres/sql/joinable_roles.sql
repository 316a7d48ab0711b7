-- The roles that the current user may make itself a member of, where it is no full one yet: below 16
-- by CREATEROLE, from 16 on by ADMIN OPTION (documentation, "GRANT").
SELECT r.rolname::text
FROM pg_catalog.pg_roles AS r
CROSS JOIN pg_catalog.pg_roles AS me
WHERE me.rolname = current_user
  AND r.oid <> me.oid
  AND NOT (pg_has_role(r.oid, 'USAGE') AND pg_has_role(r.oid, 'SET')) -- since 16
  AND pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION') -- since 16
  AND NOT pg_has_role(r.oid, 'USAGE') -- before 16
  AND (me.rolcreaterole OR pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION')) -- before 16
  AND NOT r.rolsuper
  AND NOT pg_has_role(r.oid, me.oid, 'MEMBER')
ORDER BY r.rolname COLLATE "C"
