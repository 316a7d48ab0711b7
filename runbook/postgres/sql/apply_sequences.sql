-- A value that this side cannot take is reported, not tried: one failing setval would undo all.
-- Looked up by name and not by a join, which without fresh statistics takes seconds.
WITH wanted AS MATERIALIZED (
    SELECT v.*, to_regclass(format('%%I.%%I', v.schema, v.name)) AS sequence
    FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::boolean[])
        WITH ORDINALITY AS v (schema, name, last_value, is_called, place)
), checked AS (
    SELECT
        wanted.*,
        CASE
            WHEN s.seqrelid IS NULL THEN 'there is no such sequence'
            WHEN last_value NOT BETWEEN s.seqmin AND s.seqmax
                THEN format('its bounds are %%s to %%s, the value is %%s',
                            s.seqmin, s.seqmax, last_value)
            WHEN NOT has_sequence_privilege(s.seqrelid, 'UPDATE') THEN 'no UPDATE privilege on it'
            ELSE ''
        END AS reason
    FROM wanted
    LEFT JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = wanted.sequence
)
SELECT
    schema,
    name,
    CASE WHEN reason = '' THEN setval(sequence, last_value, is_called) END IS NOT NULL AS set,
    reason
FROM checked
ORDER BY place
