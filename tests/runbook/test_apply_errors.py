"""A worker that fails at one change is told from one that lost a connection and came back."""

from __future__ import annotations

from runbook.watch.apply_errors import MOMENT_S, RETRY_S, STUCK, Failures


def test_a_lost_connection_is_forgiven_once_the_worker_runs_on() -> None:
    failures = Failures()
    failures.observe("orders", 4, pid=1, confirmed=100, clock=0.0)
    failures.observe("orders", 5, pid=2, confirmed=100, clock=1.0)
    assert failures.waits
    assert not failures.failing("orders")
    failures.observe("orders", 5, pid=2, confirmed=100, clock=1.0 + MOMENT_S)
    assert not failures.failing("orders")
    assert not failures.waits


def test_a_worker_that_does_not_come_back_fails() -> None:
    failures = Failures()
    failures.observe("orders", 0, pid=1, confirmed=100, clock=0.0)
    failures.observe("orders", 1, pid=None, confirmed=100, clock=10.0)
    assert not failures.failing("orders")
    failures.observe("orders", 1, pid=None, confirmed=100, clock=10.0 + MOMENT_S)
    assert failures.failing("orders")
    failures.observe("orders", 1, pid=3, confirmed=101, clock=13.0)
    assert not failures.failing("orders")


def test_one_that_ends_soon_after_it_came_is_given_until_it_may_come_again() -> None:
    failures = Failures()
    failures.observe("orders", 0, pid=1, confirmed=100, clock=0.0)
    failures.observe("orders", 1, pid=None, confirmed=100, clock=1.0)
    failures.observe("orders", 1, pid=None, confirmed=100, clock=RETRY_S)
    assert failures.waits
    assert not failures.failing("orders")
    failures.observe("orders", 1, pid=None, confirmed=100, clock=RETRY_S + MOMENT_S)
    assert failures.failing("orders")


def test_one_that_fails_again_at_once_is_given_no_more_than_a_moment() -> None:
    failures = Failures()
    failures.observe("orders", 0, pid=1, confirmed=100, clock=0.0)
    failures.observe("orders", 2, pid=None, confirmed=100, clock=20.0)
    failures.observe("orders", 2, pid=None, confirmed=100, clock=20.0 + MOMENT_S)
    assert failures.failing("orders")


def test_errors_without_progress_are_of_one_change_however_long_each_try_takes() -> None:
    failures = Failures()
    for tried in range(STUCK + 1):
        failures.observe("orders", tried, pid=tried, confirmed=100, clock=20.0 * tried)
    failures.observe("orders", STUCK, pid=STUCK, confirmed=100, clock=20.0 * STUCK + 10)
    assert failures.failing("orders")
    failures.observe("orders", STUCK, pid=STUCK, confirmed=200, clock=20.0 * STUCK + 11)
    assert not failures.failing("orders")


def test_errors_with_nothing_left_to_confirm_are_those_of_connections() -> None:
    failures = Failures()
    failures.observe("orders", 0, pid=1, confirmed=100, clock=0.0)
    for tried in range(1, STUCK + 2):
        clock = 20.0 * tried
        failures.observe("orders", tried, pid=tried, confirmed=100, caught_up=True, clock=clock)
        assert failures.waits
        assert not failures.failing("orders")
    failures.observe("orders", STUCK + 2, pid=None, confirmed=100, caught_up=True, clock=200.0)
    failures.observe("orders", STUCK + 2, pid=None, confirmed=100, clock=200.0 + MOMENT_S)
    assert failures.failing("orders")


def test_a_count_that_is_not_kept_or_was_high_before_says_nothing() -> None:
    failures = Failures()
    failures.observe("orders", None, pid=None, confirmed=None, clock=0.0)
    failures.observe("billing", 40, pid=7, confirmed=None, clock=0.0)
    failures.observe("billing", 0, pid=7, confirmed=None, clock=1.0)
    assert not failures.failing("orders")
    assert not failures.failing("billing")
    assert not failures.waits
