-- The command stays unread but for one word: it may hold a password.
SELECT
    jobid::bigint AS number,
    schedule,
    database,
    username AS role,
    command ~* 'refresh\s+materialized\s+view' AS refreshes
FROM cron.job
WHERE active
ORDER BY jobid
