-- Until 15 CREATEROLE alters every role but superusers; from 16 on it needs ADMIN OPTION on it.
SELECT
    r.rolname AS name,
    r.rolsuper AS superuser,
    r.rolname = ANY (%(internal)s) OR r.rolname LIKE 'pg\_%%' AS internal,
    r.rolname LIKE 'blueprime\_%%' AS own,
    r.rolname = current_user AS current,
    me.rolsuper
        OR (me.rolcreaterole AND NOT r.rolsuper
            AND NOT r.rolreplication  -- before 16
            AND pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION')  -- since 16
        ) AS alterable,
    coalesce(a.sessions, 0) AS sessions
FROM pg_catalog.pg_roles AS r
CROSS JOIN (SELECT * FROM pg_catalog.pg_roles WHERE rolname = current_user) AS me
LEFT JOIN (
    SELECT usesysid, count(*) AS sessions
    FROM pg_catalog.pg_stat_activity
    WHERE backend_type = 'client backend'
    GROUP BY usesysid
) AS a ON a.usesysid = r.oid
WHERE r.rolcanlogin
ORDER BY r.rolname COLLATE "C"
