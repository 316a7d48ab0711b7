"""Whose credentials these are, and whether they are the plan's."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runbook.preflight.check import check
from runbook.preflight.result import Result, block, passed
from runbook.preflight.survey import Survey


@check(
    "account.identity",
    why="The same cluster name may exist in another account, e.g. in staging.",
)
async def identity(look: Survey) -> AsyncIterator[Result]:
    """Wrong account: the run would act on a namesake."""
    wanted = look.plan.cluster
    found = await look.context.aws.identity()
    if found.account == wanted.account:
        yield passed(found.account, f"{found.arn} in {wanted.region}")
    else:
        yield block(
            found.account,
            f"The credentials belong to account {found.account}, the plan to {wanted.account}.",
            "Use credentials of the plan's account, or write a new plan for this one.",
        )
