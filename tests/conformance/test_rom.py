"""Every recorded probe of the ROM, played to each arm and compared byte for byte.

Vector files: rom_sync, rom_slip, rom_opcodes, rom_reg, rom_mem, rom_flash, rom_defl, rom_misc (rom_boot is in
test_boot).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from tests import oracle
from tests.conformance import deviations, flash_checks
from tests.conformance.arms import Arm, ModelArm

FILES = ("rom_sync", "rom_slip", "rom_reg", "rom_mem", "rom_flash", "rom_defl", "rom_misc")

SYNC = bytes.fromhex("c000082400000000000707122055555555555555555555555555555555555555" + "55" * 13 + "c0")
READ_MAGIC = bytes.fromhex("c0000a04000000000000100040c0")

LOST_FIRST_BURST = {"sync_after_c0_run_8_pause"}
"""Probes whose recording shows fact 8: both runs lost the first SYNC, as the ROM looked at the other UART when it came.
They are played to a chip that is deaf at that moment."""

SYNC_TRIES = 3
"""How often the recorder repeated a first SYNC that a fresh chip did not answer (docs/oracle.md)."""

PROBES = [(file, probe) for file in FILES for probe in oracle.probes(file)]
OPCODES: list[dict[str, Any]] = oracle.load("rom_opcodes")["ops"]


def play(arm: Arm, probe: dict[str, Any]) -> list[bytes]:
    """Play a probe from a fresh chip and return what came back in each exchange."""
    arm.reset(
        strap=int(probe.get("strap", "0x03"), 16),
        efuse_name=probe.get("efuse"),
        flash=flash_checks.before(probe.get("flash_before")),
    )
    heard: list[bytes] = []
    for index, step in enumerate(probe["exchanges"]):
        if "was sent 500 ms before" in step.get("note", ""):
            arm.send(READ_MAGIC, pause_ms=500)
        if "send" in step:
            send = oracle.expand(step["send"])
            answer = arm.exchange(send)
            for _ in range(SYNC_TRIES - 1 if index == 0 and step.get("note") == "SYNC" else 0):
                answer = answer or arm.exchange(send)
        else:
            answer = arm.exchange([oracle.expand(part) for part in step["send_chunks"]], gap_ms=step["gap_ms"])
        heard.append(answer)
    return heard


@pytest.mark.parametrize("probe", [probe for _, probe in PROBES], ids=[f"{file}-{probe['name']}" for file, probe in PROBES])
def test_rom_answers_as_recorded(arm: ModelArm, probe: dict[str, Any]) -> None:
    if probe["name"] in LOST_FIRST_BURST:
        arm = arm.polling(period_ms=800, deaf_ms=300)
    recorded = [oracle.expand(step["recv"]) for step in probe["exchanges"]]
    heard = play(arm, probe)
    if probe["name"] in deviations.ROM:
        assert heard != recorded, "the model agrees by now: take the probe off the list of deviations"
        return
    assert [part.hex() for part in heard] == [part.hex() for part in recorded]
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


def _times(text: str) -> bytes:
    """Expand ``hex(x8)``."""
    match = re.fullmatch(r"([0-9a-f]*)(?:\(x(\d+)\))?", text)
    assert match is not None
    return bytes.fromhex(match[1]) * int(match[2] or 1)


def _opcode_id(row: dict[str, Any]) -> str:
    return f"{row['op']}-after_{row['after']}-{row['zero_bytes']}"


@pytest.mark.parametrize("row", OPCODES, ids=[_opcode_id(row) for row in OPCODES])
def test_rom_answers_each_opcode_as_recorded(arm: ModelArm, row: dict[str, Any]) -> None:
    zeros = row["zero_bytes"]
    arm.reset(strap=0x03)
    arm.exchange(SYNC)
    if row["after"] == "readreg":
        arm.exchange(READ_MAGIC)
    packet = bytes([0, int(row["op"], 16), zeros & 0xFF, zeros >> 8, 0, 0, 0, 0]) + bytes(zeros)
    packet = packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    assert arm.exchange(b"\xc0" + packet + b"\xc0").hex() == _times(row["recv_hex"]).hex()
    if row.get("fresh_boot"):
        assert arm.exchange(READ_MAGIC).hex() == row["then_readreg_hex"]
        assert bool(arm.exchange(SYNC)) == row["then_sync_ok"]
    else:
        assert arm.exchange(READ_MAGIC), "the recorder went on with the same chip"


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
