-- Notes DDL on blue while a deployment lasts. The table is unlogged, so that the publication for
-- all tables leaves it out. Rights (GRANT, REVOKE) and temporary objects do not degrade a
-- deployment; roles, databases and settings fire no event triggers at all.
CREATE SCHEMA rds_internal;
CREATE UNLOGGED TABLE rds_internal.ddl_log (
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    xact xid8 NOT NULL DEFAULT pg_current_xact_id(),
    tag text NOT NULL,
    object text
);

CREATE FUNCTION rds_internal.note_command() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    told bigint;
    permanent bigint;
    name text;
BEGIN
    IF session_user = 'rdsadmin' OR tg_tag ~ '^(GRANT|REVOKE|DROP|ALTER DEFAULT PRIVILEGES)' THEN
        RETURN;
    END IF;
    SELECT count(*), count(*) FILTER (WHERE lasting), min(object_identity) FILTER (WHERE lasting)
    INTO told, permanent, name
    FROM (
        SELECT object_identity, schema_name IS DISTINCT FROM 'pg_temp' AS lasting
        FROM pg_event_trigger_ddl_commands()
    ) AS command;
    -- A command that found its object already there (IF NOT EXISTS) tells of none, and degrades.
    IF permanent > 0 OR (told = 0 AND current_query() !~* '\mtemp(orary)?\M') THEN
        INSERT INTO rds_internal.ddl_log (tag, object) VALUES (tg_tag, name);
    END IF;
END $$;

CREATE FUNCTION rds_internal.note_drop() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF session_user <> 'rdsadmin' THEN
        INSERT INTO rds_internal.ddl_log (tag, object)
        SELECT tg_tag, min(object_identity) FROM pg_event_trigger_dropped_objects()
        WHERE original AND NOT is_temporary
        HAVING count(*) > 0;
    END IF;
END $$;

CREATE EVENT TRIGGER rds_note_command ON ddl_command_end EXECUTE FUNCTION rds_internal.note_command();
CREATE EVENT TRIGGER rds_note_drop ON sql_drop EXECUTE FUNCTION rds_internal.note_drop();
