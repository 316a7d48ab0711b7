-- What members of rds_superuser may do on Aurora, whose PostgreSQL is patched for it: publish all
-- tables, subscribe, add extensions. A plain server asks for a superuser, so the member is one for
-- the length of that one command, under a lock, within the transaction of the command.
-- Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.rds_superuser.html
CREATE OR REPLACE FUNCTION pg_catalog.rds_before_command() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    -- current_user is the definer here.
    who name := CASE current_setting('role') WHEN 'none' THEN session_user
        ELSE current_setting('role') END;
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = who)
        AND pg_has_role(who, 'rds_superuser', 'USAGE')
        -- Without that the command is to be refused, in PostgreSQL's own words.
        AND has_database_privilege(who, current_database(), 'CREATE')
    THEN
        LOCK TABLE pg_authid IN SHARE ROW EXCLUSIVE MODE;
        EXECUTE format('ALTER ROLE %I SUPERUSER', who);
        PERFORM set_config('lab.raised', who, true);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pg_catalog.rds_after_command() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    who text := coalesce(current_setting('lab.raised', true), '');
    publication oid;
    foreign_table name;
    of_schemas boolean := false;
BEGIN
    IF who NOT IN (session_user, current_setting('role')) OR session_user = 'rdsadmin' THEN
        RETURN;
    END IF;
    EXECUTE format('ALTER ROLE %I NOSUPERUSER', who);
    PERFORM set_config('lab.raised', '', true);
    -- A superuser publishes anybody's tables and whole schemas; a member of rds_superuser its own.
    SELECT objid INTO publication FROM pg_event_trigger_ddl_commands()
    WHERE classid = 'pg_publication'::regclass;
    SELECT c.relname INTO foreign_table
    FROM pg_publication_rel AS r JOIN pg_class AS c ON c.oid = r.prrelid
    WHERE r.prpubid = publication AND NOT pg_has_role(who, c.relowner, 'USAGE');
    IF FOUND THEN
        RAISE insufficient_privilege
        USING MESSAGE = format('must be owner of table %s', foreign_table);
    END IF;
    IF to_regclass('pg_publication_namespace') IS NOT NULL THEN
        EXECUTE 'SELECT EXISTS (SELECT FROM pg_publication_namespace WHERE pnpubid = $1)'
        INTO of_schemas USING publication;
    END IF;
    IF of_schemas THEN
        RAISE insufficient_privilege
        USING MESSAGE = 'must be superuser to create FOR TABLES IN SCHEMA publication';
    END IF;
END $$;

-- AWS shows the master use replication origins. Below 14 they are for superusers, whatever is granted.
DO $$
DECLARE
    found regprocedure;
BEGIN
    FOR found IN
        SELECT oid FROM pg_catalog.pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
          AND (proname LIKE 'pg\_replication\_origin\_%' OR proname = 'pg_show_replication_origin_status')
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rds_superuser', found);
    END LOOP;
END $$;
GRANT SELECT ON pg_catalog.pg_replication_origin_status TO rds_superuser;
