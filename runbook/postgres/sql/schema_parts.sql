-- What schemas are made of, part by part, in the server's own words: types and expressions name
-- every schema but pg_catalog (search_path). What follows from a parent (columns, constraints and
-- indexes of partitions) is left out, and so are members of extensions.
WITH relation AS (
    SELECT c.*, n.nspname
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'S')
      AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema'
      AND n.nspname NOT LIKE 'pg\_%'
      AND n.nspname NOT LIKE 'rds\_%'
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend AS d
          WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
      )
)
SELECT 'table' AS kind, nspname AS schema, relname AS name, '' AS part, jsonb_build_object(
    'number', oid::bigint, 'kind', relkind, 'persistence', relpersistence, 'identity', relreplident,
    'partition_key', CASE WHEN relkind = 'p' THEN pg_get_partkeydef(oid) END,
    'parent', (
        SELECT jsonb_build_array(pn.nspname, p.relname)
        FROM pg_catalog.pg_inherits AS i
        JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
        JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
        WHERE i.inhrelid = relation.oid AND relation.relispartition
    ),
    'bound', CASE WHEN relispartition THEN pg_get_expr(relpartbound, oid) END,
    'options', coalesce(to_jsonb(reloptions), '[]'),
    'owner', pg_get_userbyid(relowner),
    'grants', coalesce((
        SELECT jsonb_agg(jsonb_build_array(
            CASE WHEN g.grantee = 0 THEN '' ELSE pg_get_userbyid(g.grantee) END,
            g.privilege_type, g.is_grantable
        ) ORDER BY g.grantee, g.privilege_type)
        FROM aclexplode(relacl) AS g WHERE g.grantee <> relowner
    ), '[]'),
    'oddities', to_jsonb(array_remove(ARRAY[
        CASE WHEN relpersistence = 'u' THEN 'it is unlogged' END,
        CASE WHEN reloftype <> 0 THEN 'it is a typed table' END,
        CASE WHEN NOT relispartition AND EXISTS (
            SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = relation.oid
        ) THEN 'it inherits from another table' END,
        CASE WHEN relkind = 'r' AND relam <> (
            SELECT oid FROM pg_catalog.pg_am WHERE amname = 'heap'
        ) THEN 'it has an access method of its own' END,
        CASE WHEN relrowsecurity OR EXISTS (
            SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = relation.oid
        ) THEN 'it has row-level security' END,
        CASE WHEN EXISTS (
            SELECT FROM pg_catalog.pg_trigger AS t
            -- A partition gets its parent's with it.
            WHERE t.tgrelid = relation.oid AND NOT t.tgisinternal AND t.tgparentid = 0
        ) THEN 'it has triggers' END,
        CASE WHEN relhasrules THEN 'it has rules' END,
        CASE WHEN EXISTS (
            SELECT FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = relation.oid AND a.attnum > 0 AND a.attacl IS NOT NULL
        ) THEN 'it has grants on columns' END,
        CASE WHEN EXISTS (
            SELECT FROM pg_catalog.pg_statistic_ext AS s WHERE s.stxrelid = relation.oid
        ) THEN 'it has extended statistics' END
    ], NULL))
) AS definition
FROM relation WHERE relkind IN ('r', 'p')
UNION ALL
SELECT 'column', r.nspname, r.relname, a.attname, jsonb_build_object(
    'position', a.attnum, 'type', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
    'identity', a.attidentity, 'generated', a.attgenerated,
    'default', pg_get_expr(d.adbin, d.adrelid),
    'collation', CASE WHEN a.attcollation <> t.typcollation
        THEN a.attcollation::regcollation::text END,
    'sequence', (
        SELECT jsonb_build_array(
            sn.nspname, s.relname, q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache,
            q.seqcycle
        )
        FROM pg_catalog.pg_depend AS x
        JOIN pg_catalog.pg_class AS s ON s.oid = x.objid AND s.relkind = 'S'
        JOIN pg_catalog.pg_namespace AS sn ON sn.oid = s.relnamespace
        JOIN pg_catalog.pg_sequence AS q ON q.seqrelid = s.oid
        WHERE x.classid = 'pg_catalog.pg_class'::regclass
          AND x.refclassid = 'pg_catalog.pg_class'::regclass
          AND x.refobjid = r.oid AND x.refobjsubid = a.attnum AND x.deptype = 'i'
    )
)
FROM relation AS r
JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attinhcount = 0
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = r.oid AND d.adnum = a.attnum
WHERE r.relkind IN ('r', 'p')
UNION ALL
SELECT 'constraint', r.nspname, r.relname, k.conname, jsonb_build_object(
    'type', k.contype, 'definition', pg_get_constraintdef(k.oid),
    -- Of a foreign key: the index of the key that it refers to.
    'rests_on', CASE WHEN k.contype = 'f' THEN (
        SELECT jsonb_build_array(n.nspname, t.relname, i.relname)
        FROM pg_catalog.pg_class AS t
        JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
        JOIN pg_catalog.pg_class AS i ON i.oid = k.conindid
        WHERE t.oid = k.confrelid
    ) END
)
FROM relation AS r
JOIN pg_catalog.pg_constraint AS k ON k.conrelid = r.oid AND k.contype IN ('p', 'u', 'f', 'c', 'x')
WHERE k.conparentid = 0 AND k.coninhcount = 0
UNION ALL
SELECT 'index', r.nspname, r.relname, ic.relname, jsonb_build_object(
    'definition', pg_get_indexdef(i.indexrelid), 'unique', i.indisunique,
    'identity', i.indisreplident, 'valid', i.indisvalid
)
FROM relation AS r
JOIN pg_catalog.pg_index AS i ON i.indrelid = r.oid
JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid AND NOT ic.relispartition
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_constraint AS k
    WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
)
UNION ALL
SELECT 'sequence', r.nspname, r.relname, '', jsonb_build_object(
    'type', format_type(s.seqtypid, NULL), 'start', s.seqstart, 'increment', s.seqincrement,
    'min', s.seqmin, 'max', s.seqmax, 'cache', s.seqcache, 'cycle', s.seqcycle,
    'owner', pg_get_userbyid(r.relowner),
    'grants', coalesce((
        SELECT jsonb_agg(jsonb_build_array(
            CASE WHEN g.grantee = 0 THEN '' ELSE pg_get_userbyid(g.grantee) END,
            g.privilege_type, g.is_grantable
        ) ORDER BY g.grantee, g.privilege_type)
        FROM aclexplode(r.relacl) AS g WHERE g.grantee <> r.relowner
    ), '[]'),
    'owned', (
        SELECT jsonb_build_array(tn.nspname, t.relname, a.attname)
        FROM pg_catalog.pg_depend AS x
        JOIN pg_catalog.pg_class AS t ON t.oid = x.refobjid
        JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = x.refobjsubid
        WHERE x.classid = 'pg_catalog.pg_class'::regclass AND x.objid = r.oid
          AND x.refclassid = 'pg_catalog.pg_class'::regclass AND x.deptype = 'a'
    )
)
FROM relation AS r
JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = r.oid
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend AS x
    WHERE x.classid = 'pg_catalog.pg_class'::regclass AND x.objid = r.oid AND x.deptype = 'i'
)
UNION ALL
SELECT 'enum', n.nspname, t.typname, '', jsonb_build_object(
    'owner', pg_get_userbyid(t.typowner),
    'labels', (
        SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder)
        FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = t.oid
    )
)
FROM pg_catalog.pg_type AS t
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
WHERE t.typtype = 'e'
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS d
      WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
  )
UNION ALL
SELECT 'schema', n.nspname, '', '', jsonb_build_object(
    'owner', pg_get_userbyid(n.nspowner),
    'grants', coalesce((
        SELECT jsonb_agg(jsonb_build_array(
            CASE WHEN g.grantee = 0 THEN '' ELSE pg_get_userbyid(g.grantee) END,
            g.privilege_type, g.is_grantable
        ) ORDER BY g.grantee, g.privilege_type)
        FROM aclexplode(n.nspacl) AS g WHERE g.grantee <> n.nspowner
    ), '[]')
)
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
