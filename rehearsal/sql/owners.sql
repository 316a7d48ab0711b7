-- Who owns what, once it is made: several roles, as teams have them. The master keeps a few tables.
GRANT USAGE, CREATE ON SCHEMA public TO shop_owner, auditor;
GRANT USAGE, CREATE ON SCHEMA "Lager & Søn" TO "Lager ""Ejer""";

DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT c.oid::regclass AS name, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW'
                WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END AS word,
            CASE WHEN c.relnamespace::regnamespace::text = '"Lager & Søn"' THEN 'Lager "Ejer"'
                WHEN c.relname IN ('audit_log', 'payment') THEN 'auditor'
                ELSE 'shop_owner' END AS owner
        FROM pg_class AS c
        WHERE c.relkind IN ('r', 'p', 'S', 'v', 'm')
          AND c.relnamespace IN ('public'::regnamespace, '"Lager & Søn"'::regnamespace)
          AND c.relname NOT IN ('document', 'preference')
          -- What an extension brought stays with it.
          AND NOT EXISTS (
              SELECT FROM pg_depend AS d
              WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
          )
          -- A column's own sequence goes with its table.
          AND NOT EXISTS (
              SELECT FROM pg_depend AS d
              WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                AND c.relkind = 'S' AND d.deptype IN ('a', 'i')
          )
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO %I', found.word, found.name, found.owner);
    END LOOP;
END $$;

ALTER TYPE order_status OWNER TO shop_owner;
ALTER FUNCTION stamp() OWNER TO shop_owner;
ALTER SCHEMA "Lager & Søn" OWNER TO "Lager ""Ejer""";
