"""Settings shared by all tests."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

settings.register_profile("local", deadline=None)
settings.register_profile("ci", parent=settings.get_profile("local"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many recorded vectors the model answered, by group, if any were played."""
    from tests.conformance import summary

    reports = [report for kind in ("passed", "failed", "error") for report in terminalreporter.getreports(kind)]
    outcomes = [found for report in reports if (found := summary.outcome(report)) is not None]
    if outcomes:
        terminalreporter.section("recorded vectors, by group")
        for line in summary.table(outcomes):
            terminalreporter.write_line(line)
