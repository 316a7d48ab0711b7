-- The publisher's position is read after the slots', so that it is never behind them.
SELECT
    s.database,
    wanted.name AS slot,
    s.slot_name IS NOT NULL AS exists,
    (s.current_lsn - s.confirmed_flush_lsn)::bigint AS bytes,
    (s.current_lsn - '0/0')::bigint AS current_lsn,
    (s.confirmed_flush_lsn - '0/0')::bigint AS confirmed_flush_lsn,
    coalesce(s.active, false) AS active,
    s.wal_status,
    s.safe_wal_size,
    s.invalidation_reason,
    (s.current_lsn - s.restart_lsn)::bigint AS kept_bytes,
    greatest(age(s.xmin), age(s.catalog_xmin))::bigint AS horizon_age,
    current_setting('autovacuum_freeze_max_age')::bigint AS freeze_age
FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, place)
LEFT JOIN (
    SELECT
        slot_name, database, confirmed_flush_lsn, restart_lsn, active, wal_status, safe_wal_size,
        r.xmin, r.catalog_xmin,
        to_jsonb(r) ->> 'invalidation_reason' AS invalidation_reason,
        CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END AS current_lsn
    FROM pg_catalog.pg_replication_slots AS r
    WHERE slot_type = 'logical'
) AS s ON s.slot_name = wanted.name
ORDER BY wanted.place
