"""The hazards of what applications need beside their rows: roles, grants, code, whole databases."""

from __future__ import annotations

from runbook.preflight.hazard import Hazard

OBJECTS = "tests/remedies/test_objects.py"
BANNER = "tests/watch/test_beside.py::test_the_banner_counts_what_is_not_alike_until_it_is"
MOVED = f"{OBJECTS}::test_before_the_applications_are_moved_each_is_named_and_accepted_once"
PASSWORDS = "tests/remedies/test_password.py"

BESIDE: tuple[Hazard, ...] = (
    Hazard(
        "A role, password, membership or grant that is changed while two clusters stand",
        "Replication carries none: the applications cannot log in after the switchover, or after "
        "a rollback; what was revoked comes back.",
        then="blue and green are compared before the applications are stopped, new blue and blue "
        "prime all the while; the banner counts what differs, and no cluster takes over before "
        "each difference was mended or accepted by name",
        proof=(
            BANNER,
            MOVED,
            f"{OBJECTS}::test_a_release_of_every_kind_is_made_alike",
            f"{OBJECTS}::test_after_a_release_is_mended_the_applications_log_in_on_blue_prime",
        ),
        unproved="Aurora, where pg_authid may not be read: passwords are said to be unknown there",
        todo="`m`: each is made alike. Where passwords cannot be read: change each on both.",
    ),
    Hazard(
        "A release while baking: functions, views, triggers, policies, indexes",
        "Blue prime has none of it: after a rollback the new application runs on old code.",
        then="watched and named in the same way; mended from the definitions of the side that "
        "serves",
        proof=(
            BANNER,
            MOVED,
            f"{OBJECTS}::test_what_a_release_has_dropped_is_dropped_and_what_it_revoked_is_revoked",
            "tests/postgres/test_objects.py::test_what_is_alike_is_read_alike_by_both_versions",
        ),
        todo="`m`: each is made alike, or all are accepted by name.",
    ),
    Hazard(
        "A rotation of the password that blueprime itself uses",
        "It reaches production alone; blue prime, cloned before, keeps the former one.",
        then="the former one is tried too (from memory, or from the secret's AWSPREVIOUS), and the "
        "watch goes on; that a cluster takes it alone is said",
        proof=(
            f"{PASSWORDS}::"
            "test_the_side_that_follows_is_entered_by_the_former_password_and_given_the_new_one",
            f"{PASSWORDS}::test_a_side_that_takes_none_is_given_it_through_aws",
            "tests/aws/test_secrets.py::"
            "test_what_a_rotation_left_behind_and_is_about_to_set_is_known",
        ),
        todo="`m`: it is set on blue prime, by SQL or by ModifyDBCluster.",
    ),
    Hazard(
        "A database that is created, dropped or renamed while baking",
        "A new one is not fed. DROP and RENAME DATABASE fail on production: a slot reads it.",
        then="said before the switchover, and when the protection is verified; a new one ends the "
        "protection, and holds a rollback up, until it is given up by name; what is left behind is "
        "named beforehand",
        proof=(
            "tests/remedies/test_databases.py::"
            "test_a_new_database_is_given_up_by_name_and_the_others_are_protected",
        ),
        todo="Do it before the switchover, or after commit or cleanup, and close one to clients "
        "until then; or `m`: give the new one up by name, and carry it by hand.",
    ),
)
