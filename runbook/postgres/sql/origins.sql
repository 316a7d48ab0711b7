-- What has brought, or may bring, rows to this server from elsewhere. Both catalogs are shared and
-- readable to everybody; how far each origin has come is not (see `origin_positions`).
SELECT
    o.roname AS name,
    s.subname AS subscription,
    d.datname AS database,
    coalesce(s.subenabled, false) AS enabled
FROM pg_catalog.pg_replication_origin AS o
FULL JOIN pg_catalog.pg_subscription AS s ON o.roname = 'pg_' || s.oid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.subdbid
ORDER BY s.subname COLLATE "C", o.roname COLLATE "C"
