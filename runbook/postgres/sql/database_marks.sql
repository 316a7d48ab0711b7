SELECT
    (SELECT stats_reset FROM pg_catalog.pg_stat_database WHERE datname = current_database())
        AS stats_reset,
    (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata) AS large_objects
