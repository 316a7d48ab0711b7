SELECT
    t.evtname AS name,
    t.evtevent AS event,
    t.evtenabled::text AS enabled,
    t.evtfoid::regprocedure::text AS function
FROM pg_catalog.pg_event_trigger AS t
WHERE t.evtenabled <> 'D'
  AND pg_get_userbyid(t.evtowner) <> ALL (%s)
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS d
      WHERE d.classid = 'pg_catalog.pg_event_trigger'::regclass
        AND d.objid = t.oid
        AND d.deptype = 'e'
  )
ORDER BY t.evtname COLLATE "C"
