-- The functions of Aurora that tools ask; pg_upgrade leaves out what lies in pg_catalog.
CREATE OR REPLACE FUNCTION pg_catalog.aurora_db_instance_identifier() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT pg_catalog.current_setting('lab.db_instance_identifier', true) $$;

CREATE OR REPLACE FUNCTION pg_catalog.aurora_version() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1) $$;

-- Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora_replica_status.html
-- Readers have no server of their own in the lab: they are never behind.
CREATE OR REPLACE FUNCTION pg_catalog.aurora_replica_status(
    OUT server_id text, OUT session_id text, OUT durable_lsn bigint, OUT highest_lsn_rcvd bigint,
    OUT current_read_lsn bigint, OUT cur_replay_latency_in_usec bigint, OUT active_txns bigint,
    OUT is_current boolean, OUT last_transport_error integer,
    OUT last_error_timestamp timestamptz, OUT last_update_timestamp timestamptz,
    OUT feedback_xmin bigint, OUT feedback_epoch bigint, OUT replica_lag_in_msec double precision,
    OUT log_stream_speed_in_kib_per_second double precision, OUT log_buffer_sequence_number bigint,
    OUT oldest_read_view_trx_id bigint, OUT oldest_read_view_lsn bigint,
    OUT pending_read_ios bigint, OUT read_ios bigint, OUT iops bigint, OUT cpu double precision
) RETURNS SETOF record
LANGUAGE sql VOLATILE
AS $$
    WITH written AS (
        SELECT pg_catalog.pg_wal_lsn_diff(
            CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
            ELSE pg_catalog.pg_current_wal_lsn() END, '0/0')::bigint AS lsn
    ), writer AS (
        SELECT pg_catalog.current_setting('lab.db_instance_identifier', true) AS name
    )
    SELECT name, 'MASTER_SESSION_ID', lsn, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,
        true, 0, NULL::timestamptz, pg_catalog.clock_timestamp(), NULL::bigint, NULL::bigint,
        NULL::double precision, NULL::double precision, NULL::bigint, NULL::bigint, NULL::bigint,
        NULL::bigint, NULL::bigint, NULL::bigint, NULL::double precision
    FROM writer, written
    UNION ALL
    SELECT reader, pg_catalog.md5(reader)::uuid::text, NULL, lsn, lsn, 0, 0,
        true, 0, NULL, pg_catalog.clock_timestamp(), 0, 0,
        0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM written, pg_catalog.unnest(pg_catalog.string_to_array(
        nullif(pg_catalog.current_setting('lab.readers', true), ''), ',')) AS reader
$$;

-- TLS ends at the lab's endpoints, which come from an address of their own with what came
-- encrypted, so that a server can tell its sessions apart.
SET allow_system_table_mods = on;
DO $$
DECLARE
    told text := pg_catalog.pg_get_viewdef('pg_catalog.pg_stat_ssl'::pg_catalog.regclass);
BEGIN
    IF told NOT LIKE '%127.0.0.2%' THEN
        EXECUTE 'CREATE OR REPLACE VIEW pg_catalog.pg_stat_ssl AS ' || pg_catalog.regexp_replace(
            told, '\m(s\.)?ssl\M', $q$(ssl OR client_addr = '127.0.0.2') AS ssl$q$
        );
    END IF;
END $$;
RESET allow_system_table_mods;
