"""Every hazard that the lab can plant, as data: what to plant, and what must be seen of it."""

from __future__ import annotations

from tests.preflight.plants import aws, server, tables
from tests.preflight.plants.planting import Planted, zone_of

__all__ = ["ELSEWHERE", "PLANTS", "Planted", "zone_of"]

PLANTS: tuple[Planted, ...] = (*aws.PLANTS, *tables.PLANTS, *server.PLANTS)
"""Not here, since several results belong to it or nothing is to be planted: `roles.master` and
`cluster.deletion-protection`, which tests/preflight/test_database.py and test_cluster.py prove."""

ELSEWHERE = {
    "roles.master": "tests/preflight/test_database.py::test_a_user_without_permissions",
    "roles.proved": "tests/preflight/test_database.py::"
    "test_what_the_server_refuses_is_told_and_beside_a_deployment_no_trigger_fires",
    "cluster.another-run": "tests/preflight/test_others.py::"
    "test_a_mark_names_the_run_its_holder_and_the_way_to_take_it_off",
    "cluster.deletion-protection": "tests/preflight/test_cluster.py::"
    "test_deletion_protection_is_told",
    "endpoints.security-groups": "tests/preflight/test_network.py::"
    "test_groups_that_do_not_let_each_other_in_block_until_they_do",
}
"""Check -> the test that proves it."""
