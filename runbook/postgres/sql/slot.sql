-- Through jsonb, since the reasons of an invalidation stand in other columns with each version.
SELECT
    s.slot_name AS name,
    s.database,
    s.active,
    s.active_pid,
    (s.confirmed_flush_lsn - '0/0')::bigint AS confirmed_flush_lsn,
    s.wal_status,
    s.safe_wal_size,
    coalesce(
        to_jsonb(s) ->> 'invalidation_reason',
        CASE WHEN to_jsonb(s) ->> 'conflicting' = 'true' THEN 'conflict with recovery' END,
        CASE WHEN s.wal_status = 'lost' THEN 'its WAL was removed' END
    ) AS invalidation_reason
FROM pg_catalog.pg_replication_slots AS s
WHERE s.slot_name = %s AND s.slot_type = 'logical'
