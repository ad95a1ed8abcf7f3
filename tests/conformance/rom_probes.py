"""The recorded probes of the ROM, and how one is played to an arm.

Vector files: rom_sync, rom_slip, rom_opcodes, rom_reg, rom_mem, rom_flash, rom_defl, rom_misc (rom_boot is in
test_boot).
"""

from __future__ import annotations

import re
from typing import Any

from tests import oracle
from tests.conformance import flash_checks
from tests.conformance.arms import Arm

FILES = ("rom_sync", "rom_slip", "rom_reg", "rom_mem", "rom_flash", "rom_defl", "rom_misc")

SYNC = bytes.fromhex("c000082400000000000707122055555555555555555555555555555555555555" + "55" * 13 + "c0")
READ_MAGIC = bytes.fromhex("c0000a04000000000000100040c0")

SYNC_TRIES = 3
"""How often the recorder repeated a first SYNC that a fresh chip did not answer (docs/oracle.md)."""

PROBES: list[tuple[str, dict[str, Any]]] = [(file, probe) for file in FILES for probe in oracle.probes(file)]
PROBE_IDS = [f"{file}-{probe['name']}" for file, probe in PROBES]
OPCODES: list[dict[str, Any]] = oracle.load("rom_opcodes")["ops"]


def opcode_id(row: dict[str, Any]) -> str:
    """Return a name for a row of ``rom_opcodes``."""
    return f"{row['op']}-after_{row['after']}-{row['zero_bytes']}"


def play(arm: Arm, probe: dict[str, Any]) -> list[bytes]:
    """Play a probe from a fresh chip and return what came back in each exchange."""
    arm.reset(
        strap=int(probe.get("strap", "0x03"), 16),
        efuse_name=probe.get("efuse"),
        flash=flash_checks.before(probe.get("flash_before")),
    )
    heard: list[bytes] = []
    for index, step in enumerate(probe["exchanges"]):
        expected = len(oracle.expand(step["recv"]))
        if "was sent 500 ms before" in step.get("note", ""):
            arm.send(READ_MAGIC, pause_ms=500)
        if "send" in step:
            send = oracle.expand(step["send"])
            answer = arm.exchange(send, expected=expected)
            for _ in range(SYNC_TRIES - 1 if index == 0 and step.get("note") == "SYNC" else 0):
                answer = answer or arm.exchange(send, expected=expected)
        else:
            chunks = [oracle.expand(part) for part in step["send_chunks"]]
            answer = arm.exchange(chunks, gap_ms=step["gap_ms"], expected=expected)
        heard.append(answer)
    return heard


def assert_answers(arm: Arm, probe: dict[str, Any]) -> None:
    """Play a probe and compare what came back with the recording, byte for byte."""
    recorded = [oracle.expand(step["recv"]).hex() for step in probe["exchanges"]]
    assert [part.hex() for part in play(arm, probe)] == recorded


def assert_opcode_answers(arm: Arm, row: dict[str, Any]) -> None:
    """Play a row of ``rom_opcodes`` from a fresh chip and compare what came back with the recording."""
    zeros = row["zero_bytes"]
    arm.reset(strap=0x03)
    for _ in range(SYNC_TRIES):
        if arm.exchange(SYNC, expected=8 * 14):
            break
    if row["after"] == "readreg":
        arm.exchange(READ_MAGIC, expected=14)
    packet = bytes([0, int(row["op"], 16), zeros & 0xFF, zeros >> 8, 0, 0, 0, 0]) + bytes(zeros)
    packet = packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    recorded = _times(row["recv_hex"])
    assert arm.exchange(b"\xc0" + packet + b"\xc0", expected=len(recorded)).hex() == recorded.hex()
    if row.get("fresh_boot"):
        then = bytes.fromhex(row["then_readreg_hex"])
        assert arm.exchange(READ_MAGIC, expected=len(then)).hex() == then.hex()
        assert bool(arm.exchange(SYNC, expected=8 * 14 * row["then_sync_ok"])) == row["then_sync_ok"]
    else:
        assert arm.exchange(READ_MAGIC, expected=14), "the recorder went on with the same chip"


def _times(text: str) -> bytes:
    """Expand ``hex(x8)``."""
    match = re.fullmatch(r"([0-9a-f]*)(?:\(x(\d+)\))?", text)
    assert match is not None
    return bytes.fromhex(match[1]) * int(match[2] or 1)
