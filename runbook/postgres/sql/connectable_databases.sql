SELECT datname AS name
FROM pg_catalog.pg_database
WHERE datallowconn
  AND datconnlimit <> -2
  AND datname NOT IN ('template0', 'template1', 'rdsadmin')
ORDER BY datname COLLATE "C"
