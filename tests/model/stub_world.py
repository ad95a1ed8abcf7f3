"""A chip with a stub on it and a line at 115200 baud, for the tests of the stubs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from flashcore.protocol.packet import Request
from flashcore.protocol.slip import encode
from simulator.chip.boot import first_program
from simulator.chip.config import ORACLE, ChipConfig
from simulator.chip.soc import Soc
from simulator.chip.stub import KNOWN_STUBS, Generation, LegacyStub, ModernStub
from simulator.kernel import Kernel, S
from simulator.rng import Rng
from simulator.wire import Chunk, byte_time

REAL = replace(ORACLE, flash="W25Q32JV")
"""The recorded chip with a flash that takes its time."""


class StubWorld:
    """One stub, and what it sent with times.

    Args:
        generation: Which stub.
        config: Which chip.
    """

    def __init__(self, generation: Generation, config: ChipConfig = REAL) -> None:
        self.kernel = Kernel()
        self.sent: list[Chunk] = []
        self.notes: list[tuple[str, str]] = []
        self.soc = Soc(
            config,
            self.kernel,
            Rng(0),
            start=first_program,
            transmit=self.sent.append,
            straps=lambda: 0x03,
            note=lambda kind, text: self.notes.append((kind, text)),
        )
        self.soc.set_enabled(True)
        recorded = {Generation.LEGACY: "stub_e3", Generation.MODERN: "stub_e5_2"}[generation]
        known = next(known for known in KNOWN_STUBS if known.recorded == recorded)
        self.soc.jump(LegacyStub(self.soc, known) if generation is Generation.LEGACY else ModernStub(self.soc, known))
        self.kernel.advance(S)
        self.sent.clear()

    def put(self, data: bytes, *, cuts: Iterable[int] = ()) -> int:
        """Put bytes on the line from now on, in pieces cut behind each C0 and at `cuts`; return when they have arrived."""
        line = Chunk(data, self.kernel.now, byte_time(self.soc.uart.baud), self.soc.uart.baud)
        edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
        for start, end in pairwise(edges):
            for piece in line.split(start)[1].split(end - start)[0].pieces():
                self.kernel.at(piece.end_ns, lambda piece=piece: self.soc.receive(piece))
        return line.end_ns

    def wait(self, duration_ns: int = S) -> bytes:
        """Let time pass, and return what was sent meanwhile."""
        self.kernel.advance(self.kernel.now + duration_ns)
        heard = b"".join(chunk.data for chunk in self.sent)
        self.sent.clear()
        return heard

    def ask(self, request: Request, *, duration_ns: int = S) -> bytes:
        """Send a request and return what was sent until `duration_ns` after its end."""
        end = self.put(encode(request.pack()))
        return self.wait(end - self.kernel.now + duration_ns)
