-- In a database without an encoding names are bytes. Those that are no ASCII, as hexadecimal digits.
SELECT DISTINCT kind, encode(convert_to(name, 'SQL_ASCII'), 'hex') AS bytes
FROM (
    SELECT 'schema', nspname::text FROM pg_catalog.pg_namespace
    UNION ALL
    SELECT 'relation', relname::text FROM pg_catalog.pg_class
    UNION ALL
    SELECT 'column', attname::text FROM pg_catalog.pg_attribute
    UNION ALL
    SELECT 'constraint', conname::text FROM pg_catalog.pg_constraint
    UNION ALL
    SELECT 'function', proname::text FROM pg_catalog.pg_proc
    UNION ALL
    SELECT 'type', typname::text FROM pg_catalog.pg_type WHERE typtype IN ('d', 'e', 'r')
    UNION ALL
    SELECT 'label of an enum', enumlabel::text FROM pg_catalog.pg_enum
) AS named (kind, name)
WHERE current_setting('server_encoding') = 'SQL_ASCII'
  AND octet_length(regexp_replace(name, '[^\x01-\x7f]', '', 'g')) < octet_length(name)
ORDER BY 1, 2
