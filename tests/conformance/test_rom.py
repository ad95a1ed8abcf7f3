"""Every recorded probe of the ROM, played to each arm and compared byte for byte."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests import oracle
from tests.conformance import deviations, flash_checks
from tests.conformance.arms import ModelArm
from tests.conformance.rom_probes import (
    FILES,
    OPCODES,
    PROBE_IDS,
    PROBES,
    assert_answers,
    assert_opcode_answers,
    opcode_id,
    play,
)

LOST_FIRST_BURST = {"sync_after_c0_run_8_pause"}
"""Probes whose recording shows fact 8: both runs lost the first SYNC, as the ROM looked at the other UART when it came.
They are played to a chip that is deaf at that moment."""


@pytest.mark.parametrize("probe", [probe for _, probe in PROBES], ids=PROBE_IDS)
def test_rom_answers_as_recorded(arm: ModelArm, probe: dict[str, Any]) -> None:
    if probe["name"] in LOST_FIRST_BURST:
        arm = arm.polling(period_ms=800, deaf_ms=300)
    if probe["name"] in deviations.ROM:
        recorded = [oracle.expand(step["recv"]) for step in probe["exchanges"]]
        assert play(arm, probe) != recorded, "the model agrees by now: take the probe off the list of deviations"
        return
    assert_answers(arm, probe)
    flash_checks.verify(arm.flash, probe)


DEAF_MOMENTS = {
    "sync_payload_short_35": (200, 100),
    "sync_size_ffff": (200, 100),
    "sync_after_one_c0": (200, 100),
    "sync_after_zeros_1000": (500, 100),
    "sync_after_zeros_1000_pause": (200, 100),
    "sync_after_55_1000": (800, 400),
    "sync_after_db_pause": (400, 200),
    "sync_after_c0_db_pause": (400, 300),
    "sync_after_random500_any_pause": (400, 300),
}
"""Probes of which some runs went otherwise, with a period and a deaf time in milliseconds at which the model does the same."""


@pytest.mark.parametrize("name", DEAF_MOMENTS)
def test_runs_that_went_otherwise_are_what_a_deaf_moment_makes(arm: ModelArm, name: str) -> None:
    probe = next(probe for probe in oracle.probes("rom_sync") if probe["name"] == name)
    period_ms, deaf_ms = DEAF_MOMENTS[name]
    heard = play(arm.polling(period_ms=period_ms, deaf_ms=deaf_ms), probe)
    assert [part.hex() for part in heard] in probe["other_runs"]


def test_only_the_byte_by_byte_sync_has_other_runs_that_are_not_reproduced() -> None:
    others = {probe["name"] for probe in oracle.probes("rom_sync") if probe.get("other_runs")}
    assert others - set(DEAF_MOMENTS) == {"sync_byte_by_byte"}


@pytest.mark.parametrize("row", OPCODES, ids=[opcode_id(row) for row in OPCODES])
def test_rom_answers_each_opcode_as_recorded(arm: ModelArm, row: dict[str, Any]) -> None:
    assert_opcode_answers(arm, row)


def test_all_vectors_are_accounted_for(record_property: Any) -> None:
    names = {path.stem for path in oracle.FOLDER.glob("rom_*.json")}
    assert names == {*FILES, "rom_opcodes", "rom_boot"}
    counts = Counter(file for file, _ in PROBES)
    counts["rom_opcodes"] = len(OPCODES)
    assert counts == {
        "rom_sync": 102,
        "rom_slip": 90,
        "rom_reg": 48,
        "rom_mem": 41,
        "rom_flash": 83,
        "rom_defl": 40,
        "rom_misc": 32,
        "rom_opcodes": 805,
    }
    assert len({probe["name"] for _, probe in PROBES}) == len(PROBES)
    assert set(deviations.ROM) <= {probe["name"] for _, probe in PROBES}
    record_property("vectors", dict(counts))
    record_property("deviations", len(deviations.ROM))
