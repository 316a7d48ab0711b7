"""What a server's own log says of an apply worker that fails: SQL cannot read it, AWS's API can."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runbook.aws.errors import AwsError
from runbook.base.context import RunContext
from runbook.base.pair import publication_name
from runbook.base.roles import Role
from runbook.postgres.queries import one_value

_ERROR = re.compile(r"ERROR:\s+(?P<words>.+)")
_CONTEXT = re.compile(
    r'CONTEXT:\s+processing remote data for replication origin "(?P<origin>[^"]+)"'
)


@dataclass(frozen=True, slots=True)
class Said:
    """The last error of a worker, or why the log could not be read."""

    error: str
    unread: str = ""


def apply_error(log: str, origin: str) -> str:
    """Return the last error of the worker that applies under an origin, as the server worded it.

    An error's context follows it (documentation, "Logical Replication: Conflicts"). Only the
    message is taken: its detail may hold values of rows.
    """
    found = error = ""
    for line in log.splitlines():
        if match := _ERROR.search(line):
            error = match["words"].strip()
        elif (match := _CONTEXT.search(line)) and match["origin"] == origin:
            found, error = error or found, ""
    return found


async def apply_said(context: RunContext, role: Role, database: str) -> Said:
    """Return the last error of a database's apply worker, from the log of the role's writer."""
    async with context.connect(role, database) as connection:
        origin = await one_value(
            connection,
            "SELECT 'pg_' || subid FROM pg_catalog.pg_stat_subscription WHERE subname = %s "
            "AND subid IN (SELECT srsubid FROM pg_catalog.pg_subscription_rel) LIMIT 1",
            (publication_name(context),),
        )
    if origin is None:
        return Said("")
    try:
        writer = (await context.cluster(role)).writer
        log = "" if writer is None else await context.rds.log_tail(writer.identifier)
    except AwsError as error:
        return Said("", " ".join(str(error).split()))
    return Said(apply_error(log, origin))
