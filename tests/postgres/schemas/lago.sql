-- Billing: many enums as text checks, jsonb, generated columns, identity, partial unique indexes.
CREATE SCHEMA billing;
CREATE TYPE billing.state AS ENUM ('draft', 'finalized', 'voided''s');
CREATE TABLE billing.invoices (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), number varchar NOT NULL DEFAULT '',
    sequential_id int GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5),
    status billing.state NOT NULL DEFAULT 'draft', fees_amount_cents bigint NOT NULL DEFAULT 0,
    taxes_rate numeric(30, 5) DEFAULT 0.0 NOT NULL, currency varchar(3) COLLATE "C",
    total bigint GENERATED ALWAYS AS (fees_amount_cents * 2 + CASE WHEN currency IN ('EUR', 'USD')
        THEN 1 ELSE 0 END) STORED,
    self_billed boolean DEFAULT false NOT NULL, at timestamp(6) DEFAULT (now() AT TIME ZONE 'utc'),
    properties jsonb DEFAULT '{"a": [1, "x''y"]}'::jsonb NOT NULL, ips inet[] DEFAULT '{}',
    note text DEFAULT E'line\nbreak \\ tab\t' || 'x', point point DEFAULT '(1,2)',
    CONSTRAINT check_currency CHECK (currency::text = ANY (ARRAY['EUR'::varchar, 'USD'::varchar]::text[])),
    CONSTRAINT "check organizations" CHECK ((number)::text !~~ 'X%' AND length(number) < 99
        AND coalesce(nullif(number, ''), 'x') = greatest(number, 'x'))
);
CREATE UNIQUE INDEX index_unique ON billing.invoices (number, currency)
    WHERE status <> ALL ('{draft,"voided''s"}'::billing.state[]) AND self_billed IS NOT TRUE
        AND currency IN ('EUR', 'USD');
CREATE UNIQUE INDEX by_property ON billing.invoices ((properties ->> 'a'), date_trunc('month', at));
CREATE TABLE billing.wallets (
    id bigserial PRIMARY KEY, invoice uuid REFERENCES billing.invoices (id),
    rates float8[] NOT NULL DEFAULT ARRAY[0.1, 'NaN'::float8], kind varchar(5)[]
        CHECK (kind <@ ARRAY['a'::varchar, 'b']), "when" date DEFAULT CURRENT_DATE + 1,
    "user" name DEFAULT CURRENT_USER, CHECK (id % 2 = 0 OR -id < 0 OR kind IS NULL)
);
ALTER TABLE billing.wallets ADD FOREIGN KEY (invoice) REFERENCES billing.invoices MATCH FULL NOT VALID;
ALTER TABLE billing.wallets ADD CONSTRAINT odd CHECK (id <> 7) NO INHERIT;
CREATE UNLOGGED TABLE billing.cache (k text PRIMARY KEY, v jsonb);
CREATE MATERIALIZED VIEW billing.totals AS SELECT currency, sum(total) FROM billing.invoices GROUP BY 1;
