"""The names of what a run creates, made in one place, so that each is valid and can be looked at.

A name of AWS begins with a letter, has letters, digits and single hyphens, and ends in no hyphen:
63 characters at most for a cluster or an instance, 60 for a blue/green deployment, 255 for a
parameter group or a snapshot.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/CHAP_Limits.html
"""

from __future__ import annotations

import re

LONGEST_IDENTIFIER = 63
"""Of a cluster, an instance or a custom endpoint."""

LONGEST_GREEN = LONGEST_IDENTIFIER - len("-green-xxxxxx")
"""So long a name may be for AWS to append green's suffix."""

_KEPT = 40
"""So much of the production name is kept, which leaves room for every suffix."""

_VALID = re.compile(r"[A-Za-z](?:-?[A-Za-z0-9]+)*")


def valid(name: str, longest: int = LONGEST_IDENTIFIER) -> bool:
    """Return whether AWS takes a name."""
    return len(name) <= longest and _VALID.fullmatch(name) is not None


def _resource(run: str, part: str) -> str:
    """Return the name of a run's deployment, parameter group or snapshot: `bp-RUN-PART`."""
    return f"bp-{run}-{part}"


def deployment(run: str) -> str:
    """Return the name of a run's blue/green deployment."""
    return _resource(run, "bgd")


def parameter_group(run: str) -> str:
    """Return the name of the cluster parameter group that a run makes for green."""
    return _resource(run, "pg")


def final_snapshot(run: str) -> str:
    """Return the name of the snapshot of old blue that a commit takes."""
    return _resource(run, "old-blue")


def blue_prime(production: str, run: str) -> str:
    """Return the name that the rollback cluster is made under."""
    return f"{stem(production)}-prime-{run}"


def member(cluster: str, number: int) -> str:
    """Return the name of the rollback cluster's instance of a number, from 1 on, by its name."""
    return f"{cluster}-{number}"


def aside(production: str, run: str) -> str:
    """Return the name that a rollback by renaming gives to new blue."""
    return f"{stem(production)}-new-{run}"


def stem(production: str) -> str:
    """Return how the names begin that are made of the production name."""
    # A name that is cut at a hyphen would have two in a row with the suffix.
    return production[:_KEPT].rstrip("-")
