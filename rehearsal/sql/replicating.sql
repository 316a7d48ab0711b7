-- Below 16. On Aurora a member of rds_replication replicates; a plain server asks for REPLICATION,
-- which only a superuser gives, and takes the role out of the reach of CREATEROLE. So members have it,
-- but while the master works with a temporary table: a password comes by one, so as not to be logged.
--
-- No rights to these functions are granted or revoked: pg_upgrade would carry that, and not them.
CREATE OR REPLACE FUNCTION pg_catalog.rds_let_replicate(let_in boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    member name;
BEGIN
    FOR member IN
        SELECT rolname FROM pg_roles
        WHERE pg_has_role(oid, 'rds_replication', 'MEMBER')
          AND NOT pg_has_role(oid, 'rds_superuser', 'MEMBER')
          AND NOT rolsuper AND rolcanlogin AND rolreplication <> let_in
    LOOP
        LOCK TABLE pg_authid IN SHARE ROW EXCLUSIVE MODE;
        EXECUTE format('ALTER ROLE %I %s', member,
            CASE WHEN let_in THEN 'REPLICATION' ELSE 'NOREPLICATION' END);
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION pg_catalog.rds_before_table() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF pg_has_role(session_user, 'rds_superuser', 'MEMBER') THEN
        PERFORM rds_let_replicate(false);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pg_catalog.rds_after_any() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF tg_tag <> 'CREATE TABLE' OR NOT EXISTS (
        SELECT FROM pg_event_trigger_ddl_commands() WHERE schema_name = 'pg_temp'
    ) THEN
        PERFORM rds_let_replicate(true);
    END IF;
END $$;
