"""The table of recorded vectors behind a test run: it counts what failed and what was not played, too."""

from __future__ import annotations

import pytest

from tests.conformance import summary


def row(lines: list[str], name: str) -> list[int]:
    return next([int(cell) for cell in line.split()[1:]] for line in lines if line.split()[0] == name)


def test_each_vector_is_equal_deviating_failed_or_not_played() -> None:
    outcomes = [*[("rom_boot", "equal")] * 36, ("rom_boot", "failed"), ("stub_e3", "deviating")]
    lines = summary.table(outcomes)
    assert row(lines, "rom_boot") == [38, 36, 0, 1, 1]
    assert row(lines, "stub_e3") == [260, 0, 1, 0, 259]
    assert row(lines, "rom_sync") == [102, 0, 0, 0, 102]
    assert row(lines, "all") == [2319, 36, 1, 1, 2281]
    assert lines[-1].startswith("37 of 2319 vectors pass, 1 of them")


def test_every_vector_file_has_a_row() -> None:
    from tests import oracle

    assert set(summary.totals()) == {path.stem for path in oracle.FOLDER.glob("*_*.json")}


def report(outcome: str, when: str, *properties: tuple[str, str]) -> pytest.TestReport:
    return pytest.TestReport("t", ("t", 0, ""), {}, outcome, None, when, user_properties=properties)  # type: ignore[arg-type]


def test_a_failure_in_any_phase_counts_and_a_success_only_in_the_test_itself() -> None:
    mine = (summary.VECTORS, "rom_reg")
    assert summary.outcome(report("passed", "setup", mine)) is None
    assert summary.outcome(report("passed", "call", mine)) == ("rom_reg", "equal")
    assert summary.outcome(report("passed", "call", mine, (summary.DEVIATION, "x"))) == ("rom_reg", "deviating")
    assert summary.outcome(report("failed", "setup", mine)) == ("rom_reg", "failed")
    assert summary.outcome(report("skipped", "call", mine)) is None
    assert summary.outcome(report("passed", "call")) is None
