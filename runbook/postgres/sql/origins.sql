-- What has brought, or may bring, rows to this server from elsewhere. Both catalogs are shared and
-- readable to everybody (the number of a subscription since 14; below it the view of workers tells
-- it, and of one that does not work, not in which of several databases it is); how far each origin has come is not (see `origin_positions`).
SELECT
    o.roname AS name,
    s.subname AS subscription,
    d.datname AS database,
    coalesce(s.subenabled, false) AS enabled
FROM pg_catalog.pg_replication_origin AS o
FULL JOIN pg_catalog.pg_subscription AS s ON o.roname = 'pg_' || s.oid  -- since 14
FULL JOIN (  -- before 14
    SELECT DISTINCT ON (v.subid) v.subid AS oid, u.subname, u.subdbid, u.subenabled  -- before 14
    FROM pg_catalog.pg_stat_subscription AS v  -- before 14
    JOIN pg_catalog.pg_subscription AS u ON u.subname = v.subname  -- before 14
    LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = v.pid AND a.datid = u.subdbid -- before 14
    ORDER BY v.subid, a.pid  -- before 14
) AS s ON o.roname = 'pg_' || s.oid  -- before 14
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.subdbid
ORDER BY s.subname COLLATE "C", o.roname COLLATE "C"
