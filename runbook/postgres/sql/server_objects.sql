-- What applications need of a whole server: one row each, with what it is made of. What is the server's,
-- AWS's or blueprime's own is left out. Roles are told by name: their oids differ between servers.
-- `common` is the older major of the two servers that are compared: what it does not know is left out.
WITH client_role AS (
    SELECT *
    FROM pg_catalog.pg_roles
    WHERE rolname NOT LIKE 'pg\_%%'
      AND rolname NOT LIKE 'blueprime\_%%'
      AND rolname <> ALL (%(internal)s)
      AND NOT (rolname LIKE 'rds\_%%' AND NOT rolcanlogin)
), shared (kind, name, owner, acl) AS (
    SELECT 'database', datname, datdba, coalesce(datacl, acldefault('d', datdba))
    FROM pg_catalog.pg_database
    WHERE datallowconn AND datname NOT IN ('template0', 'template1', 'rdsadmin')
    UNION ALL -- since 15
    SELECT 'parameter', parname, 10::oid, paracl -- since 15
    FROM pg_catalog.pg_parameter_acl WHERE %(common)s >= 15 -- since 15
), privilege AS (
    SELECT s.kind, s.name, coalesce(r.rolname, '') AS grantee,
        p.privilege_type || CASE WHEN bool_or(p.is_grantable) THEN '*' ELSE '' END AS word
    FROM shared AS s
    CROSS JOIN LATERAL aclexplode(s.acl) AS p
    LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = p.grantee
    WHERE p.grantee = 0
       OR (r.rolname NOT LIKE 'blueprime\_%%' AND r.rolname <> ALL (%(internal)s))
    GROUP BY s.kind, s.name, r.rolname, p.privilege_type
)
SELECT 'role' AS kind, ARRAY[rolname]::text[] AS names, true AS exact, jsonb_build_object(
    'LOGIN', rolcanlogin, 'SUPERUSER', rolsuper, 'CREATEDB', rolcreatedb,
    'CREATEROLE', rolcreaterole, 'INHERIT', rolinherit, 'REPLICATION', rolreplication,
    'BYPASSRLS', rolbypassrls, 'CONNECTION LIMIT', rolconnlimit, 'VALID UNTIL', rolvaliduntil::text
) AS made
FROM client_role
UNION ALL
-- From 16 on whoever makes a role gets a membership of its own, to administer it by.
SELECT 'membership', ARRAY[g.rolname, m.rolname]::text[], true, jsonb_build_object(
    'ADMIN', bool_or(a.admin_option),
    'INHERIT', bool_or(a.inherit_option), -- since 16
    'SET', bool_or(a.set_option) -- since 16
    'INHERIT', bool_or(m.rolinherit), -- before 16
    'SET', true -- before 16
)
FROM pg_catalog.pg_auth_members AS a
JOIN pg_catalog.pg_roles AS g ON g.oid = a.roleid
JOIN client_role AS m ON m.oid = a.member
WHERE g.rolname NOT LIKE 'blueprime\_%%'
  AND NOT (a.grantor = 10 AND a.admin_option AND NOT a.inherit_option AND NOT a.set_option) -- since 16
GROUP BY g.rolname, m.rolname
UNION ALL
-- The run itself closes and opens databases by their default_transaction_read_only.
SELECT
    'setting',
    ARRAY[coalesce(r.rolname, ''), coalesce(d.datname, ''), split_part(entry, '=', 1)]::text[],
    true,
    jsonb_build_object('value', substr(entry, strpos(entry, '=') + 1))
FROM pg_catalog.pg_db_role_setting AS s
CROSS JOIN LATERAL unnest(s.setconfig) AS entry
LEFT JOIN client_role AS r ON r.oid = s.setrole
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
WHERE (s.setrole = 0 OR r.oid IS NOT NULL)
  AND (s.setdatabase = 0 OR d.datname NOT IN ('template0', 'template1', 'rdsadmin'))
  AND NOT (s.setrole = 0 AND split_part(entry, '=', 1) = 'default_transaction_read_only')
UNION ALL
SELECT 'owner', ARRAY['database', datname]::text[], true, jsonb_build_object('owner', pg_get_userbyid(datdba))
FROM pg_catalog.pg_database
WHERE datallowconn AND datname NOT IN ('template0', 'template1', 'rdsadmin')
UNION ALL
SELECT 'limit', ARRAY[datname]::text[], true, jsonb_build_object('CONNECTION LIMIT', datconnlimit)
FROM pg_catalog.pg_database
WHERE datallowconn AND datname NOT IN ('template0', 'template1', 'rdsadmin')
UNION ALL
SELECT 'grant', ARRAY[kind, name, grantee]::text[], true,
    jsonb_build_object('privileges', jsonb_agg(word ORDER BY word))
FROM privilege
GROUP BY kind, name, grantee
