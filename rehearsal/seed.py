"""What production looks like: databases, roles, and tables of every awkward kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DATABASES = ("orders", 'Ærø "shop" 100%', "Billing & Søn")
"""Names of application databases, in the order in which `--databases N` takes them."""


@dataclass(frozen=True, slots=True)
class Seed:
    """How much production there is to be.

    `databases` are application databases beside `postgres` and `rdsadmin`; `roles` are application
    roles with their passwords, which reach servers only as SCRAM verifiers; `tables` plain tables
    are added to each application database.
    """

    databases: tuple[str, ...] = DATABASES[:2]
    roles: Mapping[str, str] = field(default_factory=dict, repr=False)
    tables: int = 0
