-- Tables of which a subscription of this database does not apply all changes yet.
SELECT n.nspname AS schema, c.relname AS name
FROM pg_catalog.pg_subscription_rel AS r
JOIN pg_catalog.pg_class AS c ON c.oid = r.srrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE r.srsubstate <> 'r'
