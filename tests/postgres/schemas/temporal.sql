-- A workflow engine: hash and list partitions on two levels, foreign keys to and from them.
CREATE TABLE namespaces (
    partition_id int, id bytea, name varchar(255) NOT NULL, is_global boolean NOT NULL DEFAULT false,
    PRIMARY KEY (partition_id, id), UNIQUE (partition_id, name)
) PARTITION BY HASH (partition_id);
CREATE TABLE namespaces_0 PARTITION OF namespaces FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE namespaces_1 PARTITION OF namespaces FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE executions (
    shard int NOT NULL, region varchar(9) NOT NULL CHECK (region IN ('eu', 'us')), day date NOT NULL,
    state varchar(9) DEFAULT 'open', partition_id int, id bytea,
    PRIMARY KEY (shard, region, day),
    FOREIGN KEY (partition_id, id) REFERENCES namespaces ON DELETE CASCADE,
    CONSTRAINT open CHECK (state IN ('open', 'done') OR state IS NULL)
) PARTITION BY LIST (region);
CREATE TABLE executions_eu PARTITION OF executions FOR VALUES IN ('eu', 'eu2')
    PARTITION BY RANGE (day);
CREATE TABLE executions_eu_26 PARTITION OF executions_eu
    FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE executions_us PARTITION OF executions FOR VALUES IN ('us');
CREATE UNIQUE INDEX executions_open ON executions (region, day, shard) WHERE state IN ('open', 'new');
CREATE TABLE history (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), shard int, region varchar(9), day date,
    next_id uuid REFERENCES history DEFERRABLE, FOREIGN KEY (shard, region, day) REFERENCES executions
);
CREATE TABLE late (shard int NOT NULL, region varchar(9) NOT NULL, day date NOT NULL, state varchar(9),
    partition_id int, id bytea,
    CONSTRAINT open CHECK (state IN ('open', 'done') OR state IS NULL),
    CONSTRAINT executions_region_check CHECK (region IN ('eu', 'us')));
ALTER TABLE late ALTER state SET DEFAULT 'open';
ALTER TABLE executions ATTACH PARTITION late FOR VALUES IN ('late');
