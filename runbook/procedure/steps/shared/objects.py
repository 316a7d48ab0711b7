"""What is not alike beside the rows, looked at before the applications are moved."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from runbook.amounts import counted
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Gate, Watch
from runbook.failures import Refused, StepFailed
from runbook.postgres.connect import UNREACHABLE
from runbook.proofs import objects
from runbook.proofs.objects import ObjectsSurvey, Unlike

LEFT = "objects.left"
"""What is not alike and was accepted before the latest move, in words: the report names each."""


async def keep_printed(context: RunContext, watch: Watch, source: Role, target: Role) -> None:
    """Let what two versions print differently count as alike, as it stands right after the upgrade.

    Nobody has changed it by then: the target was made from the source.
    """
    if objects.known(context) is not None:
        return
    look = ObjectsSurvey(context)
    alike = objects.printed(await look.look(source, target, await context.databases(target)))
    watch.evidence(objects.taken(alike), key=objects.KNOWN, value=alike)


async def refuse_unless_alike(
    context: RunContext,
    watch: Watch,
    source: Role,
    target: Role,
    databases: Sequence[str],
    *,
    todo: str,
) -> None:
    """Name what applications would miss on the target; go on where a person accepts just that.

    Where a side cannot be asked, a person may go on as well: a way off it must not be held up.

    Raises `Refused` where nobody does.
    """
    look = ObjectsSurvey(context)
    try:
        every = await look.look(source, target, databases)
    except (StepFailed, *UNREACHABLE) as error:
        words = " ".join(str(error).split())
        await _go_on_unknown(watch, words, source, target)
        unknown = f"roles, grants and code were not compared: {words}"
        watch.evidence(unknown, key=LEFT, value=[unknown])
        return
    if not look.passwords:
        watch.evidence(objects.NO_PASSWORDS.format(source=source.value, target=target.value))
    found = objects.fresh(every, objects.known(context) or {})
    if not found:
        _keep_left(context, watch, every, target)
        return
    words_of = [each.words for each in found]
    number = hashlib.sha256("\n".join(words_of).encode()).hexdigest()[:8]
    if not await watch.passes(accepting(f"accept-unlike/{number}", words_of, target.value)):
        raise Refused(
            f"{target.value} is not alike beside the rows ({objects.counted(found)}): "
            f"{'; '.join(words_of[:NAMED])}{'; …' if words_of[NAMED:] else ''}.",
            now=f"Nothing was changed. {source.value.capitalize()} serves as before.",
            todo=todo,
        )
    keep_accepted(context, watch, {each.key: each.pair() for each in found}, words_of)
    _keep_left(context, watch, every, target)


async def _go_on_unknown(watch: Watch, words: str, source: Role, target: Role) -> None:
    """Let a person go on although nothing is known of what is alike."""
    gate = Gate(
        key="accept-not-compared",
        question=f"Go on although roles, grants and code could not be compared: {words}",
        reversible=f"Applications find {target.value} as it is there: a login may be missing.",
        yes="Go on",
        valid_s=0.0,
    )
    if not await watch.passes(gate):
        raise Refused(
            f"Roles, grants and code of {source.value} and {target.value} could not be compared: "
            f"{words}",
            todo="Fix that, then run the step again, which also lets you go on without it.",
        )
    watch.evidence(f"roles, grants and code were not compared: {words}")


def _keep_left(context: RunContext, watch: Watch, every: Sequence[Unlike], target: Role) -> None:
    accepted = set(context.fact(ACCEPTED) or ())
    left = [each for each in every if each.key in accepted]
    watch.evidence(
        f"{target.value} will serve without being alike in: {objects.counted(left)}"
        if left
        else f"roles, grants and code of {target.value} are as they have to be",
        key=LEFT,
        value=[each.words for each in left],
    )


ACCEPTED = "objects.accepted"
"""The keys of all that was accepted by name, whether or not it is still so."""

NAMED = 5
"""So many are named in a sentence; the gate and the report name all."""


def accepting(key: str, words: Sequence[str], target: str) -> Gate:
    """Return the decision to leave these items as they are on the target."""
    return Gate(
        key=key,
        question="\n".join(
            [
                f"Accept that {counted(len(words), 'thing is', 'things are')} not alike beside "
                "the rows:",
                *(f"· {w}" for w in words),
            ]
        ),
        reversible=f"Nothing is changed by it. Applications find {target} as it is there.",
        yes="Accept",
        valid_s=0.0,
    )


def keep_accepted(
    context: RunContext, watch: Watch, pairs: Mapping[str, list[str]], words: Sequence[str]
) -> None:
    """Let the pairs count as alike from now on; the report names each."""
    for one in words:
        watch.evidence(f"accepted by name: {one}")
    watch.evidence("", key=ACCEPTED, value=sorted({*(context.fact(ACCEPTED) or ()), *pairs}))
    watch.evidence(
        f"{counted(len(words), 'thing that is', 'things that are')} not alike beside the rows: "
        "accepted by "
        "name",
        key=objects.KNOWN,
        value={**(objects.known(context) or {}), **pairs},
    )
