-- The tables that a subscription of this database takes, each with its state: i, d and f while its
-- rows are copied, s when they are, r from when it goes with the others.
SELECT n.nspname AS schema, c.relname AS name, r.srsubstate::text AS state
FROM pg_catalog.pg_subscription_rel AS r
JOIN (SELECT DISTINCT subid, subname FROM pg_catalog.pg_stat_subscription) AS s
    ON s.subid = r.srsubid
JOIN pg_catalog.pg_class AS c ON c.oid = r.srrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE s.subname = %s
