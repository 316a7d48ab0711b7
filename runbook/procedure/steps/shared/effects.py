"""The kinds of effect that most steps are made of: an API call, and SQL on one database."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager

import psycopg
from psycopg import AsyncConnection

from runbook.aws import Call
from runbook.aws.errors import AwsRefused
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import ClusterImpact, Effect, Impact
from runbook.failures import Ambiguous, Answer, Finding, StepFailed
from runbook.postgres.connect import CannotConnect, WrongServer
from runbook.postgres.statement import Statement, at_most
from state.records import Json

ProbeFn = Callable[[], Awaitable[Finding]]
Without = Callable[[Call, str], tuple[Call, str] | None]
Settled = Callable[[], Awaitable[str]]
Worth = Callable[[], Awaitable[bool]]
Keep = Callable[[Mapping[str, Json]], Mapping[str, Json]]
LookInside = Callable[[AsyncConnection], Awaitable[Finding]]

GRACE_S = 60.0
"""Beyond its own limit a wait is let to say itself why it ended."""


def yes(seen: str, **detail: Json) -> Finding:
    """Return the finding that it has happened."""
    return Finding(Answer.YES, seen, detail)


def no(seen: str, **detail: Json) -> Finding:
    """Return the finding that it has not happened."""
    return Finding(Answer.NO, seen, detail)


def unknown(seen: str) -> Finding:
    """Return the finding that it cannot be told."""
    return Finding(Answer.UNKNOWN, seen)


@contextmanager
def answered(title: str, on: Role) -> Iterator[None]:
    """Raise what is known of SQL that went wrong: it did not happen, or that cannot be told.

    Without a connection that has proved where it is, nothing was sent. An error that leaves the
    session alive is the server's answer, and its transaction did not commit; with the session ended
    (FATAL, or no answer at all) the COMMIT may have come before.

    Raises `StepFailed` where nothing happened, `Ambiguous` where that is not known.
    """
    try:
        yield
    except (CannotConnect, WrongServer) as error:
        raise StepFailed(
            str(error),
            now=f"Nothing was changed on {on.value}.",
            todo="Fix the connection, then run the step again.",
        ) from error
    except psycopg.Error as error:
        first = str(error).strip().partition("\n")[0]
        if error.diag.severity_nonlocalized != "ERROR":
            raise Ambiguous(f"the connection was lost: {first}") from error
        cancelled = isinstance(error, psycopg.errors.QueryCanceled)
        raise StepFailed(
            f"{title}: the server refused: {first} ({error.sqlstate}).",
            now="What was not committed before was rolled back.",
            todo="It took longer than it may (of a repair: repair_s in the plan's limits), or "
            "somebody cancelled it. See what holds it up, then run the step again."
            if cancelled
            else "Fix the cause, then run the step again.",
        ) from error


def modify_cluster(identifier: str, **changes: Json) -> Call:
    """Return the call that changes a cluster at once."""
    parameters = {"DBClusterIdentifier": identifier, **changes, "ApplyImmediately": True}
    return Call("rds", "ModifyDBCluster", parameters)


class ApiEffect(Effect):
    """One AWS call, asked for again for a while where AWS refuses it for its state or its pace.

    A refusal is certain: nothing was done, so asking again doubles nothing. Before each further
    try the probe looks whether it has happened meanwhile. AWS refuses a switchover for minutes
    after it said AVAILABLE, an instance while its cluster is busy, a deletion that is under way;
    and its describes trail what it has accepted.
    """

    trails = True

    def __init__(
        self,
        context: RunContext,
        call: Call,
        *,
        key: str,
        title: str,
        probe: ProbeFn,
        keep: Keep | None = None,
        settled: Settled | None = None,
        settle_limit_s: float = 600.0,
        patience_s: float | None = None,
        worth: Worth | None = None,
        stakes: ClusterImpact | None = None,
        without: Without | None = None,
    ) -> None:
        """`keep` picks from the answer what the journal shall hold.

        `without` returns a lesser call for one that AWS refused with a code, and what that lacks,
        which the journal keeps.

        `worth` tells whether there is anything to wait for; with a patience of 0 it is asked for
        once.
        """
        self.key = key
        self.title = title
        self.stakes = stakes
        self.settle_limit_s = settle_limit_s
        self._call = call
        self._probe = probe
        self._keep = keep
        self._settled = settled
        limits = context.plan.limits
        self._patience_s = limits.patience_s if patience_s is None else patience_s
        self._every_s = limits.poll_s
        self._worth = worth
        self._without = without
        self._context = context

    def preview(self) -> str:
        """Return the call with its parameters."""
        return self._call.text()

    async def probe(self) -> Finding:
        """Ask AWS whether it has happened."""
        return await self._probe()

    async def perform(self) -> Mapping[str, Json]:
        """Make the call until it is accepted, its effect is seen, or the patience is over.

        Between two tries nothing is under way, and the operator may stop the wait.
        """
        deadline = time.monotonic() + self._patience_s
        refused, call, lacks = 0, self._call, ""
        while True:
            try:
                answer = await self._context.aws.perform(call)
                kept = dict(self._keep(answer) if self._keep else {})
                kept |= {"refused_before": refused} if refused else {}
                return kept | ({"made_without": lacks} if lacks else {})
            except AwsRefused as refusal:
                lesser = self._without(call, refusal.code) if self._without else None
                if lesser is not None:
                    call, lacking = lesser
                    lacks = f"{lacks}, {lacking}" if lacks else lacking
                    await self._context.still_held()
                    continue
                if not refusal.passing or time.monotonic() >= deadline:
                    raise
                refused += 1
                left_s = max(0.0, deadline - time.monotonic())
                await self._context.pause(
                    f"{self.title}: AWS refuses it so far ({refusal.code}: "
                    f"{refusal.message.rstrip('.')}); it is asked again for "
                    f"{left_s:.0f} s at most",
                    self._every_s,
                )
                finding = await self.probe()
                if finding.answer is Answer.YES:
                    return {"seen": finding.seen, **finding.detail}
                if finding.answer is Answer.UNKNOWN or (self._worth and not await self._worth()):
                    raise
                await self._context.still_held()

    async def settled(self) -> str:
        """Return what AWS is still busy with."""
        return await self._settled() if self._settled else ""


class DatabaseEffect(Effect):
    """A change on one cluster, made on a connection that has proved to be there.

    A subclass sets key and title, and makes the change in `run`.
    """

    def __init__(
        self, context: RunContext, role: Role, database: str = "", *, stake: Impact | None = None
    ) -> None:
        self.context = context
        self._role = role
        self._database = database
        self.stakes = None if stake is None else ClusterImpact(stake, role)

    @property
    def where(self) -> str:
        """The line of a preview that says where the SQL runs."""
        inside = f", database {self._database}" if self._database else ""
        return f"-- on {self._role.value}{inside}"

    def shown(self, statements: Iterable[Statement]) -> str:
        """Return statements as a preview has them, secrets masked, under where they run."""
        return "\n".join((self.where, *(f"{statement.text()};" for statement in statements)))

    def connect(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Lend a connection to where the change is made."""
        return self.context.connect(self._role, self._database)

    async def perform(self) -> Mapping[str, Json]:
        """Make the change, and tell what went wrong with it by what the server answered."""
        with answered(self.title, self._role):
            async with self.connect() as connection:
                return await self.run(connection)

    @abstractmethod
    async def run(self, connection: AsyncConnection) -> Mapping[str, Json]:
        """Make the change and return what is worth keeping."""


class SqlEffect(DatabaseEffect):
    """SQL on one database of one role, in one transaction unless a statement forbids it.

    Unless told otherwise, it changes what is inside the role's cluster. `limit_s` is how long each
    statement may take where it works on whole tables; the session's own limit is for short ones.
    """

    def __init__(
        self,
        context: RunContext,
        role: Role,
        database: str,
        statements: Sequence[Statement],
        *,
        key: str,
        title: str,
        probe: LookInside,
        transaction: bool = True,
        stake: Impact | None = Impact.CHANGE,
        lasting: bool = False,
        limit_s: float | None = None,
    ) -> None:
        super().__init__(context, role, database)
        self.key = key
        self.title = title
        self.stakes = None if stake is None else ClusterImpact(stake, role, lasting)
        if limit_s is not None:
            statements = [at_most(limit_s, transactional=transaction), *statements]
        self.database = database
        self._statements = statements
        self._probe = probe
        self._transaction = transaction
        self._limited = limit_s is not None

    @property
    def on(self) -> Role:
        return self._role

    def preview(self) -> str:
        """Return the SQL, secrets masked, under a line that says where it runs."""
        return self.shown(self._statements)

    async def probe(self) -> Finding:
        """Look in the database whether it has happened."""
        async with self.connect() as connection:
            return await self._probe(connection)

    async def run(self, connection: AsyncConnection) -> Mapping[str, Json]:
        """Execute the statements and return what is worth keeping."""
        if not self._transaction:
            try:
                for statement in self._statements:
                    await statement.execute(connection)
            finally:
                # The connection is used again, and its own limit is for short statements.
                if self._limited and not connection.closed:
                    await connection.execute("RESET statement_timeout")
            return {}
        async with connection.transaction():
            for statement in self._statements:
                await statement.execute(connection)
        return {}
