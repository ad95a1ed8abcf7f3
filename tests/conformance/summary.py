"""How many recorded vectors were played and how they came out, by group, as a table behind the test run.

Each test that plays a vector carries the name of its vector file as a property, which also travels from worker processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

VECTORS = "vectors of"
"""Property of a test: the vector file that it plays one probe of."""
DEVIATION = "deviation"
"""Property of a test: why the answer that it expects is not the recorded one."""

COLUMNS = ("group", "vectors", "equal", "deviating", "failed", "not played")


def group(item: pytest.Item) -> str:
    """Return the vector file that the test plays a probe of; empty for a test about something else."""
    name = getattr(item, "originalname", "")
    callspec = getattr(item, "callspec", None)
    match name:
        case "test_rom_answers_as_recorded" if callspec is not None:
            return str(callspec.id).partition("-")[0]
        case "test_rom_answers_each_opcode_as_recorded":
            return "rom_opcodes"
        case "test_stub_answers_as_recorded" if callspec is not None:
            return str(callspec.params["case"][0])
        case "test_boot_text_is_the_recorded_one":
            return "rom_boot"
    return ""


def totals() -> Counter[str]:
    """Return how many vectors there are in each group."""
    from tests import oracle
    from tests.conformance.rom_probes import OPCODES, PROBES
    from tests.conformance.stub_probes import CASES

    counts = Counter(file for file, _ in PROBES)
    counts["rom_opcodes"] = len(OPCODES)
    counts["rom_boot"] = len(oracle.probes("rom_boot"))
    counts.update(file for file, _ in CASES)
    return counts


def table(outcomes: Iterable[tuple[str, str]]) -> list[str]:
    """Return the lines of the table.

    Args:
        outcomes: Group and outcome of each vector that was played: equal, deviating or failed.
    """
    counts = Counter(outcomes)
    rows: list[tuple[str | int, ...]] = []
    for name, vectors in totals().items():
        equal, deviating, failed = (counts[name, outcome] for outcome in ("equal", "deviating", "failed"))
        rows.append((name, vectors, equal, deviating, failed, vectors - equal - deviating - failed))
    sums = [sum(int(row[column]) for row in rows) for column in range(1, len(COLUMNS))]
    widths = [max(len(COLUMNS[0]), *(len(str(row[0])) for row in rows)), *(len(name) for name in COLUMNS[1:])]
    lines = []
    for row in (COLUMNS, *rows, ("all", *sums)):
        numbers = (str(cell).rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        lines.append("  ".join((str(row[0]).ljust(widths[0]), *numbers)))
    lines.append(f"{sums[1] + sums[2]} of {sums[0]} vectors pass, {sums[2]} of them with a deviation whose reason is known")
    return lines


def outcome(report: pytest.TestReport) -> tuple[str, str] | None:
    """Return group and outcome of a vector, or ``None`` if the report is about something else or nothing was played."""
    properties = dict(getattr(report, "user_properties", ()))
    name = properties.get(VECTORS)
    if not isinstance(name, str) or report.skipped:
        return None
    if report.failed:
        return name, "failed"
    if report.when != "call":
        return None
    return name, "deviating" if DEVIATION in properties else "equal"
