"""The figures of long nights, printed at the end of the tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def record_figures(
    record_property: Callable[[str, object], None],
) -> Callable[[str], None]:
    """Return what keeps a line for the summary: workers hand it to the terminal's process."""
    return lambda line: record_property("figures", line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print them."""
    lines = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "figures" and getattr(report, "when", "") == "call"
    ]
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.line(str(line))
