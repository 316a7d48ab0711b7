"""What replicates from or to blue already."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runbook.ownership.aws_names import Owner, of_aws, owner
from runbook.postgres import catalog
from runbook.postgres.fix import Fix, FixKind
from runbook.postgres.statement import quoted
from runbook.preflight.check import check
from runbook.preflight.result import Result, block
from runbook.preflight.rows import each
from runbook.preflight.survey import Survey

_BUSY = "AWS refuses a switchover while blue publishes or subscribes by itself."


async def _owner(look: Survey, name: str) -> Owner | None:
    return owner(name, look.context.run, await look.deployments())


def _block(subject: str, text: str, whose: Owner | None, remedy: str, fix: Fix | None) -> Result:
    """Return the block; of an object that somebody needs, whose it is, and no repair."""
    if whose is None:
        return block(subject, text, remedy, fix=fix)
    return block(subject, f"{text} {whose.words[0].upper()}{whose.words[1:]}.", whose.todo)


@check("replication.publications", none="no publications", why=_BUSY)
async def publications(look: Survey) -> AsyncIterator[Result]:
    """Blue is a publisher already."""
    own = await look.own_deployment_stands()
    standing = await look.deployments()

    def say(database: str, publication: catalog.Publication) -> Result | None:
        if own and of_aws(publication.name):
            return None
        return _block(
            f"{database}/{publication.name}",
            f"The publication {publication.name} exists in database {database}.",
            owner(publication.name, look.context.run, standing),
            f"If nobody needs it, in database {database}: "
            f"DROP PUBLICATION {quoted(publication.name)};",
            Fix(FixKind.DROP_PUBLICATION, database, (publication.name,)),
        )

    async for result in each(look, catalog.publications, say):
        yield result


@check("replication.subscriptions", none="no subscriptions", why=_BUSY)
async def subscriptions(look: Survey) -> AsyncIterator[Result]:
    """Blue is a subscriber already."""
    for subscription in await look.server(catalog.subscriptions):
        yield _block(
            f"{subscription.database}/{subscription.name}",
            f"The subscription {subscription.name} exists in database {subscription.database}.",
            await _owner(look, subscription.name),
            f"If nobody needs it, in database {subscription.database}: "
            f"DROP SUBSCRIPTION {quoted(subscription.name)};",
            Fix(FixKind.DROP_SUBSCRIPTION, subscription.database, (subscription.name,)),
        )


@check(
    "replication.slots",
    none="no logical slots",
    why="An existing logical slot makes green's upgrade fail, behind a message about parameters; "
    "an abandoned one keeps WAL on production.",
)
async def slots(look: Survey) -> AsyncIterator[Result]:
    """Somebody's logical slot stands on blue."""
    own = await look.own_deployment_stands()
    for slot in await look.server(catalog.replication_slots):
        if slot.slot_type != "logical" or (own and of_aws(slot.name)):
            continue
        state = "in use" if slot.active else "not in use"
        yield _block(
            slot.name,
            f"The logical slot {slot.name} ({slot.plugin}, database {slot.database}) is {state}.",
            await _owner(look, slot.name),
            "Stop its reader (CDC, DMS, Debezium), then: "
            f"SELECT pg_drop_replication_slot('{slot.name}');",
            # One that is read now is not abandoned: its reader is to be stopped by a person.
            None if slot.active else Fix(FixKind.DROP_SLOT, "", (slot.name,)),
        )
