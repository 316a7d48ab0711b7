-- One row for each thing that both sides must have alike for rows to go from one to the other, and
-- for an application to find there what it left: kind, names (schema, relation, part) and the whole
-- as one line of text; the expressions in it once more, each as it stands in the text (terms), and of
-- a column whose table has rows what makes its values (type, collation), of a table whether it is unlogged. Types and expressions are
-- written by the server with every schema named (search_path is pg_catalog). Not included: what may
-- differ between versions or does not matter to replication, such as owners, grants, comments, plain
-- indexes, NOT NULL as a constraint (18); and what a partition has from its parent, or a foreign key for each
-- partition that it refers to (conparentid): their names depend on what was there when they were made.
-- Which of pg_catalog's own types are words of SQL, and so never quoted, differs too (json since 17):
-- none of them is quoted here.
-- What is published is what the subscription knows where both are well: the publisher names it by
-- the publication, the subscriber by the tables of the subscription that are ready.
WITH relation AS (
    SELECT c.*, n.nspname, format('%%I.%%I', n.nspname, c.relname) AS label
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'S')
      AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema'
      AND n.nspname NOT LIKE 'pg\_%%'
      AND n.nspname NOT LIKE 'rds\_%%'
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend AS d
          WHERE d.classid = 'pg_catalog.pg_class'::regclass
            AND d.objid = c.oid
            AND d.deptype = 'e'
      )
), user_type AS (
    SELECT t.*, n.nspname, format('%%I.%%I', n.nspname, t.typname) AS label
    FROM pg_catalog.pg_type AS t
    JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
    WHERE n.nspname <> 'information_schema'
      AND n.nspname NOT LIKE 'pg\_%%'
      AND n.nspname NOT LIKE 'rds\_%%'
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend AS d
          WHERE d.classid = 'pg_catalog.pg_type'::regclass
            AND d.objid = t.oid
            AND d.deptype = 'e'
      )
), index_term (oid, terms) AS (
    SELECT i.indexrelid, array_remove(
        ARRAY(
            SELECT pg_get_indexdef(i.indexrelid, place::int, false)
            FROM unnest(i.indkey) WITH ORDINALITY AS key (number, place)
            WHERE number = 0
            ORDER BY place
        ) || pg_get_expr(i.indpred, i.indrelid), NULL
    )
    FROM pg_catalog.pg_index AS i
), line (kind, names, text, terms, makes) AS (
    SELECT
        'table', ARRAY[nspname, relname]::text[],
        format('table %%s', label)
        || CASE relpersistence WHEN 'u' THEN ' unlogged' ELSE '' END
        || CASE relreplident
            WHEN 'f' THEN ' identity full'
            WHEN 'n' THEN ' identity nothing'
            WHEN 'i' THEN ' identity index'
            ELSE ''
        END
        || coalesce(' partition by ' || pg_get_partkeydef(oid), '')
        || coalesce(
            ' partition of ' || (
                SELECT p.label
                FROM pg_catalog.pg_inherits AS i
                JOIN relation AS p ON p.oid = i.inhparent
                WHERE i.inhrelid = relation.oid AND relation.relispartition
            ) || ' ' || pg_get_expr(relpartbound, oid), ''
        ),
        ARRAY[]::text[], CASE WHEN relpersistence = 'u' THEN 'unlogged' ELSE '' END
    FROM relation
    WHERE relkind IN ('r', 'p')
    UNION ALL
    SELECT
        'column', ARRAY[r.nspname, r.relname, a.attname]::text[],
        format('column %%s.%%I %%s', r.label, a.attname, regexp_replace(format_type(a.atttypid, a.atttypmod), '^"([a-z0-9_]+)"(?!\.)', '\1'))
        || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
        -- From 17 on partitions show the identity of their parent.
        || CASE WHEN r.relispartition THEN '' ELSE CASE a.attidentity
            WHEN 'a' THEN ' identity always'
            WHEN 'd' THEN ' identity by default'
            ELSE ''
        END END
        || CASE a.attgenerated
            WHEN 's' THEN ' generated stored '
            WHEN 'v' THEN ' generated virtual '
            ELSE ''
        END
        || coalesce(
            CASE WHEN a.attgenerated = '' THEN ' default ' ELSE '' END
            || pg_get_expr(d.adbin, d.adrelid), ''
        )
        || CASE WHEN a.attcollation <> t.typcollation
            THEN ' collate ' || a.attcollation::regcollation::text ELSE ''
        END,
        CASE WHEN d.oid IS NULL THEN ARRAY[]::text[]
            ELSE ARRAY[pg_get_expr(d.adbin, d.adrelid)] END,
        CASE WHEN r.relkind = 'r' THEN concat_ws(
            ' ', regexp_replace(format_type(a.atttypid, a.atttypmod), '^"([a-z0-9_]+)"(?!\.)', '\1'), nullif(a.attgenerated, '')::text,
            CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END
        ) ELSE '' END
    FROM relation AS r
    JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = r.oid AND d.adnum = a.attnum
    WHERE r.relkind IN ('r', 'p')
    UNION ALL
    SELECT
        'constraint', ARRAY[r.nspname, r.relname, k.conname]::text[],
        format('constraint %%I on %%s %%s', k.conname, r.label, pg_get_constraintdef(k.oid)),
        CASE k.contype
            WHEN 'c' THEN ARRAY[pg_get_expr(k.conbin, k.conrelid)]
            WHEN 'x' THEN (SELECT terms FROM index_term WHERE index_term.oid = k.conindid)
            ELSE ARRAY[]::text[]
        END, ''
    FROM relation AS r
    JOIN pg_catalog.pg_constraint AS k ON k.conrelid = r.oid AND k.contype IN ('p', 'u', 'f', 'c', 'x')
    WHERE k.conparentid = 0
    UNION ALL
    SELECT
        'index', ARRAY[r.nspname, r.relname, ic.relname]::text[],
        'unique index ' || regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE UNIQUE INDEX ', '')
        || CASE WHEN i.indisreplident THEN ' identity' ELSE '' END
        || CASE WHEN NOT i.indisvalid THEN ' invalid' ELSE '' END,
        (SELECT terms FROM index_term WHERE index_term.oid = i.indexrelid), ''
    FROM relation AS r
    JOIN pg_catalog.pg_index AS i ON i.indrelid = r.oid AND i.indisunique AND NOT i.indisprimary
    JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
    WHERE NOT ic.relispartition OR i.indisreplident
    UNION ALL
    SELECT
        'sequence', ARRAY[r.nspname, r.relname]::text[],
        format(
            'sequence %%s as %%s increment %%s min %%s max %%s', r.label,
            regexp_replace(format_type(s.seqtypid, NULL), '^"([a-z0-9_]+)"(?!\.)', '\1'), s.seqincrement, s.seqmin, s.seqmax
        )
        || CASE WHEN s.seqcycle THEN ' cycle' ELSE '' END,
        ARRAY[]::text[], ''
    FROM relation AS r
    JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = r.oid
    UNION ALL
    SELECT 'type', ARRAY[nspname, typname]::text[], format(
        'type %%s enum (%%s)', label,
        (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
         FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = user_type.oid)
    ), ARRAY[]::text[], ''
    FROM user_type WHERE typtype = 'e'
    UNION ALL
    SELECT
        'type', ARRAY[nspname, typname]::text[],
        format('type %%s domain %%s', label, regexp_replace(format_type(typbasetype, typtypmod), '^"([a-z0-9_]+)"(?!\.)', '\1'))
        || CASE WHEN typnotnull THEN ' not null' ELSE '' END
        || coalesce(' default ' || pg_get_expr(typdefaultbin, 0), '')
        || coalesce(
            (SELECT string_agg(' ' || pg_get_constraintdef(k.oid), '' ORDER BY k.conname COLLATE "C")
             FROM pg_catalog.pg_constraint AS k
             WHERE k.contypid = user_type.oid AND k.contype = 'c'), ''
        ),
        CASE WHEN typdefaultbin IS NULL THEN ARRAY[]::text[]
            ELSE ARRAY[pg_get_expr(typdefaultbin, 0)] END
        || ARRAY(
            SELECT pg_get_expr(k.conbin, 0)
            FROM pg_catalog.pg_constraint AS k
            WHERE k.contypid = user_type.oid AND k.contype = 'c'
            ORDER BY k.conname COLLATE "C"
        ), ''
    FROM user_type WHERE typtype = 'd'
    UNION ALL
    SELECT 'type', ARRAY[nspname, typname]::text[], format(
        'type %%s composite (%%s)', label,
        (SELECT string_agg(
            format('%%I %%s', a.attname, regexp_replace(format_type(a.atttypid, a.atttypmod), '^"([a-z0-9_]+)"(?!\.)', '\1')), ', ' ORDER BY a.attnum)
         FROM pg_catalog.pg_attribute AS a
         WHERE a.attrelid = user_type.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
    ), ARRAY[]::text[], ''
    FROM user_type
    JOIN pg_catalog.pg_class AS c ON c.oid = user_type.typrelid AND c.relkind = 'c'
    WHERE typtype = 'c'
    UNION ALL
    SELECT
        'type', ARRAY[nspname, typname]::text[],
        format('type %%s range of %%s', label, regexp_replace(format_type(g.rngsubtype, NULL), '^"([a-z0-9_]+)"(?!\.)', '\1')),
        ARRAY[]::text[], ''
    FROM user_type
    JOIN pg_catalog.pg_range AS g ON g.rngtypid = user_type.oid
    UNION ALL
    -- From here on: what fires when rows are applied, what is installed, what travels.
    SELECT
        'trigger', ARRAY[r.nspname, r.relname, t.tgname]::text[],
        format('trigger %%I on %%s fires %%s', t.tgname, r.label,
            CASE t.tgenabled WHEN 'A' THEN 'always' ELSE 'for replication' END),
        ARRAY[]::text[], ''
    FROM relation AS r
    JOIN pg_catalog.pg_trigger AS t
        ON t.tgrelid = r.oid AND NOT t.tgisinternal AND t.tgenabled IN ('A', 'R')
    UNION ALL
    SELECT
        'extension', ARRAY[extname]::text[], format('extension %%I', extname), ARRAY[]::text[], ''
    FROM pg_catalog.pg_extension
    UNION ALL
    -- Values of its types travel as text that the other version must be able to read.
    SELECT
        'version', ARRAY[e.extname]::text[],
        format('extension %%I version %%s', e.extname, e.extversion), ARRAY[]::text[], ''
    FROM pg_catalog.pg_extension AS e
    WHERE EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
          AND d.classid = 'pg_catalog.pg_type'::regclass AND d.deptype = 'e'
    )
    UNION ALL
    SELECT
        'publication', ARRAY[p.schemaname, p.tablename]::text[],
        format('published table %%I.%%I', p.schemaname, p.tablename), ARRAY[]::text[], ''
    FROM pg_catalog.pg_publication_tables AS p
    WHERE %(side)s = 'publisher' AND p.pubname = %(publication)s
    UNION ALL
    SELECT
        'publication', ARRAY[n.nspname, c.relname]::text[],
        format('published table %%I.%%I', n.nspname, c.relname), ARRAY[]::text[], ''
    FROM pg_catalog.pg_subscription_rel AS s
    JOIN (SELECT DISTINCT subid, subname FROM pg_catalog.pg_stat_subscription) AS u
        ON u.subid = s.srsubid
    JOIN pg_catalog.pg_class AS c ON c.oid = s.srrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE %(side)s = 'subscriber' AND u.subname = %(publication)s AND s.srsubstate = 'r'
    UNION ALL
    SELECT
        'publication', ARRAY[]::text[],
        'publication of' || CASE WHEN p.pubinsert THEN ' insert' ELSE '' END
        || CASE WHEN p.pubupdate THEN ' update' ELSE '' END
        || CASE WHEN p.pubdelete THEN ' delete' ELSE '' END
        || CASE WHEN p.pubtruncate THEN ' truncate' ELSE '' END,
        ARRAY[]::text[], ''
    FROM pg_catalog.pg_publication AS p
    WHERE %(side)s = 'publisher' AND p.pubname = %(publication)s
    UNION ALL
    SELECT
        'publication', ARRAY[]::text[], 'publication of insert update delete truncate',
        ARRAY[]::text[], ''
    FROM pg_catalog.pg_subscription AS u
    WHERE %(side)s = 'subscriber' AND u.subname = %(publication)s
      AND u.subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
)
SELECT kind, names, text, terms, makes FROM line ORDER BY text COLLATE "C"
