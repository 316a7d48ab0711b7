-- A transaction that ends after this snapshot moves the xmax of a later one; one that had an id
-- and has not ended is among the writers. So equal values mean that none wrote in between.
SELECT
    clock_timestamp() AS at,
    (SELECT system_identifier FROM pg_control_system()) AS system_identifier,
    pg_postmaster_start_time() AS postmaster_started,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next_xid
