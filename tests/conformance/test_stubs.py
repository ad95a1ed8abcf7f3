"""Every recorded probe of the stubs, played to each arm and compared byte for byte."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from typing import Any

import pytest

from tests import oracle
from tests.conformance import flash_checks
from tests.conformance.stub_probes import CASES, DEVIATIONS, FILES, Case, StubPlayer, answers, case_id, flash_before
from tests.conformance.summary import DEVIATION


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_stub_answers_as_recorded(stub_arm: StubPlayer, case: Case, record_property: Any) -> None:
    file, probe = case
    heard, recorded, snapshots = answers(stub_arm, case)
    if (file, probe["name"]) in DEVIATIONS:
        number, answer, reason = DEVIATIONS[file, probe["name"]]
        record_property(DEVIATION, reason)
        assert recorded[number] == b"", "there is nothing to deviate from"
        recorded[number] = answer
    assert [part.hex() for part in heard] == [part.hex() for part in recorded]
    if LOOKED_AT & probe.get("result", {}).keys():
        was = (flash_before(probe) or b"").ljust(flash_checks.SIZE, b"\xff")
        _check_flash(probe, was, stub_arm.flash(), snapshots)


LOOKED_AT = {"changed", "erased", "erased_after_begin", "flash_pieces", "flash_has_data"}
"""What a probe's ``result`` says about the flash; the rest of it restates bytes that were compared already."""


def _check_flash(probe: dict[str, Any], was: bytes, now: bytes, snapshots: list[bytes]) -> None:
    result = probe["result"]
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
