-- Where CONNECT was taken from PUBLIC, a role that is made anew cannot enter.
SELECT d.datname
FROM pg_catalog.pg_database AS d
WHERE d.datname = ANY (%s)
  AND NOT has_database_privilege('public', d.oid, 'CONNECT')
ORDER BY d.datname COLLATE "C"
