"""Sequences that once broke a rule, each in its shortest form, and what now stops them."""

from __future__ import annotations

from pathlib import Path

import pytest

from state.enums import Track
from tests.guards.acts import SETTINGS, Act, Branch, Go, Hand, Sequence, Simple, Strike, Wait
from tests.guards.faults import Fault
from tests.guards.night import Night, Settings
from tests.guards.play import checkpoint, play

RENAME, ROUTE53, MANUAL, COMMAND = SETTINGS
BAKED = 16
"""So many steps that all went well lead to the end of the upgrade."""

SERVES = ((Branch(0), 12), (Branch(2), 12))
"""Roll back to blue prime, then clean up: the third way, or the only one."""


@pytest.mark.parametrize("settings", [ROUTE53, MANUAL, COMMAND], ids=lambda s: s.endpoint)
def test_cleanup_keeps_blue_prime_where_it_serves_under_its_own_name(settings: object) -> None:
    play(Sequence(settings, BAKED, SERVES))  # type: ignore[arg-type]


@pytest.mark.parametrize("ahead", [1, 12])
def test_a_strangers_deployment_of_the_runs_name_is_neither_used_nor_deleted(ahead: int) -> None:
    acts: tuple[tuple[Act, int], ...] = (
        (Hand("make the deployment's name"), ahead),
        (Wait(40.0), 1),
        (Branch(0), 12),
    )
    play(Sequence(RENAME, 3, acts))


@pytest.mark.parametrize("what", ["forge blue prime", "make blue prime's name"])
@pytest.mark.parametrize("smooth", [8, 10])
def test_a_strangers_cluster_of_blue_primes_name_is_not_subscribed(what: str, smooth: int) -> None:
    play(Sequence(RENAME, smooth, ((Hand(what), 12), (Simple("watched"), 0), (Branch(0), 12))))


def test_a_clone_that_somebody_renamed_is_not_made_again() -> None:
    acts: tuple[tuple[Act, int], ...] = (
        (Strike(Fault.KILL_AFTER_CALL, 1), 1),
        (Hand("rename blue prime"), 12),
    )
    play(Sequence(RENAME, 10, acts))


def test_slots_that_a_lost_blue_prime_has_read_protect_no_later_clone() -> None:
    acts: tuple[tuple[Act, int], ...] = (
        (Hand("delete blue prime"), 0),
        (Simple("watched"), 0),
        (Branch(0), 12),
        (Branch(1), 12),
    )
    play(Sequence(RENAME, BAKED, acts))


@pytest.mark.parametrize("settings", [RENAME, ROUTE53, COMMAND], ids=lambda s: s.endpoint)
def test_there_and_back_again_twice_loses_nothing(tmp_path: Path, settings: Settings) -> None:
    night = Night.resume(tmp_path, checkpoint(settings, BAKED))
    for variant in ("blue-prime", "forward", "blue-prime", "forward"):
        night.branch(0)
        assert night.opened().journal.entries(night.run)[-1].variant == variant
        Go(12).do(night)
        assert night.opened().session.checklist().current.complete
        night.expect_protection(variant)
    night.leave()


@pytest.mark.parametrize(
    "until", ["compare", "drop-subscriptions", "create-slots", "open-blue-prime"]
)
@pytest.mark.parametrize("variant", ["blue-prime-for-good", "stay"])
def test_a_rollback_under_way_is_finished_for_good_or_called_off(
    tmp_path: Path, until: str, variant: str
) -> None:
    night = Night.resume(tmp_path, checkpoint(RENAME, BAKED))
    night.branch(0)
    Go(1).do(night)
    process = night.opened()
    process.do(process.session.advance("stop-traffic", night._yes, until=until))
    night.branch(_open(night).index(variant))
    assert night.opened().journal.entries(night.run)[-1].variant == variant
    Go(12).do(night)
    assert night.opened().session.checklist().current.complete
    held = [name for name, each in night.world.clusters.items() if each.slots]
    if variant == "stay":
        night.expect_protection(variant)
        assert len(held) == 1
    else:
        assert not night.opened().session.run.open
        assert held == []
    night.leave()


def _open(night: Night) -> list[str]:
    """Return the ways that are open, as they are offered."""
    process = night.opened()
    return [
        branch.variant for branch in process.do(process.session.ways()) or [] if branch.available
    ]


def test_a_way_that_was_offered_before_the_rollback_is_not_taken_after_it(tmp_path: Path) -> None:
    night = Night.resume(tmp_path, checkpoint(ROUTE53, BAKED))
    night.branch(0)
    offered = [(branch.track, branch.available) for branch in night.remembered]
    assert (Track.COMMIT, True) in offered
    Go(12).do(night)
    night.branch_late(offered.index((Track.COMMIT, True)))
    assert night.opened().journal.entries(night.run)[-1].track is Track.ROLLBACK
    night.leave()
