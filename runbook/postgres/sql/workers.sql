-- Of every database of the server, since these are shared: one query for all of them. The apply
-- worker is the one row of a subscription that works on no single table and has no leader. Conflicts
-- are counted from 18 on; read through jsonb, since their kinds grow with each version. The server's
-- own clock tells how long ago its worker heard anything.
SELECT
    d.datname AS database,
    s.subenabled AS enabled,
    w.pid AS worker_pid,
    extract(epoch FROM clock_timestamp() - w.last_msg_receipt_time)::float8 AS silent_s,
    e.apply_error_count,  -- since 15
    NULL::bigint AS apply_error_count,  -- before 15
    coalesce((
        SELECT sum(each.value::bigint)
        FROM jsonb_each_text(to_jsonb(e)) AS each (key, value)  -- since 15
        FROM jsonb_each_text('{}') AS each (key, value)  -- before 15
        WHERE each.key IN ('confl_update_missing', 'confl_delete_missing')
    ), 0)::bigint AS missing_rows
FROM pg_catalog.pg_subscription AS s
JOIN pg_catalog.pg_database AS d ON d.oid = s.subdbid
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
ORDER BY d.datname
