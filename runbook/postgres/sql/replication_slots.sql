SELECT
    slot_name AS name, slot_type, plugin, database, active, temporary, wal_status,
    CASE WHEN NOT pg_is_in_recovery()
        THEN greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint
    END AS retained_bytes
FROM pg_catalog.pg_replication_slots
ORDER BY slot_name COLLATE "C"
