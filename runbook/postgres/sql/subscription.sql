-- The apply worker is the one row of a subscription that works on no single table and has no
-- leader; parallel apply and table synchronisation have rows of their own. The number of a
-- subscription may be read since 14; the view shows it to everybody.
SELECT
    s.subname AS name,
    s.subenabled AS enabled,
    s.subslotname AS slot_name,
    s.subpublications AS publications,
    w.pid AS worker_pid,
    e.apply_error_count,  -- since 15
    NULL::bigint AS apply_error_count,  -- before 15
    (
        SELECT count(*) FROM pg_catalog.pg_subscription_rel AS r
        WHERE r.srsubid IN (
            SELECT n.subid FROM pg_catalog.pg_stat_subscription AS n WHERE n.subname = s.subname
        )
        AND r.srsubstate <> 'r'
    ) AS copying
FROM pg_catalog.pg_subscription AS s
LEFT JOIN pg_catalog.pg_stat_subscription AS w
    ON w.subid = s.oid  -- since 14
    ON w.subname = s.subname AND w.pid IN (  -- before 14
        SELECT a.pid FROM pg_catalog.pg_stat_activity AS a WHERE a.datid = s.subdbid  -- before 14
    )  -- before 14
    AND w.pid IS NOT NULL
    AND w.relid IS NULL
    AND w.leader_pid IS NULL  -- since 16
LEFT JOIN pg_catalog.pg_stat_subscription_stats AS e ON e.subid = s.oid  -- since 15
WHERE s.subname = %s
  AND s.subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
