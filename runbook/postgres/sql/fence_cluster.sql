-- A transaction that ends after this snapshot moves the xmax of a later one, or leaves those that
-- were running below it: prepared ones and old ones end without moving xmax. So where both are equal
-- none that wrote has ended in between.
SELECT
    clock_timestamp() AS at,
    (SELECT system_identifier FROM pg_control_system()) AS system_identifier,
    pg_postmaster_start_time() AS postmaster_started,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next_xid,
    ARRAY(
        SELECT xid::text::bigint FROM pg_snapshot_xip(pg_current_snapshot()) AS xid ORDER BY 1
    ) AS running
