SELECT
    d.datname AS name,
    d.datallowconn AS accepts,
    d.datconnlimit = -2 AS invalid,
    pg_encoding_to_char(d.encoding) AS encoding,
    has_database_privilege(d.oid, 'CONNECT') AS may_connect,
    has_database_privilege('public', d.oid, 'CONNECT')
        OR has_database_privilege(d.oid, 'CONNECT WITH GRANT OPTION') AS may_let_in,
    d.datcollversion AS collation_then,  -- since 15
    pg_database_collation_actual_version(d.oid) AS collation_now  -- since 15
    NULL::text AS collation_then,  -- before 15
    NULL::text AS collation_now  -- before 15
FROM pg_catalog.pg_database AS d
WHERE d.datname NOT IN ('template0', 'rdsadmin')
ORDER BY d.datname COLLATE "C"
