-- Prints an expression as this server reads it, over and over: what it has read is not always
-- printed as it was written (an array of casts becomes a cast of an array), but stands still after
-- a round or two. Nothing is left of the table or the domain that it is made for, no row is read and
-- the expression is not evaluated (NOT VALID). Returns what was printed, round by round.
CREATE FUNCTION pg_temp.blueprime_reprint(line_kind text, schema_name text, object_name text, term text)
RETURNS text[] LANGUAGE plpgsql SET search_path = pg_catalog AS $function$
DECLARE
    printed text[] := '{}';
    expression text := format('(%s) IS NULL', term);
    source text := format('%I.%I', schema_name, object_name);
    made text;
    kind text := CASE line_kind WHEN 'type' THEN 'DOMAIN' ELSE 'TABLE' END;
BEGIN
    IF kind = 'DOMAIN' THEN
        made := 'pg_temp.blueprime_reprint';
        EXECUTE format('CREATE DOMAIN %s AS %s', made, (
            SELECT format_type(typbasetype, typtypmod) FROM pg_type WHERE oid = source::regtype
        ));
    ELSE
        -- Of the same name: an expression may be about the row as a whole.
        made := format('pg_temp.%I', object_name);
        EXECUTE format('CREATE TABLE %s (LIKE %s)', made, source);
    END IF;
    FOR round IN 1..4 LOOP
        EXECUTE format(
            'ALTER %s %s ADD CONSTRAINT blueprime CHECK (%s) NOT VALID', kind, made, expression
        );
        SELECT pg_get_expr(conbin, conrelid) INTO STRICT expression
        FROM pg_constraint
        WHERE conname = 'blueprime'
          AND CASE kind WHEN 'TABLE' THEN conrelid = made::regclass
              ELSE contypid = made::regtype END;
        printed := printed || expression;
        EXECUTE format('ALTER %s %s DROP CONSTRAINT blueprime', kind, made);
    END LOOP;
    RAISE EXCEPTION USING ERRCODE = 'BP001';
EXCEPTION
    -- Another session's lock says nothing about the expression.
    WHEN lock_not_available THEN RAISE;
    -- The block is rolled back with all that it has made and locked; what was printed stays.
    WHEN OTHERS THEN RETURN printed;
END
$function$
