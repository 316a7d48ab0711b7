-- Orders of a wholesaler: quoted names, spaces, bytea, bpchar keys, composite types, NOT VALID.
CREATE SCHEMA "Order Book 📚";
SET search_path = "Order Book 📚", public;
CREATE TYPE "Address" AS (street varchar(60), city varchar(15), "Postal Code" varchar(10));
CREATE TABLE "Customers" (
    "CustomerID" bpchar PRIMARY KEY, "Company Name" varchar(40) NOT NULL, "Ship To" "Address",
    "Country" varchar(15) DEFAULT 'DE' CHECK ("Country" = ANY ('{DE,FR}'::varchar[])),
    picture bytea DEFAULT '\xdeadbeef', CHECK (("Ship To").city <> '')
);
CREATE TABLE "Order Details" (
    "OrderID" smallint, "ProductID" smallint, "Unit Price" real NOT NULL DEFAULT 0,
    quantity smallint NOT NULL DEFAULT 1 CHECK (quantity > 0), discount real DEFAULT 0.1,
    "CustomerID" bpchar REFERENCES "Customers" DEFERRABLE INITIALLY DEFERRED,
    status varchar(20) DEFAULT ('new'::text)::varchar(20),
    CONSTRAINT "Disc %" CHECK (discount BETWEEN 0 AND 1), PRIMARY KEY ("OrderID", "ProductID")
);
ALTER TABLE "Order Details" ADD CONSTRAINT "state ok"
    CHECK (status IN ('new', 'paid', 'shipped')) NOT VALID;
ALTER TABLE "Order Details" ADD CONSTRAINT later UNIQUE (quantity, discount) DEFERRABLE;
CREATE UNIQUE INDEX "one ""open""" ON "Order Details" ("CustomerID" COLLATE "C" bpchar_pattern_ops DESC)
    INCLUDE (quantity) WHERE status IN ('new', 'paid');
ALTER TABLE "Order Details" ALTER COLUMN "Unit Price" SET STORAGE PLAIN;
