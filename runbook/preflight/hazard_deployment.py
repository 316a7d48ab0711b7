"""The hazards of the blue/green deployment itself: rows of the table in `hazard_table`."""

from __future__ import annotations

from runbook.preflight.hazard import CORNERS, Hazard

DEPLOYMENT: tuple[str, tuple[Hazard, ...]] = (
    "The blue/green deployment",
    (
        Hazard(
            "DDL on blue while the deployment stands",
            "It degrades, or the switchover rolls back without a word.",
            checks=("schema.partitions", "extensions.cron-jobs", "schema.extensions"),
            then="a degraded deployment is refused before anything is stopped",
            proof=(CORNERS,),
            todo="Delete green, and make it again: abort, then a new run.",
        ),
        Hazard(
            "Too few slots, senders or workers; a writer that waits for a reboot",
            "The deployment fails after half an hour, or replication stands still.",
            checks=(
                "parameters.group",
                "parameters.in-sync",
                "parameters.logical-replication",
                "parameters.pending-restart",
                "parameters.synchronous-commit",
                "parameters.sizing",
                "parameters.target-group",
                "parameters.instance-group",
                "capacity.quotas",
            ),
        ),
        Hazard(
            "What blue must not be or have",
            "AWS refuses the deployment or the switchover.",
            checks=(
                "cluster.status",
                "cluster.members",
                "cluster.version",
                "cluster.target",
                "cluster.kind",
                "cluster.master-password",
                "cluster.backups",
                "cluster.deployments",
                "cluster.zero-etl",
                "replication.publications",
                "replication.subscriptions",
                "schema.extensions",
            ),
        ),
        Hazard(
            "Two runs on one cluster",
            "What one takes for a leftover is the other's way back: its slots, its green, AWS's "
            "own feed of green.",
            checks=("cluster.another-run",),
            then="before each change the holder's mark is looked at; a mend never drops what "
            "is another run's, nor what is AWS's while a deployment stands",
            proof=(
                "tests/preflight/test_two_homes.py::"
                "test_a_second_home_is_told_whose_run_it_is_and_changes_nothing",
                "tests/preflight/test_others.py::test_the_objects_of_another_run_are_left_alone",
                "tests/preflight/test_others.py::"
                "test_awss_own_objects_are_left_alone_while_a_deployment_stands",
            ),
        ),
        Hazard(
            "What AWS does not copy to green",
            "Auto Scaling, IAM roles, proxies and custom endpoints are missing afterwards.",
            checks=(
                "cluster.not-copied",
                "cluster.auto-scaling",
                "cluster.deletion-protection",
                "endpoints.proxy",
                "endpoints.data-api",
            ),
            proof=("tests/preflight/test_cluster.py::test_deletion_protection_is_told",),
            unproved="custom endpoints: the lab's clusters have none",
        ),
        Hazard(
            "Policies that name a resource id",
            "Every cluster of a run has another id: logins by IAM token are refused on new blue, "
            "and on blue prime after a rollback.",
            checks=("endpoints.iam",),
            then="green's id is asked for right before the switchover, blue prime's is told when "
            "it is there",
            proof=("tests/runbook/test_by_hand.py::test_what_a_clone_needs_is_told_with_its_id",),
        ),
        Hazard(
            "AVAILABLE too early",
            "AWS refuses a switchover for some minutes.",
            then="both are waits: several good looks, and patience with a refusal",
            proof=(CORNERS,),
            todo="Nothing: it passes.",
        ),
        Hazard(
            "Names that are too long, or end in another number",
            "Green's name does not fit; old blue is -old2.",
            checks=("cluster.name",),
            then="names are read from the switchover's details, clusters known by resource id",
            proof=("tests/rehearsal_aws/test_switchover.py::test_the_next_free_old_name_is_taken",),
        ),
        Hazard(
            "The wrong cluster, or the wrong way to it",
            "A namesake is changed, or the applications are led nowhere.",
            checks=(
                "account.identity",
                "cluster.found",
                "roles.master",
                "roles.connect",
                "endpoints.commands",
                "endpoints.route53",
                "schema.foreign-servers",
            ),
            then="each connection proves where it is",
            proof=(
                "tests/faults/test_postgres_endpoints.py::test_no_step_goes_on_where_a_name_leads_astray",
                "tests/preflight/test_database.py::test_a_user_without_permissions",
            ),
        ),
    ),
)
