"""Where the plan's user connects to a cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from runbook.aws.facts import Cluster
from runbook.plan.model import CredentialsSection
from runbook.postgres.connect import Target


def target_of(
    cluster: Cluster,
    credentials: CredentialsSection,
    called: str,
    *,
    look_again: Callable[[], Awaitable[Collection[str]]] | None = None,
) -> Target:
    """Return where to connect to a cluster, with what proves that it is the right server.

    `called` is the cluster's name in words; `look_again` is as `Target` has it.
    """
    return Target(
        role=called,
        host=cluster.endpoint,
        port=cluster.port,
        user=credentials.user,
        sslmode=credentials.sslmode,
        sslrootcert=credentials.sslrootcert,
        server_major=cluster.major,
        engine_version=cluster.engine_version,
        instance_ids=frozenset(member.identifier for member in cluster.members),
        look_again=look_again,
    )
