"""The model with a stub in it, and the recorder's line: bursts of up to 128 bytes, all at once, at 115200 baud on
average."""

from __future__ import annotations

from dataclasses import replace

from simulator.chip.config import ORACLE
from simulator.chip.stub import KNOWN_STUBS, Generation, KnownStub, LegacyStub, ModernStub
from simulator.kernel import MS, S
from simulator.wire import Chunk, byte_time
from tests.conformance.arms import LINE_BAUD, SILENCE_NS, ModelArm
from tests.conformance.stub_probes import FILES, READ_MAGIC

BURST = 128
"""Bytes that the recording's line delivers in one go (oracle, Limits)."""

PATIENCE_NS = 1500 * MS
"""How long the recorder waited in an exchange in which nothing came.

Source: first_byte_ms of stub_e4_1.json md5_ranges; stub_e5_2.json slip_long_4100."""

SHORT_PATIENCE_NS = 600 * MS
"""How long it waited for an answer to `READ_MAGIC` or SYNC. Source: stub_e3.json slip_long_10010."""

LONG_SILENCE_NS = 2 * S
"""How long it waited where an answer comes in parts. Source: stub_e3.json flash_pipelined_2."""

MD5_NS = {"stub_e3": 490, "stub_e4_1": 410, "stub_e5_1": 730, "stub_e5_2": 60}
"""Time that MD5 took per byte in each recording, in nanoseconds. Source: md5_ranges, its first_byte_ms."""


def recorded_stub(file: str) -> KnownStub:
    """Return the build that `file` was recorded from."""
    return next(known for known in KNOWN_STUBS if known.recorded == file)


class StubArm(ModelArm):
    """A chip on which the stub of one vector file runs.

    Args:
        file: For example ``stub_e3``.
    """

    def __init__(self, file: str) -> None:
        self._queue = bytearray()
        self._line_free_ns = 0
        self._delivering = False
        self._known = recorded_stub(file)
        super().__init__(replace(ORACLE, times=replace(ORACLE.times, md5_per_byte=MD5_NS[file])))

    def start_stub(self, *, flash: bytes | None = None) -> bytes:
        """Start a fresh chip with the stub running, and return its greeting."""
        self._queue.clear()
        self._delivering = False
        self._line_free_ns = 0
        self.reset(strap=0x03, flash=flash)
        stub = LegacyStub if self._known.generation is Generation.LEGACY else ModernStub
        self.soc.jump(stub(self.soc, self._known))
        return self.hear(0)

    def play(self, sends: list[bytes], *, gap_ms: int, expected: int, slow: bool) -> bytes:
        """Play one exchange: writes, then listening until there is silence."""
        for index, data in enumerate(sends):
            if index:
                self.kernel.advance(self.kernel.now + gap_ms * MS)
            self._write(data)
        silence_ns = LONG_SILENCE_NS if slow else SILENCE_NS
        if expected:
            return self.hear(60 * S, silence_ns)
        return self.hear(SHORT_PATIENCE_NS if _is_question(sends) else PATIENCE_NS, silence_ns)

    def hear(self, patience_ns: int, silence_ns: int = SILENCE_NS) -> bytes:
        """Return what is sent until nothing has been sent for a while; the recording's line out takes no time."""
        kernel = self.kernel
        until = kernel.now + patience_ns
        heard = b""
        while (due := kernel.next_deadline()) is not None and due <= until:
            kernel.advance(due)
            if self._received:
                heard += b"".join(chunk.data for chunk in self._received)
                self._received.clear()
                until = kernel.now + silence_ns
        kernel.advance(until)
        heard += b"".join(chunk.data for chunk in self._received)
        self._received.clear()
        return heard

    def _write(self, data: bytes) -> None:
        self._queue += data
        if not self._delivering:
            self._delivering = True
            self.kernel.at(max(self.kernel.now, self._line_free_ns), self._deliver)

    def _deliver(self) -> None:
        burst = bytes(self._queue[:BURST])
        del self._queue[:BURST]
        self._line_free_ns = self.kernel.now + len(burst) * byte_time(LINE_BAUD)
        for piece in Chunk(burst, self.kernel.now, 0, self.soc.uart.baud).pieces():
            self.soc.receive(piece)
        self._delivering = bool(self._queue)
        if self._delivering:
            self.kernel.at(self._line_free_ns, self._deliver)


def _is_question(sends: list[bytes]) -> bool:
    return sends == [READ_MAGIC] or sends[0].startswith(b"\xc0\x00\x08\x24")


class StubModel:
    """The model with whichever of the recorded stubs is asked for."""

    def __init__(self) -> None:
        self._arm = StubArm(FILES[0])

    def start_stub(self, file: str, *, flash: bytes | None = None) -> bytes:
        """Start a fresh chip with the stub of one vector file running, and return its greeting."""
        self._arm = StubArm(file)
        return self._arm.start_stub(flash=flash)

    def play(self, sends: list[bytes], *, gap_ms: int, expected: int, slow: bool) -> bytes:
        """Play one exchange: writes, then listening until there is silence."""
        return self._arm.play(sends, gap_ms=gap_ms, expected=expected, slow=slow)

    def flash(self) -> bytes:
        """Return the whole flash."""
        return self._arm.flash()
