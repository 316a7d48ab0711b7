"""Looks at Aurora that nothing rests on, but that settle what blueprime assumes of it."""

from __future__ import annotations

from psycopg import AsyncConnection

from runbook.assumptions.observation import observe
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Watch
from runbook.postgres.queries import one_value, says


async def lock_of_old_blue(connection: AsyncConnection, watch: Watch) -> None:
    """Keep whether AWS's lock on old blue shows in its settings, while the deployment stands.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-switching.html
    """
    recovers = await says(connection, "SELECT pg_catalog.pg_is_in_recovery()")
    # What sessions begin with: this one has set it for itself.
    setting = await one_value(
        connection,
        "SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only'",
    )
    shown = ["it is in recovery"] if recovers else []
    shown += ["default_transaction_read_only is on"] if setting == "on" else []
    seen = " and ".join(shown) or "no setting of old blue tells of AWS's lock"
    observe(watch.evidence, "lock-of-old-blue-is-invisible", holds=not shown, seen=seen)


async def names_of_servers(context: RunContext, watch: Watch) -> None:
    """Keep whether new blue calls itself by the name that AWS lists it under, and is certified so.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora_db_instance_identifier.html
    """
    async with context.connect(Role.NEW_BLUE) as connection:
        if context.plan.credentials.sslmode == "verify-full":
            former = sorted(context.certified_as(Role.NEW_BLUE))
            seen = f"new blue's certificate is for {former[0] if former else 'its endpoint'}"
            observe(watch.evidence, "certificates-follow-names", holds=not former, seen=seen)
        if await says(
            connection,
            "SELECT pg_catalog.to_regprocedure("
            "'pg_catalog.aurora_db_instance_identifier()') IS NULL",
        ):
            return
        name = await one_value(
            connection, "SELECT pg_catalog.aurora_db_instance_identifier()::text"
        )
    listed = {each.identifier for each in await context.instances(Role.NEW_BLUE)}
    holds = name in listed
    seen = f"new blue's writer calls itself {name}" + (
        "" if holds else f", while AWS lists {', '.join(sorted(listed))}"
    )
    observe(watch.evidence, "servers-take-their-new-names", holds=holds, seen=seen)
