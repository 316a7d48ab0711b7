-- What applications need of a database beside its rows and what is compared with them (tables, columns,
-- constraints, unique indexes, types): owners and grants, and the code that lives in it. One row each,
-- with what it is made of. Definitions are the server's own words, every schema named (search_path) and
-- every name quoted (quote_all_identifiers); `exact` says that they are the same words on every version.
-- Left out are the server's own objects, those of extensions, of AWS and of blueprime; but what a client's
-- role was granted on the server's and on extensions' objects is among it.
WITH client_schema AS (
    SELECT n.*
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%%' AND n.nspname NOT LIKE 'rds\_%%'
), member AS (
    SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'
), relation AS (
    SELECT c.*, n.nspname, EXISTS (
        SELECT FROM member AS e WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid
    ) AS is_member,
    CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence'
        WHEN 'f' THEN 'foreign table' ELSE 'table' END AS word
    FROM pg_catalog.pg_class AS c
    JOIN client_schema AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relpersistence <> 't'
), routine AS (
    SELECT p.*, n.nspname, EXISTS (
        SELECT FROM member AS e WHERE e.classid = 'pg_catalog.pg_proc'::regclass AND e.objid = p.oid
    ) AS is_member,
    (SELECT coalesce(string_agg(format_type(t.oid, NULL), ', ' ORDER BY t.place), '')
     FROM unnest(p.proargtypes) WITH ORDINALITY AS t (oid, place)) AS arguments
    FROM pg_catalog.pg_proc AS p
    JOIN client_schema AS n ON n.oid = p.pronamespace
), client_type AS (
    SELECT t.*, n.nspname
    FROM pg_catalog.pg_type AS t
    JOIN client_schema AS n ON n.oid = t.typnamespace
    LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
    WHERE (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c' OR (t.typtype = 'b' AND t.typelem = 0))
      AND NOT EXISTS (
          SELECT FROM member AS e WHERE e.classid = 'pg_catalog.pg_type'::regclass AND e.objid = t.oid
      )
), object (kind, names, owner, acl, is_member) AS (
    SELECT 'schema', ARRAY[nspname]::text[], nspowner, coalesce(nspacl, acldefault('n', nspowner)), EXISTS (
        SELECT FROM member AS e WHERE e.classid = 'pg_catalog.pg_namespace'::regclass AND e.objid = n.oid
    )
    FROM client_schema AS n
    UNION ALL
    SELECT word, ARRAY[nspname, relname]::text[], relowner, coalesce(relacl, CASE WHEN NOT is_member
        THEN acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner) END), is_member
    FROM relation
    UNION ALL
    SELECT 'routine', ARRAY[nspname, proname, arguments]::text[], proowner,
        coalesce(proacl, CASE WHEN NOT is_member THEN acldefault('f', proowner) END), is_member
    FROM routine
    UNION ALL
    SELECT 'type', ARRAY[nspname, typname]::text[], typowner,
        coalesce(typacl, acldefault('T', typowner)), false
    FROM client_type
    UNION ALL
    SELECT 'server', ARRAY[srvname]::text[], srvowner, coalesce(srvacl, acldefault('S', srvowner)), EXISTS (
        SELECT FROM member AS e
        WHERE e.classid = 'pg_catalog.pg_foreign_server'::regclass AND e.objid = s.oid
    )
    FROM pg_catalog.pg_foreign_server AS s
), granted (kind, names, owner, acl, clients_alone) AS (
    SELECT kind, names, owner, acl, is_member FROM object
    UNION ALL
    SELECT 'column', ARRAY[r.nspname, r.relname, a.attname]::text[], r.relowner, a.attacl, r.is_member
    FROM relation AS r
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
    UNION ALL
    -- On the server's own objects what the server has granted differs between versions.
    SELECT 'table', ARRAY[n.nspname, c.relname]::text[], c.relowner, c.relacl, true
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relacl IS NOT NULL
    UNION ALL
    SELECT 'routine', ARRAY[n.nspname, p.proname, (
        SELECT coalesce(string_agg(format_type(t.oid, NULL), ', ' ORDER BY t.place), '')
        FROM unnest(p.proargtypes) WITH ORDINALITY AS t (oid, place)
    )]::text[], p.proowner, p.proacl, true
    FROM pg_catalog.pg_proc AS p
    JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = 'pg_catalog' AND p.proacl IS NOT NULL
    UNION ALL
    SELECT 'language', ARRAY[lanname]::text[], lanowner, lanacl, true
    FROM pg_catalog.pg_language WHERE lanacl IS NOT NULL
    UNION ALL
    SELECT 'wrapper', ARRAY[fdwname]::text[], fdwowner, fdwacl, true
    FROM pg_catalog.pg_foreign_data_wrapper WHERE fdwacl IS NOT NULL
), privilege AS (
    SELECT g.kind, g.names, coalesce(r.rolname, '') AS grantee,
        p.privilege_type || CASE WHEN bool_or(p.is_grantable) THEN '*' ELSE '' END AS word
    FROM granted AS g
    CROSS JOIN LATERAL aclexplode(g.acl) AS p
    LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = p.grantee
    WHERE (p.privilege_type <> 'MAINTAIN' OR %(common)s >= 17)
      AND CASE
          WHEN p.grantee = 0 THEN NOT g.clients_alone
          ELSE r.rolname NOT LIKE 'blueprime\_%%' AND r.rolname <> ALL (%(internal)s)
              AND NOT (g.clients_alone AND (r.rolname LIKE 'pg\_%%' OR r.oid IN (10, g.owner)))
      END
    GROUP BY g.kind, g.names, r.rolname, p.privilege_type
), preset AS (
    SELECT r.rolname, coalesce(n.nspname, '') AS nspname, d.defaclobjtype, d.defaclacl,
        CASE WHEN n.oid IS NULL THEN acldefault(
            CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END::"char", d.defaclrole
        ) END AS base
    FROM pg_catalog.pg_default_acl AS d
    JOIN pg_catalog.pg_roles AS r ON r.oid = d.defaclrole
    LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = d.defaclnamespace
    WHERE r.rolname <> ALL (%(internal)s)
), preset_change AS (
    SELECT p.rolname, p.nspname, p.defaclobjtype, coalesce(g.rolname, '') AS grantee,
        c.sign || c.privilege_type || CASE WHEN c.is_grantable THEN '*' ELSE '' END AS word
    FROM preset AS p
    CROSS JOIN LATERAL (
        (SELECT '+' AS sign, x.grantee, x.privilege_type, x.is_grantable FROM aclexplode(p.defaclacl) AS x
         EXCEPT
         SELECT '+', x.grantee, x.privilege_type, x.is_grantable FROM aclexplode(p.base) AS x)
        UNION ALL
        (SELECT '-', x.grantee, x.privilege_type, x.is_grantable FROM aclexplode(p.base) AS x
         EXCEPT
         SELECT '-', x.grantee, x.privilege_type, x.is_grantable FROM aclexplode(p.defaclacl) AS x)
    ) AS c
    LEFT JOIN pg_catalog.pg_roles AS g ON g.oid = c.grantee
    WHERE c.privilege_type <> 'MAINTAIN' OR %(common)s >= 17
)
SELECT 'owner' AS kind, ARRAY[kind]::text[] || names AS names, true AS exact,
    jsonb_build_object('owner', pg_get_userbyid(owner)) AS made
FROM object WHERE NOT is_member
UNION ALL
SELECT 'grant', ARRAY[kind]::text[] || names || grantee::text, true,
    jsonb_build_object('privileges', jsonb_agg(word ORDER BY word))
FROM privilege
GROUP BY kind, names, grantee
UNION ALL
SELECT 'default', ARRAY[rolname, nspname, CASE defaclobjtype
        WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES'
        WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END, grantee]::text[], true,
    jsonb_build_object('privileges', jsonb_agg(word ORDER BY word))
FROM preset_change
GROUP BY rolname, nspname, defaclobjtype, grantee
UNION ALL
SELECT 'routine', ARRAY[nspname, proname, arguments]::text[],
    pronargdefaults = 0 AND prokind IN ('f', 'w')
    AND prosqlbody IS NULL -- since 14
    , jsonb_build_object('kind', prokind, 'definition', pg_get_functiondef(oid))
FROM routine WHERE prokind <> 'a' AND NOT is_member
UNION ALL
SELECT 'routine', ARRAY[r.nspname, r.proname, r.arguments]::text[], false, jsonb_build_object(
    'kind', 'a', 'result', format_type(r.prorettype, NULL), 'transition', a.aggtransfn::regproc::text,
    'final', a.aggfinalfn::regproc::text, 'initial', a.agginitval
)
FROM routine AS r JOIN pg_catalog.pg_aggregate AS a ON a.aggfnoid = r.oid
WHERE NOT r.is_member
UNION ALL
SELECT word, ARRAY[nspname, relname]::text[], false, jsonb_build_object(
    'definition', pg_get_viewdef(oid), 'options', coalesce(to_jsonb(reloptions), '[]'),
    'columns', (SELECT jsonb_agg(attname ORDER BY attnum) FROM pg_catalog.pg_attribute
                WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped)
)
FROM relation WHERE relkind IN ('v', 'm') AND NOT is_member
UNION ALL
SELECT 'foreign table', ARRAY[r.nspname, r.relname]::text[], true, jsonb_build_object(
    'server', s.srvname,
    'columns', (SELECT jsonb_agg(jsonb_build_array(attname, format_type(atttypid, atttypmod)) ORDER BY attnum)
                FROM pg_catalog.pg_attribute
                WHERE attrelid = r.oid AND attnum > 0 AND NOT attisdropped)
)
FROM relation AS r
JOIN pg_catalog.pg_foreign_table AS f ON f.ftrelid = r.oid
JOIN pg_catalog.pg_foreign_server AS s ON s.oid = f.ftserver
WHERE NOT r.is_member
UNION ALL
-- One that is still being built, or whose building failed, is none yet.
SELECT 'index', ARRAY[r.nspname, r.relname, c.relname]::text[], false, jsonb_build_object(
    'definition', pg_get_indexdef(i.indexrelid), 'of', r.relkind
)
FROM relation AS r
JOIN pg_catalog.pg_index AS i ON i.indrelid = r.oid AND (i.indisvalid OR r.relkind = 'p')
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid AND NOT c.relispartition
WHERE NOT r.is_member AND (r.relkind = 'm' OR NOT i.indisunique)
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
  )
UNION ALL
-- Those that fire when rows are applied are compared with the tables.
SELECT 'trigger', ARRAY[r.nspname, r.relname, t.tgname]::text[], false, jsonb_build_object(
    'definition', pg_get_triggerdef(t.oid), 'enabled', t.tgenabled
)
FROM relation AS r
JOIN pg_catalog.pg_trigger AS t
    ON t.tgrelid = r.oid AND NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled IN ('O', 'D')
WHERE NOT r.is_member
UNION ALL
-- A partition has its parent's triggers; one that fires otherwise than its parent's is a change.
-- Before 15 each of them is called internal, so only those of foreign keys are left out.
SELECT 'partition trigger', ARRAY[r.nspname, r.relname, t.tgname]::text[], false, jsonb_build_object(
    'enabled', t.tgenabled, 'inherited', parent.tgenabled
)
FROM relation AS r
JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = r.oid AND t.tgenabled IN ('O', 'D')
JOIN pg_catalog.pg_trigger AS parent ON parent.oid = t.tgparentid AND parent.tgenabled <> t.tgenabled
WHERE NOT r.is_member AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_constraint AS k WHERE k.oid = t.tgconstraint AND k.contype <> 't'
)
UNION ALL
SELECT 'rule', ARRAY[r.nspname, r.relname, w.rulename]::text[], false, jsonb_build_object(
    'definition', pg_get_ruledef(w.oid), 'enabled', w.ev_enabled
)
FROM relation AS r
JOIN pg_catalog.pg_rewrite AS w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'
WHERE NOT r.is_member
UNION ALL
SELECT 'policy', ARRAY[r.nspname, r.relname, p.polname]::text[],
    p.polqual IS NULL AND p.polwithcheck IS NULL, jsonb_build_object(
    'permissive', p.polpermissive, 'command', p.polcmd, 'roles', (
        SELECT jsonb_agg(u.name ORDER BY u.name COLLATE "C")
        FROM (
            SELECT CASE WHEN oid = 0 THEN '' ELSE pg_get_userbyid(oid)::text END AS name
            FROM unnest(p.polroles) AS oid
        ) AS u
    ),
    'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)
)
FROM relation AS r
JOIN pg_catalog.pg_policy AS p ON p.polrelid = r.oid
WHERE NOT r.is_member
UNION ALL
SELECT 'row security', ARRAY[nspname, relname]::text[], true,
    jsonb_build_object('enabled', relrowsecurity, 'forced', relforcerowsecurity)
FROM relation WHERE (relrowsecurity OR relforcerowsecurity) AND NOT is_member
UNION ALL
SELECT 'event trigger', ARRAY[t.evtname]::text[], true, jsonb_build_object(
    'event', t.evtevent, 'tags', coalesce(to_jsonb(t.evttags), '[]'), 'enabled', t.evtenabled,
    'function', t.evtfoid::regproc::text
)
FROM pg_catalog.pg_event_trigger AS t
JOIN pg_catalog.pg_roles AS r ON r.oid = t.evtowner AND r.rolname <> ALL (%(internal)s)
WHERE NOT EXISTS (
    SELECT FROM member AS e WHERE e.classid = 'pg_catalog.pg_event_trigger'::regclass AND e.objid = t.oid
)
UNION ALL
SELECT 'statistics', ARRAY[n.nspname, s.stxname]::text[], false,
    jsonb_build_object('definition', pg_get_statisticsobjdef(s.oid))
FROM pg_catalog.pg_statistic_ext AS s JOIN client_schema AS n ON n.oid = s.stxnamespace
UNION ALL
SELECT 'operator', ARRAY[n.nspname, o.oprname, CASE WHEN o.oprleft = 0 THEN '' ELSE format_type(o.oprleft, NULL) END,
        format_type(o.oprright, NULL)]::text[], true, jsonb_build_object('function', o.oprcode::regproc::text)
FROM pg_catalog.pg_operator AS o JOIN client_schema AS n ON n.oid = o.oprnamespace
WHERE NOT EXISTS (
    SELECT FROM member AS e WHERE e.classid = 'pg_catalog.pg_operator'::regclass AND e.objid = o.oid
)
UNION ALL
SELECT 'operator class', ARRAY[n.nspname, o.opcname, m.amname]::text[], true,
    jsonb_build_object('type', format_type(o.opcintype, NULL), 'default', o.opcdefault)
FROM pg_catalog.pg_opclass AS o
JOIN client_schema AS n ON n.oid = o.opcnamespace
JOIN pg_catalog.pg_am AS m ON m.oid = o.opcmethod
WHERE NOT EXISTS (
    SELECT FROM member AS e WHERE e.classid = 'pg_catalog.pg_opclass'::regclass AND e.objid = o.oid
)
UNION ALL
SELECT 'cast', ARRAY[format_type(c.castsource, NULL), format_type(c.casttarget, NULL)]::text[], true,
    jsonb_build_object(
        'context', c.castcontext, 'method', c.castmethod,
        'function', CASE WHEN c.castfunc <> 0 THEN c.castfunc::regproc::text END
    )
FROM pg_catalog.pg_cast AS c
WHERE c.oid >= 16384 AND NOT EXISTS (
    SELECT FROM member AS e WHERE e.classid = 'pg_catalog.pg_cast'::regclass AND e.objid = c.oid
)
UNION ALL
SELECT 'collation', ARRAY[n.nspname, c.collname]::text[], true, jsonb_build_object('provider', c.collprovider)
FROM pg_catalog.pg_collation AS c JOIN client_schema AS n ON n.oid = c.collnamespace
WHERE NOT EXISTS (
    SELECT FROM member AS e WHERE e.classid = 'pg_catalog.pg_collation'::regclass AND e.objid = c.oid
)
UNION ALL
SELECT 'text search configuration', ARRAY[n.nspname, c.cfgname]::text[], true, '{}'::jsonb
FROM pg_catalog.pg_ts_config AS c JOIN client_schema AS n ON n.oid = c.cfgnamespace
WHERE NOT EXISTS (
    SELECT FROM member AS e WHERE e.classid = 'pg_catalog.pg_ts_config'::regclass AND e.objid = c.oid
)
UNION ALL
SELECT 'text search dictionary', ARRAY[n.nspname, c.dictname]::text[], true,
    jsonb_build_object('options', c.dictinitoption)
FROM pg_catalog.pg_ts_dict AS c JOIN client_schema AS n ON n.oid = c.dictnamespace
WHERE NOT EXISTS (
    SELECT FROM member AS e WHERE e.classid = 'pg_catalog.pg_ts_dict'::regclass AND e.objid = c.oid
)
UNION ALL
-- Options of servers and of user mappings may hold passwords: they are not looked at.
SELECT 'server', ARRAY[s.srvname]::text[], true, jsonb_build_object('wrapper', w.fdwname)
FROM pg_catalog.pg_foreign_server AS s JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw
UNION ALL
SELECT 'user mapping', ARRAY[srvname, usename]::text[], true, '{}'::jsonb
FROM pg_catalog.pg_user_mappings
UNION ALL
-- The versions of those with types of their own are compared with the tables.
SELECT 'extension', ARRAY[x.extname]::text[], false, jsonb_build_object('version', x.extversion)
FROM pg_catalog.pg_extension AS x
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend AS d
    WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = x.oid
      AND d.classid = 'pg_catalog.pg_type'::regclass AND d.deptype = 'e'
)
