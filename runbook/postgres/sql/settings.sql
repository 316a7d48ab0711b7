SELECT name, setting AS value, unit, source, boot_val AS boot_value, pending_restart
FROM pg_catalog.pg_settings
WHERE name = ANY (%s)
