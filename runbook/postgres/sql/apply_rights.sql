-- What apply may be refused, for each table that replication covers: as the table's owner, which is
-- how it writes from 16 on, and as the subscription's owner, the current user. Row-level security that
-- would apply to whoever writes is refused as a whole (documentation, "Logical Replication: Security").
WITH needed (place, privilege) AS (
    VALUES (1, 'SELECT'), (2, 'INSERT'), (3, 'UPDATE'), (4, 'DELETE'), (5, 'TRUNCATE')
), covered AS (
    SELECT
        c.oid,
        n.oid AS schema_oid,
        n.nspname,
        c.relname,
        c.relowner,
        o.rolname,
        c.relrowsecurity AND c.relforcerowsecurity AND NOT (o.rolsuper OR o.rolbypassrls)
            AS owner_secured,
        c.relrowsecurity
            AND NOT (me.rolsuper OR me.rolbypassrls)
            AND (c.relforcerowsecurity OR NOT pg_has_role(c.relowner, 'USAGE')) AS user_secured
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_roles AS o ON o.oid = c.relowner
    JOIN pg_catalog.pg_roles AS me ON me.rolname = current_user
    WHERE c.relkind = 'r'
      AND c.relpersistence = 'p'
      AND n.nspname <> 'information_schema'
      AND n.nspname NOT LIKE 'pg\_%'
      AND n.nspname NOT LIKE 'rds\_%'
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend AS d
          WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
      )
), rights AS (
    SELECT
        c.*,
        has_schema_privilege(c.schema_oid, 'USAGE') AS enters,
        has_schema_privilege(c.relowner, c.schema_oid, 'USAGE') AS owner_enters,
        pg_has_role(c.relowner, 'SET') AS may_set, -- since 16
        pg_has_role(c.relowner, 'MEMBER') AS may_set, -- before 16
        ARRAY(
            SELECT privilege FROM needed
            WHERE NOT has_table_privilege(c.relowner, c.oid, privilege)
            ORDER BY place
        ) AS owner_lacks,
        ARRAY(
            SELECT privilege FROM needed
            WHERE NOT has_table_privilege(c.oid, privilege)
            ORDER BY place
        ) AS user_lacks
    FROM covered AS c
)
SELECT
    nspname AS schema,
    relname AS name,
    rolname AS owner,
    current_user::text AS user,
    enters,
    may_set,
    owner_lacks,
    user_lacks,
    owner_secured,
    user_secured,
    owner_enters,
    current_setting('server_version_num')::int / 10000 AS major
FROM rights
WHERE NOT enters
   OR NOT may_set
   OR owner_secured
   OR user_secured
   OR owner_lacks <> '{}'
   OR user_lacks <> '{}'
ORDER BY nspname COLLATE "C", relname COLLATE "C"
