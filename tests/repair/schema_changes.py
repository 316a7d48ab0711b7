"""Changes of a schema, each with what it takes on both sides."""

from __future__ import annotations

CHANGES = {
    "enum-value": (
        "CREATE TYPE e AS ENUM ('a', 'c'); CREATE TABLE t (id int PRIMARY KEY, v e)",
        "ALTER TYPE e ADD VALUE 'b''' BEFORE 'c'",
    ),
    "enum": ("CREATE TABLE t (id int PRIMARY KEY)", "CREATE TYPE \"E e\" AS ENUM ('a')"),
    "sequence": (
        "CREATE TABLE t (id int PRIMARY KEY)",
        'CREATE SEQUENCE "S s" AS int START 7 INCREMENT -2 MINVALUE -9 MAXVALUE 9 CYCLE',
    ),
    "constraint": (
        "CREATE TABLE t (id int PRIMARY KEY, v int)",
        'ALTER TABLE t ADD CONSTRAINT "c c" CHECK (v > 0)',
    ),
    "index": (
        "CREATE TABLE t (id int PRIMARY KEY, v int)",
        "CREATE UNIQUE INDEX \"i i\" ON t (v) WHERE v > 0",
    ),
    "column-settings": (
        "CREATE TABLE t (id int PRIMARY KEY, v text)",
        "ALTER TABLE t ALTER v SET DEFAULT 'x', ALTER v SET NOT NULL",
    ),
    "column-type": (
        "CREATE TABLE t (id int PRIMARY KEY, v varchar(5)); INSERT INTO t VALUES (1, NULL)",
        "ALTER TABLE t ALTER v TYPE varchar(9)",
    ),
    "column-identity": (
        "CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t DEFAULT VALUES",
        "ALTER TABLE t ALTER id DROP DEFAULT; DROP SEQUENCE t_id_seq;"
        " ALTER TABLE t ALTER id ADD GENERATED ALWAYS AS IDENTITY (START 7)",
    ),
    "identity": (
        "CREATE TABLE t (id int PRIMARY KEY)", "ALTER TABLE t REPLICA IDENTITY FULL",
    ),
    "drop-column": (
        "CREATE TABLE t (id int PRIMARY KEY, \"v v\" text)", 'ALTER TABLE t DROP COLUMN "v v"',
    ),
    "drop-table": (
        'CREATE TABLE "t t" (id int PRIMARY KEY)', 'DROP TABLE "t t"',
    ),
    "drop-constraint": (
        "CREATE TABLE t (id int PRIMARY KEY, v int, CONSTRAINT c CHECK (v > 0))",
        "ALTER TABLE t DROP CONSTRAINT c",
    ),
    "drop-index": (
        "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE UNIQUE INDEX i ON t (v)",
        "DROP INDEX i",
    ),
    "drop-sequence": ("CREATE SEQUENCE s", "DROP SEQUENCE s"),
}  # fmt: skip
