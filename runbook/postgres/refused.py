"""Why a connection cannot be made: whether that may pass with time, and what to do.

libpq hands out no SQLSTATE for a connection that failed, so the cause is read from its words. A
server that speaks another language than English says nothing that is known here, and is tried until
the deadline.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import psycopg

from runbook.postgres.refusals import libpq_says
from runbook.postgres.statement import quoted
from runbook.postgres.target import Target
from state.masking import masked


@dataclass(frozen=True, slots=True)
class Cause:
    """One kind of failure. `says` is a pattern of libpq's words, or the server's."""

    what: str
    """In a clause, for as long as it is waited out; or what it comes to, where it is final."""
    says: str
    advice: str
    """What to do, once waiting has not helped or cannot help. May name `{file}` and `{host}`."""
    passes: bool = False
    """Whether it may pass with time: names, certificates, tokens and servers trail a change."""
    refused: bool = False
    """Whether the server answered, and takes another password."""
    away: bool = False
    """Whether no server takes connections there: it starts, ends, recovers, or there is none."""


REFUSED = Cause(
    "the password is refused",
    r"password authentication failed",
    "check the password that the plan refers to; where it was changed on another cluster alone, "
    "m, or blueprime repair, says how this one gets it, and in ~/.pgpass each host and port may "
    "have a line of its own",
    refused=True,
)

OTHER_NAME = Cause(
    "its certificate is for another name",
    r"server certificate for .* does not match host name|could not get server's host name",
    "after a switchover or a rename certificates trail; AWS's guide says of a renamed cluster with "
    "SSL endpoints that it has to be stopped and started for its certificate to follow. With "
    "former_names = true under [connection] in the plan, which is read before each step, the name "
    "that this cluster bore before is taken too; else run the step again to go on waiting. Where "
    "nothing was renamed, connect by the endpoint's own name",
    passes=True,
)
"""https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Modifying.html"""

CAUSES = (
    REFUSED,
    Cause(
        "there is no password",
        r"no password supplied",
        "name a password in the plan's credentials, or add one to ~/.pgpass",
    ),
    Cause(
        "there is no CA file",
        r"root certificate file .* does not exist|could not get home directory to locate root",
        "the plan's credentials.sslrootcert names the CA file{file}: download AWS's bundle "
        "(https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem) to it, or correct it",
    ),
    Cause(
        "the CA file cannot be used",
        r"could not read root certificate file|may not be used with sslrootcert",
        "put AWS's bundle in its place, or correct credentials.sslrootcert in the plan{file}",
    ),
    Cause(
        "the certificate is not signed by the CA that is trusted",
        r"certificate verify failed",
        "whoever answers is not signed by any certificate of credentials.sslrootcert{file}, or its "
        "own has expired: take AWS's newest bundle, and make sure that nothing stands in between",
    ),
    Cause(
        "plain connections are refused",
        r"no pg_hba\.conf entry .*no encryption",
        "the server lets in encrypted connections alone (rds.force_ssl): set sslmode to require or "
        "stricter",
    ),
    Cause(
        "it lets this user in from nowhere near",
        r"no pg_hba\.conf entry",
        "the server lets this user into this database neither from here nor so; choose another, or "
        "check sslmode",
    ),
    Cause(
        "this database or user is closed to clients",
        r"pg_hba\.conf rejects",
        "this database or user is closed to clients; choose another",
    ),
    Cause(
        "the role may not log in",
        r"is not permitted to log in",
        "give the role LOGIN again",
    ),
    Cause(
        "the user lacks CONNECT",
        r"permission denied for database",
        "grant CONNECT on the database to the user",
    ),
    Cause(
        "the database takes no connections",
        r"is not currently accepting connections",
        "the database has datallowconn = false",
    ),
    Cause(
        "there is no such database or user",
        r'(?:database|role) ".*" does not exist',
        "check the name of the database and of the user",
    ),
    Cause(
        "the server has no TLS",
        r"server does not support SSL",
        "check sslmode, and that nothing stands in between: Aurora has TLS",
    ),
    OTHER_NAME,
    Cause(
        "its token is refused",
        r"PAM authentication failed",
        "check the IAM token's user, Region and policy: where rds-db:connect names resource ids, "
        "it has to name this cluster's as well",
        passes=True,
        refused=True,
    ),
    Cause(
        "its name does not resolve here",
        r"could not translate host name|failed to resolve host|[Nn]ame or service not known",
        "check the endpoint's name, and that this machine's resolver knows it",
        passes=True,
    ),
    Cause(
        "replaying WAL gets in the way of the session",
        r"conflict with recovery",
        "run the step again",
        passes=True,
    ),
    Cause(
        "it starts, ends or recovers",
        r"the database system is|terminating connection",
        "check that the cluster is up and reachable from here",
        passes=True,
        away=True,
    ),
    Cause(
        "all its connections are taken",
        r"too many clients already|remaining connection slots|too many connections for",
        "end sessions that are not needed, or raise the limit",
        passes=True,
    ),
)

ELSE = Cause(
    "it does not answer",
    r"",
    "check that the cluster is up and reachable from here",
    passes=True,
)


def cause_of(words: str) -> Cause:
    """Return why a connection failed; what cannot pass comes before what may."""
    return next((each for each in CAUSES if re.search(each.says, words)), ELSE)


class CannotConnect(Exception):
    """No connection could be made, in the words that a person reads; never a password."""

    def __init__(self, words: str, *, cause: Cause | None = None) -> None:
        super().__init__(words)
        self.cause = cause or cause_of(words)

    @property
    def password_refused(self) -> bool:
        """Whether the server answered, and takes another password."""
        return self.cause is REFUSED

    @property
    def server_runs(self) -> bool:
        """Whether a server answered, and refused this one connection in its own words."""
        return "fatal:" in str(self).lower() and not self.cause.away


class WrongServer(Exception):
    """What answers is another server than the one meant, and was so until the deadline."""

    what = "its name leads to another server"
    """As `Cause` has it."""

    def __init__(self, words: str, *, named: str = "") -> None:
        super().__init__(words)
        self.named = named
        """What it calls itself, where nothing else says that it is another one."""


UNREACHABLE = (CannotConnect, WrongServer, psycopg.Error, OSError)
"""What a look at a database may end in: nothing was changed by it."""


def cannot_connect(target: Target, database: str, error: BaseException) -> CannotConnect:
    """Return in words what a failure to connect was, and what to do about it."""
    said = masked(libpq_says(str(error))) or "no answer in time"
    cause = cause_of(str(error))
    file = f" ({target.sslrootcert})" if target.sslrootcert else ""
    advice = cause.advice.format(file=file, host=target.host)
    if target.via and cause is ELSE:
        advice = f"check that the tunnel at {target.via} is open, and that {advice[11:]}"
    return CannotConnect(
        f"Cannot connect to {target.place(database)} as {quoted(target.user)}: {said}. "
        f"{advice[0].upper()}{advice[1:]}.",
        cause=cause,
    )
