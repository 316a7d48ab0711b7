-- The functions of Aurora that tools ask; pg_upgrade leaves out what lies in pg_catalog.
CREATE OR REPLACE FUNCTION pg_catalog.aurora_db_instance_identifier() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT pg_catalog.current_setting('lab.db_instance_identifier', true) $$;

CREATE OR REPLACE FUNCTION pg_catalog.aurora_version() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1) $$;
