"""Where the plan's user connects to a cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from runbook.aws.facts import Cluster
from runbook.plan.connection import ConnectionSection, CredentialsSection
from runbook.postgres.target import Target


def target_of(
    cluster: Cluster,
    credentials: CredentialsSection,
    connection: ConnectionSection,
    called: str,
    *,
    look_again: Callable[[], Awaitable[Collection[str]]] | None = None,
    systems_of_others: frozenset[str] = frozenset(),
    may_recover: bool = False,
    former: Collection[str] = (),
) -> Target:
    """Return where to connect to a cluster, with what proves that it is the right server.

    `former` are endpoints that the cluster bore before. `called` is the cluster's name in words;
    the rest is as `Target` has it.
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
        former_hosts=_former(cluster.endpoint, former) if connection.former_names else (),
        via=connection.way_to(cluster.endpoint),
        no_way="" if connection.leads_to(cluster.endpoint) else no_way_to(cluster.endpoint),
        systems_of_others=systems_of_others,
        may_recover=may_recover,
        look_again=look_again,
    )


def no_way_to(endpoint: str) -> str:
    """Return that the plan leads to the servers by tunnels, and none leads to this endpoint."""
    return (
        f"[connection.via] in the plan has no entry for {endpoint}. Open a tunnel to it, and add "
        f'"{endpoint}" = "127.0.0.1:PORT" there; that section is read again before each step.'
    )


def _former(endpoint: str, former: Collection[str]) -> tuple[str, ...]:
    return tuple(each for each in former if each != endpoint)
