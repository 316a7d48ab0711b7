"""How blueprime connects: as whom, how it knows the server, and which way leads there."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from runbook.plan.section import Section
from runbook.postgres.target import Address

_PASSWORD_REFERENCE = re.compile(
    r"env:[A-Za-z_][A-Za-z0-9_]*|pgpass|iam|arn:aws[\w-]*:secretsmanager:\S+"
)


def is_reference(value: str) -> bool:
    """Tell whether a word says where a password is, instead of being one."""
    return _PASSWORD_REFERENCE.fullmatch(value) is not None


def _reference_only(value: str) -> str:
    if not is_reference(value):
        # The value itself is not repeated: it may be a password.
        raise ValueError(
            "must be a reference, never a password: env:NAME, pgpass, iam, "
            "or the ARN of a Secrets Manager secret"
        )
    return value


class CredentialsSection(Section):
    """How blueprime connects. References only."""

    user: Annotated[str, Field(min_length=1)]
    password: Annotated[str, AfterValidator(_reference_only)]
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = (
        "verify-full"
    )
    sslrootcert: str = ""
    """A path on this machine; one that is relative counts from the plan's folder."""
    maintenance_database: str = "postgres"

    def beside(self, folder: Path) -> CredentialsSection:
        """Return it with the path of the CA file in full; `folder` is the plan's."""
        return self.model_copy(update={"sslrootcert": root_file(self.sslrootcert, folder)})


def root_file(path: str, folder: Path) -> str:
    """Return the path of a CA file in full, wherever blueprime is started next.

    `system` names libpq's own collection of root certificates, and stays.

    Source: https://www.postgresql.org/docs/current/libpq-connect.html (sslrootcert)
    """
    if not path or path == "system":
        return path
    return str(folder.absolute() / Path(path).expanduser())


EVERY = "*"
"""The key of `via` that stands for every endpoint without an entry of its own."""

_ENDPOINT = re.compile(r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9.:-]*[A-Za-z0-9])?")


def _endpoint(value: str) -> str:
    if value != EVERY and (not _ENDPOINT.fullmatch(value) or re.search(r":\d+$", value)):
        raise ValueError(f'must be the name of an endpoint, without a port, or "{EVERY}" for all')
    return value.lower()


def address(value: str) -> Address:
    """Return the address and port of a tunnel's end on this machine.

    libpq takes only a number as the address to which it connects under another name.

    Raises `ValueError`.

    Source: https://www.postgresql.org/docs/current/libpq-connect.html (hostaddr)
    """
    found = re.fullmatch(r"\[?([^\[\]]+?)\]?:(\d{1,5})", value)
    try:
        if found is None or not 0 < int(found[2]) < 65536:
            raise ValueError
        host = "127.0.0.1" if found[1] == "localhost" else found[1]
        return Address(str(ipaddress.ip_address(host)), int(found[2]))
    except ValueError:
        words = 'must be an address and a port: "127.0.0.1:15432", "[::1]:15432"'
        raise ValueError(words) from None


def _via(value: str) -> str:
    return str(address(value))


class ConnectionSection(Section):
    """How servers are reached from here, and known by. It is read again before each step."""

    via: dict[Annotated[str, AfterValidator(_endpoint)], Annotated[str, AfterValidator(_via)]] = (
        Field(default_factory=dict)
    )
    """For each endpoint the end of a tunnel on this machine; empty: they are reached directly."""
    former_names: bool = True
    """Take the certificate of a name that the same cluster bore before, where that trails."""

    def way_to(self, endpoint: str) -> Address | None:
        """Return where to connect for an endpoint; None: to itself, or nowhere (`leads_to`)."""
        found = self.via.get(endpoint.lower(), self.via.get(EVERY))
        return None if found is None else address(found)

    def leads_to(self, endpoint: str) -> bool:
        """Return whether there is a way to an endpoint: with one tunnel, all need one."""
        return not self.via or self.way_to(endpoint) is not None
