"""The board's ROM answers what was recorded: the bodies of tests/conformance, played to a live chip."""

from __future__ import annotations

from typing import Any

from tests.conformance.live_arm import LiveArm
from tests.conformance.rom_probes import assert_answers, assert_opcode_answers


def test_rom_answers_as_recorded(arm: LiveArm, probe: dict[str, Any]) -> None:
    assert_answers(arm, probe)


def test_rom_answers_each_opcode_as_recorded(arm: LiveArm, row: dict[str, Any]) -> None:
    assert_opcode_answers(arm, row)
