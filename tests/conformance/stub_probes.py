"""The recorded probes of the stubs, and how one is played to an arm.

Vector files: stub_e3, stub_e4_1, stub_e5_1, stub_e5_2. ``stub_e4_1.json`` holds only what differs from ``stub_e3.json``; all
other probes of that file are played to the 4.8.1 stub too.
"""

from __future__ import annotations

from typing import Any, Protocol

from tests import oracle
from tests.conformance import flash_checks

FILES = ("stub_e3", "stub_e4_1", "stub_e5_1", "stub_e5_2")

READ_MAGIC = bytes.fromhex("c0000a04000000000000100040c0")
"""The recorder's question whether the stub is alive."""

GREETING = b"\xc0OHAI\xc0"

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

Case = tuple[str, dict[str, Any]]
"""Vector file and probe."""


class StubPlayer(Protocol):
    """Something that a stub can be started on."""

    def start_stub(self, file: str, *, flash: bytes | None = None) -> bytes:
        """Start a fresh chip with the stub of one vector file running, and return its greeting.

        Args:
            file: For example ``stub_e3``.
            flash: Content from offset 0; FF behind it.
        """
        ...

    def play(self, sends: list[bytes], *, gap_ms: int, expected: int, slow: bool) -> bytes:
        """Play one exchange: writes, then listening until there is silence.

        Args:
            sends: The writes.
            gap_ms: Pause before each but the first.
            expected: How many bytes were recorded.
            slow: Whether a longer silence than usual may lie within the answer.
        """
        ...

    def flash(self) -> bytes:
        """Return the whole flash."""
        ...


def _cases() -> list[Case]:
    cases = [(file, probe) for file in FILES for probe in oracle.probes(file)]
    own = {probe["name"] for probe in oracle.probes("stub_e4_1")}
    return cases + [("stub_e4_1", probe) for probe in oracle.probes("stub_e3") if probe["name"] not in own]


CASES = _cases()


def case_id(case: Case) -> str:
    """Return a name for a case."""
    return f"{case[0]}-{case[1]['name']}"


def answers(arm: StubPlayer, case: Case) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Play a probe from a freshly started stub.

    Returns:
        What came back in each exchange, what was recorded there, and the flash behind each if the probe looks at that.
    """
    file, probe = case
    name = probe["name"]
    assert arm.start_stub(file, flash=flash_before(probe)) == GREETING
    if name in HIDDEN_READ:
        arm.play([READ_MAGIC], gap_ms=0, expected=len(MAGIC), slow=False)
    heard: list[bytes] = []
    recorded: list[bytes] = []
    snapshots: list[bytes] = []
    for step in steps(probe):
        recorded.append(oracle.expand(step["recv"]))
        sends = _sends(step, file, name)
        gap_ms, slow = step.get("gap_ms", 0), name in LONG_SILENCE
        heard.append(arm.play(sends, gap_ms=gap_ms, expected=len(recorded[-1]), slow=slow))
        if "erased_after_begin" in probe.get("result", {}):
            snapshots.append(arm.flash())
    if name in FLOODS and file != "stub_e5_2":
        heard = [_without_flood(part) for part in heard]
        recorded = [_without_flood(part) for part in recorded]
    return heard, recorded, snapshots


def assert_stub_answers(arm: StubPlayer, case: Case) -> None:
    """Play a probe and compare what came back with the recording, byte for byte."""
    heard, recorded, _ = answers(arm, case)
    assert [part.hex() for part in heard] == [part.hex() for part in recorded]


def steps(probe: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the exchanges with the stub: of ``ohai``, those behind the upload."""
    exchanges: list[dict[str, Any]] = probe["exchanges"]
    return exchanges[-1:] if probe["name"] == "ohai" else exchanges


def flash_before(probe: dict[str, Any]) -> bytes | None:
    """Return what lies in the flash before the probe."""
    text = probe.get("flash_before")
    return flash_checks.before("as md5_ranges" if text and text.startswith("0x10000 bytes PAT") else text)


def _sends(step: dict[str, Any], file: str, name: str) -> list[bytes]:
    if "send" in step:
        return [oracle.expand(step["send"])]
    chunks = [oracle.expand(part) for part in step["send_chunks"]]
    return [b"".join(chunks)] if (file, name) in TOGETHER else chunks


def _without_flood(data: bytes) -> bytes:
    kept = data.rstrip(b"\xc0")
    return kept if len(data) - len(kept) > 1000 else data
