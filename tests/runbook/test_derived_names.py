"""Whatever the production cluster is named, AWS takes each name that a run makes of it."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from rehearsal.aws.control import check_identifier
from runbook.aws.facts import Cluster
from runbook.base import derived_names
from runbook.ownership.tags import bears_name
from runbook.run.session import new_run_id

IDENTIFIERS = st.from_regex(r"[a-z](-?[a-z0-9]+)*", fullmatch=True).filter(lambda n: len(n) <= 63)
"""Of every length that AWS takes, with hyphens anywhere that it does."""

HYPHEN_AT_THE_CUT = "payments-ledger-archive-production-euw1-0-main"


@given(production=IDENTIFIERS, number=st.integers(1, 15))
@example(production=HYPHEN_AT_THE_CUT[:39] + "-" + "main", number=15)
@example(production="a" * 39 + "-" + "b" * 23, number=15)
@example(production="a", number=1)
def test_each_derived_name_is_one_that_aws_takes(production: str, number: int) -> None:
    run = new_run_id()
    names = (
        derived_names.blue_prime(production, run),
        derived_names.member(derived_names.blue_prime(production, run), number),
        derived_names.aside(production, run),
        derived_names.final_snapshot(run),
        derived_names.parameter_group(run),
        derived_names.deployment(run),
    )
    assert len(set(names)) == len(names)
    for name in names:
        assert derived_names.valid(name)
        # The lab refuses what AWS refuses, by rules of its own.
        assert check_identifier(name, "DBClusterIdentifier") == name
    assert re.fullmatch(r"[a-zA-Z](?:-?[a-zA-Z0-9]+)*", names[-1])
    assert len(names[-1]) <= 60


@given(production=IDENTIFIERS)
@example(production="a" * 39 + "-" + "b" * 23)
def test_a_cluster_of_a_derived_name_is_known_as_the_runs(production: str) -> None:
    run = new_run_id()
    for name in (derived_names.blue_prime(production, run), derived_names.aside(production, run)):
        assert bears_name(_cluster(name), production, run)
        assert not bears_name(_cluster(name), production, "zzzzzz")


def _cluster(name: str) -> Cluster:
    return Cluster.parse(
        {
            "DbClusterResourceId": "cluster-X",
            "DBClusterIdentifier": name,
            "DBClusterArn": f"arn:aws:rds:eu-central-1:1:cluster:{name}",
            "Status": "available",
            "EngineVersion": "16.4",
        }
    )
