SELECT
    pubname AS name,
    pg_get_userbyid(pubowner) AS owner,
    puballtables AS all_tables,
    array_to_string(ARRAY[
        CASE WHEN pubinsert THEN 'insert' END,
        CASE WHEN pubupdate THEN 'update' END,
        CASE WHEN pubdelete THEN 'delete' END,
        CASE WHEN pubtruncate THEN 'truncate' END
    ], ', ') AS publishes
FROM pg_catalog.pg_publication
ORDER BY pubname COLLATE "C"
