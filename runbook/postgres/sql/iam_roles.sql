-- Who logs in with IAM tokens: members of Aurora's role, straight or through another one.
WITH RECURSIVE holder (member) AS (
    SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'rds_iam'
    UNION
    SELECT m.member
    FROM holder AS h
    JOIN pg_catalog.pg_auth_members AS m ON m.roleid = h.member
)
SELECT r.rolname
FROM holder AS h
JOIN pg_catalog.pg_roles AS r ON r.oid = h.member
WHERE r.rolcanlogin
ORDER BY r.rolname COLLATE "C"
