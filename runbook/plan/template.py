"""The plan file as `blueprime plan` writes it, comments and all."""

TEMPLATE = """\
# The upgrade of $name from Aurora PostgreSQL $version, as blueprime found the cluster.
# Read it, complete it, and keep it with the change request: it holds no secret.
# `blueprime check` runs the preflight against it and changes nothing.

version = 1

# What you accept by name: kinds of data that logical replication does not carry back (the preflight
# blocks until each that is present stands here; the comment says what becomes of it), and warnings
# of `blueprime check`, as "check" or "check:subject". A run asks for warnings that are not here.
acknowledge = $acknowledge

# A block can be waived only where it can be survived: the check says what that gives up.
# [[waive]]
# check = "schema.identity"
# subject = "orders/public.audit_log"
# gives_up = "rows of audit_log are never updated or deleted"

[cluster]
identifier = $identifier
resource_id = $resource_id  # names move at the switchover; this never does
region = $region
account = $account

[upgrade]
target_version = $target_version

# What comes first once the switchover is over and the replication slots hold every later write:
#   "traffic-first"  the applications come back at once, and blue prime is cloned while they run.
#                    The least downtime. For the minutes until blue prime is up, a rollback has to
#                    wait for it; nothing is lost. Tried on real PostgreSQL 16 -> 18 under load,
#                    not yet on Aurora itself.
#   "protect-first"  the applications wait until blue prime replicates: the order of AWS's own
#                    procedure. Longer downtime, but protected before the first new write.
order = $order

# Groups of the new version's family for green. Left empty, blueprime makes a cluster group out of
# the values that were set by hand in blue's, and green's instances use the family's default.
cluster_parameter_group = ""
instance_parameter_group = ""

switchover_timeout_s = 300  # AWS gives up then, and everything is as before
analyze_green = true        # statistics do not survive an upgrade to a version before 18

[credentials]
user = $user
# A reference, never a password: "env:NAME", "pgpass", "iam", or a Secrets Manager ARN.
password = $password
sslmode = $sslmode  # $sslmode_why
$sslrootcert
# The subscriptions, from server to server, do not check the certificate (require at the most): the
# CA file of this machine is not on the servers.
maintenance_database = $maintenance_database

[connection]
# After a switchover or a rename a cluster's certificate may be for its former name until the
# cluster is stopped and started. Take the name that the same cluster bore in this run before, too:
# it is signed by AWS as ever, and no other server has it.
former_names = true
# Where this machine reaches the servers through tunnels alone (a bastion, SSM): each endpoint, with
# the address and port of its tunnel here. The server's certificate is still held against the
# endpoint's own name. This section is read again before each step: add the endpoints of green, of
# old blue and of blue prime as they come to be. "*" stands for all others.
$via

[traffic]
# How the applications are stopped before the switchover and started after it: "manual" (you do it
# when asked), "command" (these argument lists are run, without a shell; both must be safe to
# repeat), or "roles" (nothing but taking LOGIN from the roles below and ending their sessions).
stop = $stop
$stop_command
$start_command

# The roles that the applications log in with. Remove those that no application uses.
application_roles = $roles

# Also take LOGIN from them while the fence stands, on blue and green: nobody slips in.
lock_roles = true

[protection]
lag_limit_bytes = 67108864  # a rollback counts as protected while less than this is on its way
lag_limit_s = 30.0

[endpoint]
# How a rollback leads the applications to blue prime: "rename" (it takes the production name, and
# they change nothing), "route53" (needs hosted_zone_id and record), "command" or "manual".
method = "rename"

[compare]
# Before a rollback opens blue prime, its rows are compared with new blue's while the applications
# are stopped. Rows are always counted; of their contents is compared:
#   "all"      every row, as far as hash_budget_s reaches, the smallest tables first
#   "sampled"  the same, but of tables over 64 MB only sampled_share of the rows, drawn by key; what
#              a sample that small may miss is said beside the result
#   "counts"   nothing
# `blueprime compare RUN` compares every row beforehand, while the applications run.
mode = "all"
hash_budget_s = $hash_budget_s
sampled_share = 0.02
parallel = $parallel  # connections to each side

[rollback]
# Whether a rollback is protected in its turn: blue prime's slots are made while the applications
# are stopped (about as long as those of the upgrade), and new blue, closed, is fed from blue prime
# afterwards. Going forward again then loses nothing. Until you finalize or go forward, both
# clusters are billed, and blue prime keeps WAL for as long as new blue does not follow.
protect = true

[commit]
# What the end of the way back removes.
delete_blue_prime = true
delete_old_blue = false
final_snapshot = true

$pace
"""
