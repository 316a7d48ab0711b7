-- Records: many checks over expressions, exclusion, ranges, tsquery, collations, arrays.
CREATE COLLATION musicbrainz (provider = libc, locale = 'C');
CREATE TYPE cover_art_presence AS ENUM ('absent', 'present', 'darkened');
CREATE TYPE years AS RANGE (SUBTYPE = int4);
CREATE FUNCTION controlled_for_whitespace(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS
    $$ SELECT btrim($1) = $1 $$;
CREATE FUNCTION txt_pos(text, int DEFAULT 1) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT $2 $$;
CREATE TABLE artist (
    id serial PRIMARY KEY, gid uuid NOT NULL DEFAULT gen_random_uuid(),
    name varchar COLLATE musicbrainz NOT NULL CHECK (btrim(name) = name AND name <> ''),
    begin_year smallint, begin_month smallint, begin_day smallint, ended char(1) DEFAULT 'N',
    isni char(16)[] CHECK (array_length(isni, 1) <= 9),
    edits_pending int NOT NULL DEFAULT 0 CHECK (edits_pending >= 0),
    last_updated timestamptz DEFAULT '2026-01-01 12:00+02', length interval DEFAULT '1 day 02:00',
    active years DEFAULT '[1900,2000)', art cover_art_presence[] DEFAULT '{absent}',
    CONSTRAINT ended_check CHECK (ended IN ('Y', 'N')),
    CONSTRAINT kind CHECK (CASE WHEN begin_year IS NULL THEN begin_month IS NULL
        ELSE begin_month BETWEEN 1 AND 12 END),
    CHECK (name ~ E'^\\S' AND name !~ '[[:cntrl:]]' AND position('x' in name) < 9
        AND substring(name from 1 for 2) <> 'zz' AND trim(both ' ' from name) = name),
    CHECK ((begin_year, begin_month) IS DISTINCT FROM (begin_day, 0::smallint)),
    CHECK (name = ANY (ARRAY['a'::varchar, 'b']) OR NOT name = ANY ('{c,d}') OR txt_pos(name) > 0),
    CHECK (ended::text || name::text NOT IN ('Ya', 'Nb', overlay(name placing 'x' from 1)))
);
CREATE TABLE booking (
    room int, during tsrange NOT NULL, kind varchar(9),
    EXCLUDE USING gist (during WITH &&) WHERE (kind IN ('firm', 'held'))
);
CREATE UNIQUE INDEX artist_name ON artist ((lower(name) COLLATE "C") text_pattern_ops, gid DESC NULLS LAST)
    WHERE ended IN ('N') AND (last_updated AT TIME ZONE 'UTC')::date > '2000-01-01';
CREATE TABLE cover (id int PRIMARY KEY, artist int REFERENCES artist ON DELETE SET NULL,
    types int[] DEFAULT array[1, 2]::int[], ratio float8 DEFAULT 1.0 / 3, txt xml,
    CHECK (xmlserialize(content txt AS text) <> '' OR txt IS DOCUMENT));
