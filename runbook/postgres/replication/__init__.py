"""Both ends of logical replication: statements that set it up, and looks at how it stands.

WAL positions are integers, in bytes; `lsn_text` writes them as PostgreSQL does.
"""

from runbook.postgres.replication.lag import (
    LagClock,
    SlotLag,
    confirmed_past,
    emit_barrier,
    flushed,
    lsn_text,
    slot_lags,
    written,
)
from runbook.postgres.replication.origins import (
    Origin,
    OriginPosition,
    has_copied,
    origin_positions,
    origins,
    passes_over_origins,
    started,
)
from runbook.postgres.replication.publisher import (
    SlotBlocked,
    SlotBlocker,
    create_publication,
    create_slot,
    create_slot_statement,
    drop_publication,
    drop_slot,
    publication_exists,
    published,
    slot,
    slot_blockers,
    streaming_since,
    terminate_slot_user,
)
from runbook.postgres.replication.role import (
    closed_databases,
    create_replication_role,
    drop_owned,
    drop_role,
    granted_in,
    let_connect,
    may_connect,
    role_exists,
    set_password,
)
from runbook.postgres.replication.strays import (
    StrayWrite,
    hold_strays,
    own_mark,
    publish_strays,
    strays_publication,
    take_strays,
)
from runbook.postgres.replication.subscriber import (
    Subscription,
    Worker,
    applying,
    copy_errors,
    create_subscription,
    detach_slot,
    disable_subscription,
    drop_subscription,
    enable_subscription,
    refresh_publication,
    set_subscription_connection,
    subscribed_tables,
    subscriber_conninfo,
    subscription,
    workers,
)
