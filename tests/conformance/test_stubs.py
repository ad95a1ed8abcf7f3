"""Every recorded probe of the stubs, played to the model and compared byte for byte.

``stub_e4_1.json`` holds only what differs from ``stub_e3.json``; all other probes of that file are played to the
4.8.1 stub too."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from typing import Any

import pytest

from simulator.kernel import S
from tests import oracle
from tests.conformance import flash_checks
from tests.conformance.arms import SILENCE_NS
from tests.conformance.stub_arm import READ_MAGIC, StubArm
from tests.conformance.summary import DEVIATION

FILES = ("stub_e3", "stub_e4_1", "stub_e5_1", "stub_e5_2")

TOGETHER = {
    ("stub_e3", "pipe_gap_0ms"),
    ("stub_e3", "pipe_gap_1ms"),
    ("stub_e4_1", "pipe_gap_0ms"),
    ("stub_e5_1", "pipe_gap_0ms"),
    ("stub_e5_2", "pipe_gap_0ms"),
    ("stub_e5_2", "pipe_gap_1ms"),
    ("stub_e5_2", "pipe_gap_5ms"),
}
"""Probes whose writes the recording's line delivered in one burst: gaps shorter than the emulator's own rhythm. The
answers show it: equal stubs differ (stub_e3 and stub_e5_1, 1 ms), and the newer stub merges what is 5 ms apart."""

HIDDEN_READ = {"desync_text_with_c0"}
"""Probes before which the recorder had read a register without recording it: its old frame is answered in them."""

LONG_SILENCE = {"flash_pipelined_2", "flash_pipelined_4", "defl_pipelined"}
"""Probes in which the recorder waited longer: the second answer comes when the second block has crossed the line."""

FLOODS = {"read_flash_block_0"}
"""Probes in which the legacy stub sends C0 for ever; how many the recorder took says nothing."""

ROM_SYNC = bytes.fromhex("c0010804000707122000000000c0") * 8
MAGIC = bytes.fromhex("c0010a0200831df0000000c0")

DEVIATIONS = {
    ("stub_e3", "flash_begin0_end_0"): (4, ROM_SYNC, "after the reset the ROM missed one SYNC (fact 8)"),
    ("stub_e5_1", "mem_end_run"): (2, ROM_SYNC, "after the reset the ROM missed one SYNC (fact 8)"),
    ("stub_e3", "op_0b_zeros_0"): (1, MAGIC, "one READ_REG went unanswered; all other builds answer it"),
}
"""Exchanges in which the recording shows nothing and the model answers: number, answer, reason. ``docs/fidelity.md``
lists the same names."""


def _cases() -> list[tuple[str, dict[str, Any]]]:
    cases = [(file, probe) for file in FILES for probe in oracle.probes(file)]
    own = {probe["name"] for probe in oracle.probes("stub_e4_1")}
    return cases + [("stub_e4_1", probe) for probe in oracle.probes("stub_e3") if probe["name"] not in own]


CASES = _cases()


def _sends(step: dict[str, Any], file: str, name: str) -> list[bytes]:
    if "send" in step:
        return [oracle.expand(step["send"])]
    chunks = [oracle.expand(part) for part in step["send_chunks"]]
    return [b"".join(chunks)] if (file, name) in TOGETHER else chunks


def _steps(probe: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the exchanges with the stub: of ``ohai``, those behind the upload."""
    steps = probe["exchanges"]
    return steps[-1:] if probe["name"] == "ohai" else steps


@pytest.mark.parametrize(("file", "probe"), CASES, ids=[f"{file}-{probe['name']}" for file, probe in CASES])
def test_stub_answers_as_recorded(file: str, probe: dict[str, Any], record_property: Any) -> None:
    name = probe["name"]
    arm = StubArm(file)
    before = flash_checks.before(_content(probe))
    greeting = arm.start_stub(flash=before)
    assert greeting == b"\xc0OHAI\xc0"
    if name in HIDDEN_READ:
        arm.play({}, [READ_MAGIC], patient=True)
    heard: list[bytes] = []
    recorded: list[bytes] = []
    snapshots: list[bytes] = []
    for step in _steps(probe):
        recorded.append(oracle.expand(step["recv"]))
        silence_ns = 2 * S if name in LONG_SILENCE else SILENCE_NS
        heard.append(arm.play(step, _sends(step, file, name), patient=bool(recorded[-1]), silence_ns=silence_ns))
        if "erased_after_begin" in probe.get("result", {}):
            snapshots.append(arm.flash())
    if name in FLOODS and file != "stub_e5_2":
        heard = [_without_flood(part) for part in heard]
        recorded = [_without_flood(part) for part in recorded]
    if (file, name) in DEVIATIONS:
        number, answer, reason = DEVIATIONS[file, name]
        record_property(DEVIATION, reason)
        assert recorded[number] == b"", "there is nothing to deviate from"
        recorded[number] = answer
    assert [part.hex() for part in heard] == [part.hex() for part in recorded]
    _check_flash(probe, arm, (before or b"").ljust(flash_checks.SIZE, b"\xff"), snapshots)


def _without_flood(data: bytes) -> bytes:
    kept = data.rstrip(b"\xc0")
    return kept if len(data) - len(kept) > 1000 else data


def _content(probe: dict[str, Any]) -> str | None:
    text = probe.get("flash_before")
    return "as md5_ranges" if text and text.startswith("0x10000 bytes PAT") else text


def _check_flash(probe: dict[str, Any], arm: StubArm, was: bytes, snapshots: list[bytes]) -> None:
    """Check what the probe's ``result`` says about the flash; the rest of it restates bytes that were compared
    already."""
    result = probe.get("result", {})
    now = arm.flash()
    for key in ("changed", "erased"):
        if key in result:
            assert flash_checks.changes(was, now) == result[key]
    if "erased_after_begin" in result:
        begin = next(i for i, step in enumerate(probe["exchanges"]) if step.get("note", "").startswith("FLASH_BEGIN"))
        assert flash_checks.changes(was, snapshots[begin]) == result["erased_after_begin"]
        assert flash_checks.changes(was, snapshots[begin + 1]) == result["after_one_0x400_block"]
    if "flash_pieces" in result:
        assert [_piece(now, 0x1_0000 + 0x400 * i) for i in range(len(result["flash_pieces"]))] == result["flash_pieces"]
    if "flash_has_data" in result:
        assert _has_data(probe, now) == result["flash_has_data"]


def _piece(now: bytes, offset: int) -> str:
    data = now[offset : offset + 0x400]
    names = {flash_checks.pattern(0x400, seed): f"B{seed}" for seed in range(4)}
    return "FF" if data == b"\xff" * 0x400 else names[data]


def _has_data(probe: dict[str, Any], now: bytes) -> bool:
    if "md5" in probe["result"]:
        sizes = (0x400, 0x800, 0x4000, 0x8000, 0x9000)
        return any(hashlib.md5(now[0x1_0000 : 0x1_0000 + size]).hexdigest() == probe["result"]["md5"] for size in sizes)
    blocks: dict[int, bytes] = {}
    for step in probe["exchanges"]:
        for part in oracle.expand(step["send"]).split(b"\xc0"):
            packet = part.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
            if packet[1:2] in (b"\x03", b"\x11"):
                blocks[int.from_bytes(packet[12:16], "little")] = packet[24:]
                compressed = packet[1] == 0x11
    joined = b"".join(blocks[number] for number in sorted(blocks))
    image = zlib.decompress(joined) if compressed else joined
    return now[0x1_0000 : 0x1_0000 + len(image)] == image


def test_all_stub_vectors_are_accounted_for(record_property: Any) -> None:
    assert {path.stem for path in oracle.FOLDER.glob("stub_*.json")} == set(FILES)
    counts = Counter(file for file, _ in CASES)
    assert counts == {"stub_e3": 260, "stub_e4_1": 260, "stub_e5_1": 260, "stub_e5_2": 260}
    assert len({(file, probe["name"]) for file, probe in CASES}) == len(CASES)
    assert set(DEVIATIONS) <= {(file, probe["name"]) for file, probe in CASES}
    record_property("vectors", dict(counts))
    record_property("deviations", len(DEVIATIONS))
