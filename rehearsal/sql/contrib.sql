-- What applications keep in the types, operators and indexes of extensions.
CREATE TABLE member (
    nick citext PRIMARY KEY,
    attributes hstore NOT NULL DEFAULT '',
    department ltree,
    wrote bigint NOT NULL DEFAULT 0
);
CREATE INDEX member_attributes ON member USING gin (attributes);
CREATE INDEX member_nick ON member USING gin ((nick::text) gin_trgm_ops);
CREATE INDEX member_department ON member USING gist (department);
INSERT INTO member (nick, attributes, department)
SELECT 'Åse ' || n, hstore('level', (n % 5)::text) || hstore('note', NULL),
    ('shop.north.' || n % 7)::ltree
FROM generate_series(1, 60) AS n;

CREATE TABLE reservation (
    room int,
    during tstzrange,
    PRIMARY KEY (room, during),
    EXCLUDE USING gist (room WITH =, during WITH &&)
);
INSERT INTO reservation
SELECT n % 4, tstzrange(start, start + interval '1 hour')
FROM generate_series(1, 80) AS n,
    LATERAL (SELECT timestamptz '2026-04-01 08:00+00' + n * interval '2 hours') AS s (start);

-- The workload's own writes reach them.
CREATE FUNCTION note_member() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO member (nick, attributes, wrote)
    VALUES ('Writer ' || NEW.writer, hstore('seq', NEW.seq::text), 1)
    ON CONFLICT (nick) DO UPDATE
    SET wrote = member.wrote + 1, attributes = member.attributes || excluded.attributes;
    RETURN NEW;
END $$;
CREATE TRIGGER note_member AFTER INSERT ON ledger_entry
FOR EACH ROW WHEN (NEW.seq % 10 = 0) EXECUTE FUNCTION note_member();
