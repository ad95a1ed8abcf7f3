"""What the fuzzer starts from: recorded sessions, as exchanges of bytes with their recorded answers.

For the ROM and the stubs these are the probes of ``tests/data/oracle`` that start from a chip as it leaves the factory and in
which the recorder used the line without tricks; the tests under ``tests/conformance`` play all of them. What a probe answers is
never taken from the model. The sessions for the links are in `fuzz.link_corpus`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fuzz.mutator import SYNC
from simulator.kernel import MS
from tests import oracle

ROM_FILES = ("rom_sync", "rom_slip", "rom_reg", "rom_mem", "rom_flash", "rom_defl", "rom_misc")
"""Vector files of the ROM that hold probes; ``rom_opcodes`` is a table of its own."""

SYNC_ANSWER = bytes.fromhex("c0010804000707122000000000c0") * 8
READ_MAGIC = bytes.fromhex("c0000a04000000000000100040c0")

READS_NO_FLASH = frozenset(("rom_sync", "rom_slip", "rom_reg", "rom_mem", "rom_opcodes"))
"""Vector files of the ROM whose answers are the same whatever lies on the flash."""

SHORT = 1_500
"""Bytes that a probe sends at most to be one of those that are played often."""

_TRICKS = {
    "sync_after_c0_run_8_pause": "both recorded runs lost the first SYNC (oracle fact 8)",
    "desync_text_with_c0": "the recorder had asked before, unrecorded",
    "flash_pipelined_2": "the recorder listened for longer",
    "flash_pipelined_4": "the recorder listened for longer",
    "defl_pipelined": "the recorder listened for longer",
    "read_flash_block_0": "answered without end",
    "flash_begin0_end_0": "stub_e3: the ROM behind it missed a SYNC (oracle fact 8)",
    "mem_end_run": "stub_e5_1: the ROM behind it missed a SYNC (oracle fact 8)",
    "op_0b_zeros_0": "stub_e3: one question went unanswered",
    "ohai": "the stub's upload",
}
"""Probes that are no plain exchange of bytes, with what is special about them; they still are material for mutations."""

_TOGETHER = re.compile(r"pipe_gap_\d+ms")
"""Probes of the stubs whose pauses the recording's line did not keep in all builds."""

_COSTLY = re.compile(r"md5_|pipe_md5|read_flash_0e|erase_flash")
"""Probes in which megabytes of flash are read or erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Something said, and what was answered.

    Args:
        writes: The host's writes.
        gap_ns: Pause between them, in nanoseconds.
        answer: Bytes that were recorded until there was silence.
    """

    writes: tuple[bytes, ...]
    gap_ns: int
    answer: bytes

    @property
    def sent(self) -> bytes:
        """All writes together."""
        return b"".join(self.writes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recorded session with a fresh chip.

    Args:
        file: Vector file.
        name: Name of the probe.
        exchanges: In order.
        exact: Whether the model is held to its answers here.
    """

    file: str
    name: str
    exchanges: tuple[Exchange, ...]
    exact: bool

    @property
    def size(self) -> int:
        """Bytes that it sends."""
        return sum(len(exchange.sent) for exchange in self.exchanges)

    @property
    def is_short(self) -> bool:
        """Whether it can be played often."""
        return self.size <= SHORT and not _COSTLY.match(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Recordings, sorted by use.

    Args:
        all: Material for mutations.
        short: Those that can be played often and are held to.
        anywhere: Of these, those whose answers do not depend on what lies on the flash.
    """

    all: Sequence[Recording]
    short: Sequence[Recording]
    anywhere: Sequence[Recording]


@functools.cache
def rom_corpus() -> Corpus:
    """Return what was recorded with the ROM."""
    found = [_recording(file, probe) for file in ROM_FILES for probe in oracle.probes(file)]
    found += _opcodes()
    short = [one for one in found if one.exact and one.is_short]
    return Corpus(all=found, short=short, anywhere=[one for one in short if one.file in READS_NO_FLASH])


@functools.cache
def stub_corpus(file: str) -> Corpus:
    """Return what was recorded with one stub, for example ``stub_e3``."""
    found = [_recording(file, probe) for probe in oracle.probes(file)]
    short = [one for one in found if one.exact and one.is_short]
    # Nothing but SYNC, framing and RAM: the flash plays no part in these.
    return Corpus(all=found, short=short, anywhere=[one for one in short if re.match(r"sync|slip_empty|mem", one.name)])


def _recording(file: str, probe: Mapping[str, Any]) -> Recording:
    name: str = probe["name"]
    steps = probe["exchanges"]
    fresh = probe.get("strap", "0x03") == "0x03" and "efuse" not in probe and "flash_before" not in probe
    hidden = any("was sent 500 ms before" in step.get("note", "") for step in steps)
    exchanges = tuple(_exchange(step) for step in steps if "send" in step or "send_chunks" in step)
    exact = fresh and not hidden and name not in _TRICKS and not _TOGETHER.fullmatch(name)
    return Recording(file=file, name=name, exchanges=exchanges, exact=exact)


def _exchange(step: Mapping[str, Any]) -> Exchange:
    sends = [step["send"]] if "send" in step else step["send_chunks"]
    return Exchange(
        writes=tuple(oracle.expand(part) for part in sends),
        gap_ns=step.get("gap_ms", 0) * MS,
        answer=oracle.expand(step["recv"]),
    )


def _opcodes() -> Iterator[Recording]:
    """Return the rows of ``rom_opcodes`` as sessions."""
    for row in oracle.load("rom_opcodes")["ops"]:
        zeros = row["zero_bytes"]
        packet = bytes((0, int(row["op"], 16), zeros & 0xFF, zeros >> 8)) + bytes(4 + zeros)
        packet = packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
        text, _, times = row["recv_hex"].partition("(x")
        answer = bytes.fromhex(text) * int(times.rstrip(")") or 1)
        asked = [(SYNC, SYNC_ANSWER)]
        if row["after"] == "readreg":
            asked.append((READ_MAGIC, bytes.fromhex("c0010a0400831df00000000000c0")))
        asked.append((b"\xc0" + packet + b"\xc0", answer))
        yield Recording(
            file="rom_opcodes",
            name=f"{row['op']}-after_{row['after']}-{zeros}",
            exchanges=tuple(Exchange(writes=(send,), gap_ns=0, answer=heard) for send, heard in asked),
            exact=True,
        )
