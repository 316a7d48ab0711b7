-- A chat server: json columns by that very name, bigint ids, NULLS NOT DISTINCT, text search.
CREATE TABLE event_json (event_id text NOT NULL UNIQUE, json text NOT NULL, internal_metadata text);
CREATE TABLE events (
    stream_ordering bigint PRIMARY KEY, type text NOT NULL, "json_value" jsonb DEFAULT '{}',
    json_query jsonb, json_table text, merge_action text, "json_exists" boolean DEFAULT false NOT NULL,
    json_scalar int CHECK (json_scalar > 0), json_serialize text COLLATE "C",
    state_key text, CONSTRAINT merge_action UNIQUE NULLS NOT DISTINCT (type, state_key),
    CHECK (json_query ? 'a' OR json_query ->> 'b' LIKE 'c%'), CHECK (("json_value")::text <> ''),
    g text GENERATED ALWAYS AS (json_query #>> ARRAY['a', 'b']) STORED
);
CREATE UNIQUE INDEX json_exists ON events (json_query, (json_table || merge_action))
    WHERE "json_exists" AND json_scalar IN (1, 2, 3);
CREATE TABLE json (json int PRIMARY KEY, json_object text, json_array text, json_arrayagg text);
CREATE TYPE json_serialize AS (json text, json_value int);
CREATE TABLE event_search (
    event_id text, vector tsvector, origin_server_ts bigint DEFAULT
        (EXTRACT(epoch FROM now()) * 1000)::bigint
);
CREATE SEQUENCE events_stream_seq START 2 CACHE 10;
CREATE SEQUENCE backfill INCREMENT -1 MINVALUE -9223372036854775808 MAXVALUE -1 CYCLE;
ALTER TABLE event_search REPLICA IDENTITY FULL;
CREATE TABLE receipts (room varchar NOT NULL, "user" varchar NOT NULL, data text);
CREATE UNIQUE INDEX receipts_key ON receipts (room, "user");
ALTER TABLE receipts REPLICA IDENTITY USING INDEX receipts_key;
CREATE TYPE "Payload" AS (a json, b json[], c "char", d char(2)[], e bit varying(3));
CREATE DOMAIN payload AS json DEFAULT '{}' CHECK (VALUE ->> 'a' IN ('x', 'y'));
CREATE TABLE payloads (id int PRIMARY KEY, a json DEFAULT '{"a": 1}', b json[], c payload, d "char");
