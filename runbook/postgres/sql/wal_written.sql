-- Up to where this server has written WAL, in bytes: it grows with each row that is applied.
SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint AS position
