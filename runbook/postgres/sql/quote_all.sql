-- For the rest of the transaction every name is written quoted: which of them need it is for each
-- version to say (18 quotes a column named json, 16 does not).
SELECT pg_catalog.set_config('quote_all_identifiers', 'on', true)
