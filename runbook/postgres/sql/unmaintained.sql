-- Whose tables the current user may not ANALYZE, and whose materialized views it may not REFRESH:
-- that is for the owner; ANALYZE for the database's, too, and both for who has MAINTAIN from 17 on.
WITH found AS (
    SELECT
        pg_get_userbyid(c.relowner)::text AS owner,
        c.relkind,
        format('%I.%I', n.nspname, c.relname) AS name,
        pg_has_role(c.relowner, 'USAGE')
            OR has_table_privilege(c.oid, 'MAINTAIN') -- since 17
            AS maintains,
        pg_has_role(d.datdba, 'USAGE') AS owns_database
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_database AS d ON d.datname = current_database()
    WHERE c.relkind IN ('r', 'm', 'p')
      AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema'
      AND n.nspname NOT LIKE 'pg\_%'
      AND n.nspname NOT LIKE 'rds\_%'
)
SELECT
    owner,
    current_user::text AS user,
    current_setting('server_version_num')::int / 10000 AS major,
    coalesce(array_agg(name ORDER BY name COLLATE "C") FILTER (WHERE NOT owns_database), '{}')
        AS unanalyzed,
    coalesce(array_agg(name ORDER BY name COLLATE "C") FILTER (WHERE relkind = 'm'), '{}')
        AS unrefreshed
FROM found
WHERE NOT maintains
GROUP BY owner
HAVING bool_or(relkind = 'm' OR NOT owns_database)
ORDER BY owner COLLATE "C"
