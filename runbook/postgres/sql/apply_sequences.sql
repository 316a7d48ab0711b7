-- A value that this side cannot take is reported, not tried: one failing setval would undo all.
WITH found AS (
    SELECT
        v.place, v.schema, v.name, v.last_value, v.is_called, c.oid,
        CASE
            WHEN c.oid IS NULL THEN 'there is no such sequence'
            WHEN v.last_value NOT BETWEEN s.seqmin AND s.seqmax
                THEN format('its bounds are %%s to %%s, the value is %%s',
                            s.seqmin, s.seqmax, v.last_value)
            WHEN NOT has_sequence_privilege(c.oid, 'UPDATE')
                THEN 'no UPDATE privilege on it'
            ELSE ''
        END AS reason
    FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::boolean[])
        WITH ORDINALITY AS v (schema, name, last_value, is_called, place)
    LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = v.schema
    LEFT JOIN pg_catalog.pg_class AS c
        ON c.relnamespace = n.oid AND c.relname = v.name AND c.relkind = 'S'
    LEFT JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = c.oid
)
SELECT
    schema,
    name,
    CASE WHEN reason = '' THEN setval(oid::regclass, last_value, is_called) END IS NOT NULL AS set,
    reason
FROM found
ORDER BY place
