"""Stubs are told from each other, and from damaged ones, by what lies in RAM."""

from __future__ import annotations

import base64
import json
from importlib import metadata, util
from pathlib import Path
from typing import Any

import pytest

from simulator.chip.boot import first_program
from simulator.chip.config import ORACLE
from simulator.chip.program import Dead
from simulator.chip.soc import Soc
from simulator.chip.stub import KNOWN_STUBS, Generation, LegacyStub, ModernStub, program_at
from simulator.kernel import Kernel, S
from simulator.rng import Rng
from simulator.wire import Chunk


def _soc(sent: list[Chunk], notes: list[tuple[str, str]]) -> Soc:
    soc = Soc(
        ORACLE,
        Kernel(),
        Rng(0),
        start=first_program,
        transmit=sent.append,
        straps=lambda: 0x03,
        note=lambda kind, text: notes.append((kind, text)),
    )
    soc.set_enabled(True)
    return soc


def _installed(version: str) -> dict[str, Any]:
    release = metadata.version("esptool")
    if not any(release in known.releases for known in KNOWN_STUBS):
        pytest.skip(f"the stubs of esptool {release} are not in the catalogue")
    spec = util.find_spec("esptool")
    assert spec is not None
    assert spec.origin is not None
    return json.loads((Path(spec.origin).parent / "targets" / "stub_flasher" / version / "esp32.json").read_text())


def _upload(soc: Soc, stub: dict[str, Any], *, damage: bool = False) -> None:
    text = bytearray(base64.b64decode(stub["text"]))
    if damage:
        text[1000] ^= 1
    soc.memory.load(stub["text_start"], bytes(text))
    soc.memory.load(stub["data_start"], base64.b64decode(stub["data"]))


@pytest.mark.parametrize(("version", "program"), [("1", LegacyStub), ("2", ModernStub)])
def test_the_stubs_of_the_installed_esptool_are_recognised(version: str, program: type) -> None:
    stub = _installed(version)
    soc = _soc([], [])
    _upload(soc, stub)
    assert type(program_at(soc, stub["entry"])) is program


@pytest.mark.parametrize("version", ["1", "2"])
def test_one_flipped_bit_makes_a_stub_crash_at_once(version: str) -> None:
    stub = _installed(version)
    sent: list[Chunk] = []
    notes: list[tuple[str, str]] = []
    soc = _soc(sent, notes)
    _upload(soc, stub, damage=True)
    program = program_at(soc, stub["entry"])
    assert program is not None
    sent.clear()
    soc.jump(program)
    soc.kernel.advance(S)
    assert b"".join(chunk.data for chunk in sent) == (
        b"Fatal exception (0): IllegalInstruction\r\n"
        b"epc1=0x%08x, epc2=0x00000000, epc3=0x00000000, excvaddr=0x00000000, depc=0x00000000\r\n" % stub["entry"]
    )
    assert isinstance(soc.program, Dead)
    assert any(kind == "chip" and text.startswith("stub damaged") for kind, text in notes)


def test_an_entry_that_no_stub_has_is_unknown() -> None:
    assert program_at(_soc([], []), 0x4008_1234) is None


def test_an_empty_ram_is_no_stub_even_at_a_known_entry() -> None:
    program = program_at(_soc([], []), KNOWN_STUBS[0].entry)
    assert type(program).__name__ == "DamagedStub"


def test_the_catalogue_is_sound() -> None:
    assert len({(known.text.sha256, known.data.sha256) for known in KNOWN_STUBS}) == len(KNOWN_STUBS)
    for known in KNOWN_STUBS:
        assert known.text.address <= known.entry < known.text.address + known.text.length
    recorded = {known.recorded: known.generation for known in KNOWN_STUBS if known.recorded}
    assert recorded == {
        "stub_e3": Generation.LEGACY,
        "stub_e4_1": Generation.LEGACY,
        "stub_e5_1": Generation.LEGACY,
        "stub_e5_2": Generation.MODERN,
    }
