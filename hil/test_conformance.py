"""The board's ROM, and the stubs on it, answer what was recorded: the bodies of tests/conformance, played to a live chip."""

from __future__ import annotations

from typing import Any

from tests.conformance.live_arm import LiveArm
from tests.conformance.live_stub import LiveStub
from tests.conformance.rom_probes import assert_answers, assert_opcode_answers
from tests.conformance.stub_probes import Case, assert_stub_answers


def test_rom_answers_as_recorded(arm: LiveArm, probe: dict[str, Any]) -> None:
    assert_answers(arm, probe)


def test_rom_answers_each_opcode_as_recorded(arm: LiveArm, row: dict[str, Any]) -> None:
    assert_opcode_answers(arm, row)


def test_stub_answers_as_recorded(stub_arm: LiveStub, case: Case) -> None:
    assert_stub_answers(stub_arm, case)
