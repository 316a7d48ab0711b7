-- Columns by name: those with the connection string are closed to all but superusers.
SELECT
    s.subname AS name,
    d.datname AS database,
    pg_get_userbyid(s.subowner) AS owner,
    s.subenabled AS enabled,
    s.subslotname AS slot_name,
    s.subpublications AS publications
FROM pg_catalog.pg_subscription AS s
JOIN pg_catalog.pg_database AS d ON d.oid = s.subdbid
ORDER BY d.datname COLLATE "C", s.subname COLLATE "C"
