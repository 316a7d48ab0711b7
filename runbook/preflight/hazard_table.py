"""The table of hazards: what happens, which checks see it beforehand, what catches it later.

A capability that catches more of one is written into its row; docs/hazards.md follows from here.
"""

from __future__ import annotations

from runbook.preflight.hazard import Hazard
from runbook.preflight.hazard_beside import BESIDE
from runbook.preflight.hazard_deployment import DEPLOYMENT

FENCE = "tests/postgres/test_fence.py"
REPLICATION = "tests/postgres/test_replication.py"
INVARIANTS = "tests/nights/test_invariants.py"

NAMED = f"{INVARIANTS}::test_a_write_between_the_freeze_and_the_capture_is_named"
SLOT = f"{INVARIANTS}::test_a_dropped_slot_ends_the_protection_and_is_named"
WRITERS = f"{FENCE}::test_who_could_write_is_named_while_it_is_there"
PROOF = "tests/postgres/test_proof.py"
FREEZE = "tests/postgres/test_freeze.py"
REMEDIES = "tests/remedies/test_schema.py"
CONSUMERS = "tests/remedies/test_consumers.py"
RIGHTS = "tests/remedies/test_rights.py"
RECOPIED = "tests/remedies/test_rows.py::test_differing_rows_are_copied_while_a_writer_goes_on"
TURNING = "tests/watch/test_turning.py::test_each_cause_turns_it_and_what_mends_it_turns_it_back"
STRAYS = "tests/postgres/test_strays.py::test_one_stray_row_among_the_load_is_the_only_one_seen"
CORRUPTED = "tests/postgres/test_compare.py::test_planted_corruption_is_found_and_named"
TYPES = (
    "tests/postgres/test_rowhash.py::"
    "test_no_two_values_of_a_type_hash_the_same_and_both_versions_agree"
)
UNKNOWN = "tests/runbook/test_judge.py::test_what_is_not_known_is_never_protected"
DRIFT = (
    "tests/postgres/test_schema.py::test_drift_shows_as_a_line",
    "tests/watch/test_turning.py::test_drift_is_kept_as_data_and_goes_when_it_is_mended",
    TURNING,
)


GROUPS: tuple[tuple[str, tuple[Hazard, ...]], ...] = (
    (
        "Loss without an error",
        (
            Hazard(
                "A write between the freeze and the capture",
                "The row never reaches blue prime; later updates of it are ignored; lag 0.",
                checks=("roles.application", "roles.unnamed", "roles.read-only"),
                then="both sides are held against their last look from the proof of the fence to "
                "the capture; where counters leave a doubt the rows are compared; what slipped in "
                "is named with its counts, and the run is not protected until it is mended",
                proof=(
                    NAMED,
                    f"{PROOF}::test_a_write_on_new_blue_before_the_capture_is_named_and_accepted_by_name_only",
                    RECOPIED,
                    CORRUPTED,
                ),
                todo="Stop what wrote. Once blue prime follows: `m`, copy the rows again, or give "
                "the table up by its name.",
            ),
            Hazard(
                "A table that is created after the subscription",
                "Its rows are not replicated until it exists on both sides and the subscription "
                "is refreshed.",
                checks=("schema.partitions",),
                then="schema drift, and what the subscription does not know, is watched while "
                "baking: not protected, with what differs named",
                proof=(*DRIFT, f"{REMEDIES}::test_a_new_table_is_made_taken_in_and_equal"),
                todo="`m`: it is made on blue prime first, then taken in with its rows.",
            ),
            Hazard(
                "A table or column that is made anew under its name, or changes it with another",
                "Rows of the former one stay on blue prime under the new one's name; lag 0.",
                then="relation and column numbers are watched while baking: not protected until "
                "the rows were compared. Nothing tells of a table that was UNLOGGED only between "
                "two looks, but a comparison of its rows",
                proof=(
                    TURNING,
                    "tests/remedies/test_remade.py::test_what_changed_its_name_with_another_is_told_and_copied",
                ),
                todo="`m`: the table is emptied on blue prime where apply stands, and copied.",
            ),
            Hazard(
                "Rows that bear a replication origin",
                "What another tool or a subscription brings to new blue does not travel "
                "(origin = none); lag 0.",
                then="what has written by an origin since the slots began, and subscriptions on "
                "new blue, are watched while baking: not protected, with what brought them named, "
                "until a comparison of all rows passes",
                proof=(TURNING,),
                todo="End what brings them. `compare --record` names the tables; `m` copies their "
                "rows; another comparison that passes ends it.",
            ),
            Hazard(
                "Data that logical replication does not carry",
                "Sequences, large objects, unlogged tables, materialized views, DDL stay behind.",
                checks=("data.acknowledged",),
            ),
            Hazard(
                "False zero lag",
                "A lag that is told from sent_lsn, or from no row at all, reads as 0.",
                then="lag is the publisher's position against confirmed_flush_lsn; what is not "
                "known blocks",
                proof=(f"{REPLICATION}::test_lag_that_is_not_known_is_never_zero", UNKNOWN),
                todo="Look at the slot that is named.",
            ),
            Hazard(
                "confirmed_flush_lsn trails until the next feedback",
                "Everything is applied, and the figure says otherwise.",
                then="a drain waits for one LSN that was captured inside the fence",
                proof=(f"{REPLICATION}::test_a_whole_life",),
                todo="Nothing: it passes.",
            ),
            Hazard(
                "A comparison that cannot see differences",
                "Changed values go unnoticed for ever.",
                then="counts and hashes of all rows before a rollback, and while baking with "
                "`blueprime compare`; tested on planted differences in every built-in type",
                proof=(
                    CORRUPTED,
                    TYPES,
                    "tests/postgres/test_compare_live.py::test_rows_that_move_are_not_told_and_planted_differences_are",
                ),
                unproved="xml and nondeterministic collations: the lab's servers have neither",
                todo="`m`: copy the rows of the tables that are named again.",
            ),
        ),
    ),
    (
        "Errors on production",
        (
            Hazard(
                "A table without a usable replica identity",
                "Once published, UPDATE and DELETE fail on production.",
                checks=("schema.identity",),
            ),
            Hazard(
                "REPLICA IDENTITY FULL over a type without equality",
                "Apply fails at the first update.",
                checks=("schema.equality",),
            ),
            Hazard(
                "REPLICA IDENTITY FULL on a large table without a key",
                "Apply reads the whole table for each changed row: it falls behind for hours.",
                checks=("schema.identity-full",),
            ),
            Hazard(
                "A database without an encoding",
                "Bytes that are no UTF-8 are replicated, but can be neither read nor compared.",
                checks=("data.encoding",),
            ),
            Hazard(
                "Generated columns in a replica identity",
                "Apply stops; as publisher, 18 refuses UPDATE and DELETE instead.",
                checks=("schema.generated",),
            ),
            Hazard(
                "Tables of extensions, and work tables",
                "FOR ALL TABLES publishes them too: conflicts on blue prime, errors on production.",
                checks=("extensions.owned-tables", "extensions.pg-repack"),
            ),
            Hazard(
                "An abandoned slot",
                "It keeps WAL and stops vacuum on production.",
                checks=("replication.slots", "capacity.kept-wal", "capacity.slot-limit"),
                then="every ending track drops the run's own; a lost one ends the protection",
                proof=(SLOT,),
            ),
            Hazard(
                "A consumer of changes that is set up on new blue",
                "Its slot and publication stay there: after a rollback it gets nothing more, and "
                "its slot keeps WAL.",
                then="watched while baking, warned of before a rollback, named at each end",
                proof=(f"{CONSUMERS}::test_what_others_have_made_is_named_and_nothing_else",),
                todo="Make it anew on the cluster that serves, and drop it on the other.",
            ),
            Hazard(
                "A sequence at its end",
                "INSERT fails, on whichever side serves.",
                checks=("schema.sequence-bounds",),
            ),
        ),
    ),
    ("Beside the rows", BESIDE),
    (
        "The fence",
        (
            Hazard(
                "Writers that a read-only setting does not stop",
                "Open sessions, other roles, an explicit SET, and pg_cron go on writing.",
                checks=("roles.unnamed", "roles.read-only", "extensions.cron-jobs"),
                then="the fence is proved over a window: sessions, transactions, workers, write "
                "counters; looked at once more before the pivot, after the capture, and in a "
                "rollback until the other side opens",
                proof=(
                    WRITERS,
                    f"{PROOF}::test_a_writer_on_blue_keeps_the_fence_from_being_proved_and_is_named",
                    f"{PROOF}::test_a_writer_that_comes_back_before_the_pivot_stops_it",
                    f"{FREEZE}::test_a_write_on_either_side_after_the_comparison_is_named_before_the_other_opens",
                ),
            ),
            Hazard(
                "Prepared transactions",
                "They survive their session, and are committed behind the fence.",
                checks=("sessions.prepared",),
                then="the fence does not count as proved while one stands, or ends between looks",
                proof=(
                    WRITERS,
                    f"{PROOF}::test_a_transaction_that_was_prepared_before_and_ends_between_two_looks_is_seen",
                ),
            ),
            Hazard(
                "Creating a slot waits for every open transaction",
                "One forgotten session holds the capture up, in any database.",
                checks=("sessions.long",),
                then="the capture has a deadline, names who is in its way, and asks whether to "
                "end them",
                proof=(
                    f"{REPLICATION}::test_a_slot_that_is_held_up_names_who_holds_it_up",
                    f"{PROOF}::test_who_holds_up_the_slot_is_named_and_ended_by_a_decision",
                ),
            ),
            Hazard(
                "A stray write on blue prime",
                "Its key conflicts, and apply loops for ever.",
                checks=("roles.read-only", "extensions.cron-jobs"),
                then="blue prime is read-only to clients; its WAL tells what replication did not "
                "bring, whatever the load; a worker that fails again and again ends the protection",
                proof=(
                    STRAYS,
                    TURNING,
                    f"{REMEDIES}::test_a_row_in_the_way_is_named_and_deleted_alone",
                    "tests/faults/test_postgres.py::test_a_row_in_the_way_on_blue_prime",
                    "tests/faults/test_postgres.py::test_a_stray_row_that_meets_none_is_found_by_the_comparison",
                ),
                unproved="what was written while no watch was open: the comparison finds that",
                todo="`m`: delete the row in the way, or copy the table's rows again.",
            ),
            Hazard(
                "A table that apply may not write",
                "From 16 on apply writes as each table's owner, on 15 as the subscription's: a "
                "right that is missing, or row-level security that holds for the owner, stops it.",
                checks=("roles.apply",),
                then="the subscription is made with run_as_owner where that helps; where apply has "
                "stopped, what PostgreSQL refuses is told by table",
                proof=(f"{RIGHTS}::test_what_apply_is_refused_is_told_and_mended",),
                todo="`m`: let apply write as the subscription's owner, or grant what is missing.",
            ),
            Hazard(
                "Triggers that fire on apply",
                "Side effects twice; unqualified names stop apply.",
                checks=("schema.triggers",),
            ),
            Hazard(
                "Functions that lean on search_path",
                "Apply has none, and from 17 on neither has ANALYZE nor REFRESH: indexes, checks "
                "and materialized views over them fail.",
                checks=("schema.search-path",),
            ),
            Hazard(
                "Event triggers",
                "They fire on the publications and subscriptions of AWS and blueprime.",
                checks=("schema.event-triggers",),
            ),
        ),
    ),
    (
        "The clone",
        (
            Hazard(
                "Leftovers in a clone",
                "Slots, publications, subscriptions and cron jobs come along and start running.",
                checks=("extensions.cron-jobs", "replication.publications"),
                then="the run drops the subscriptions that a clone brings before it subscribes",
                unproved="what AWS itself leaves in a clone",
            ),
            Hazard(
                "Settings that are omitted at the clone call",
                "Parameter group, security groups, port and scaling fall back to defaults.",
                then="all are carried over from old blue, and what the clone lacks is shown",
                proof=(
                    "tests/aws/test_clone.py::test_every_setting_of_the_cluster_is_carried_over",
                    "tests/aws/test_clone.py::test_a_setting_that_the_clone_lacks_is_shown",
                ),
                todo="Compare the settings of blue prime with those of old blue.",
            ),
            Hazard(
                "Old blue unlocks when the deployment is deleted",
                "What is cloned is not what the slots start from.",
                then="held read-only by the run; marks compared before, during and after the clone",
                proof=(
                    f"{INVARIANTS}::test_a_write_on_old_blue_before_the_clone_stops_the_clone",
                    f"{FREEZE}::test_a_write_on_old_blue_until_it_is_cloned_is_named",
                    f"{FREEZE}::test_upkeep_of_old_blue_is_no_write",
                ),
                todo="Find what wrote there; old blue can be restored to the switchover.",
            ),
            Hazard(
                "The sixteenth clone is a full copy",
                "Hours instead of minutes without a way back.",
                checks=("capacity.clones",),
            ),
        ),
    ),
    (
        "Sequences",
        (
            Hazard(
                "Positions that are guessed, or set one by one",
                "max(column) misses gaps and calls; one bad setval undoes many; ten thousand "
                "overflow the lock table.",
                then="last_value and is_called, as many in one statement as the lock table has "
                "room for, a result for each; none is set back where applications may use it",
                proof=(
                    "tests/postgres/test_sequences.py::test_bounds_and_cycles_go_on_as_on_the_publisher",
                    "tests/postgres/test_sequences.py::test_none_is_set_back_where_applications_may_use_it",
                    "tests/postgres/test_sequences.py::test_every_oddity_survives_both_ways",
                    "tests/postgres/test_sequences.py::test_what_cannot_be_set_is_named_and_hinders_no_other",
                    "tests/postgres/test_sequences.py::test_ten_thousand_are_read_and_set_at_default_limits",
                ),
                todo="Look at the sequences that are named with a reason.",
            ),
            Hazard(
                "Thousands of sequences",
                "AWS carries each over inside its switchover.",
                checks=("schema.sequences",),
            ),
        ),
    ),
    (
        "Versions",
        (
            Hazard(
                "Features of the new version, used after the switchover",
                "They do not exist on blue prime.",
                then="schema drift is watched while baking",
                proof=(
                    *DRIFT,
                    f"{REMEDIES}::test_what_cannot_be_written_faithfully_is_said_in_the_right_order",
                ),
                unproved="each feature by itself",
                todo="Use none until commit.",
            ),
            Hazard(
                "TLS is asked for from 17 on",
                "Clients and the subscription are refused by new blue.",
                checks=("parameters.force-ssl",),
                then="the subscription never asks for plain text where the publisher refuses it",
                unproved="a subscription over TLS: the lab's servers have none",
            ),
            Hazard(
                "Statistics are lost before 18",
                "Plans go wrong right after the switchover.",
                then="green is analyzed before it serves",
                proof=(
                    "tests/postgres/test_maintenance.py::test_analyze_gives_every_table_statistics",
                ),
                todo="Leave upgrade.analyze_green on.",
            ),
            Hazard(
                "Collation versions differ",
                "Rows are not found through indexes; unique keys let doubles in.",
                checks=("schema.collations",),
                unproved="green's own library, which is seen only when green exists",
            ),
            Hazard(
                "Slots and an Aurora failover",
                "The slot may be gone, and its WAL with it.",
                then="a vanished slot ends the protection at the next look",
                proof=(SLOT, f"{REMEDIES}::test_a_lost_slot_is_replaced_by_a_full_copy"),
                unproved="a failover of Aurora itself",
                todo="Stay on the new version, or `m`: rebuild the protection by a full copy.",
            ),
            Hazard(
                "Minors with a race at slot creation",
                "Changes of open transactions are lost.",
                checks=("cluster.slot-race",),
                then="the capture is made inside the fence, where nothing runs",
                proof=(f"{FENCE}::test_a_quiet_cluster_is_proved",),
            ),
            Hazard(
                "What pg_upgrade refuses",
                "Green is not made; the reason stands in a log that AWS does not show.",
                checks=(
                    "schema.upgrade-types",
                    "schema.upgrade-objects",
                    "data.databases",
                    "extensions.versions",
                    "sessions.prepared",
                    "replication.slots",
                ),
                unproved="postfix operators, conversions and aggregates of 13: the lab's oldest "
                "server is 16",
            ),
        ),
    ),
    DEPLOYMENT,
)
