"""What the conformance tests talk to: anything that takes the recorder's steps and gives back bytes.

The tests are one body; an arm is one thing they run against. Here is the model in virtual time; `live_arm` has the same methods
over a port.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from simulator.chip import efuse
from simulator.chip.boot import first_program
from simulator.chip.config import ORACLE, ChipConfig
from simulator.chip.efuse import Efuse
from simulator.chip.nor_flash import NorFlash
from simulator.chip.soc import Soc
from simulator.kernel import MS, Kernel, S
from simulator.rng import Rng
from simulator.wire import Chunk, byte_time

SILENCE_NS = 300 * MS
"""How long nothing must come before an exchange is over, as in the recording."""

PATIENCE_NS = 10 * S
"""How long to wait for the first byte."""

LINE_BAUD = 115200
"""Rate at which the recorder's bytes arrived, or a little faster."""


class Arm(Protocol):
    """Something with a ROM in it."""

    def reset(self, *, strap: int, efuse_name: str | None = None, flash: bytes | None = None) -> None:
        """Start a fresh chip.

        Args:
            strap: Strap value.
            efuse_name: ``blank`` for eFuses of zeros, else those of the recorded chip.
            flash: Content from offset 0; FF behind it.
        """
        ...

    def exchange(self, send: bytes | Sequence[bytes], *, gap_ms: int = 0, expected: int = 0) -> bytes:
        """Send and return what comes back until there is silence.

        Args:
            send: Bytes in one write, or several writes.
            gap_ms: Pause before each further write.
            expected: How many bytes were recorded; an arm in real time is patient until it has as many.
        """
        ...

    def send(self, data: bytes, *, pause_ms: int) -> None:
        """Send without reading; wait."""
        ...

    def flash(self) -> bytes:
        """Return the whole flash."""
        ...


class ModelArm:
    """The simulated chip alone, without a board, in virtual time.

    Args:
        config: Which chip.
    """

    def __init__(self, config: ChipConfig = ORACLE) -> None:
        self.config = config
        self.kernel = Kernel()
        self.notes: list[tuple[str, str]] = []
        self._received: list[Chunk] = []
        self.soc = self._fresh(0x03)

    @property
    def nor(self) -> NorFlash:
        """The flash part."""
        return self.soc.flash

    def reset(self, *, strap: int = 0x03, efuse_name: str | None = None, flash: bytes | None = None) -> None:
        self.kernel = Kernel()
        self.notes.clear()
        self.soc = self._fresh(strap)
        if efuse_name == "blank":
            self.soc.efuse = Efuse()
            self.soc.memory.attach(efuse.BASE, efuse.BLOCK_SIZE, self.soc.efuse.read, self.soc.efuse.write)
        if flash is not None:
            self.soc.flash.load(0, flash)
        self.soc.set_enabled(True)
        self.listen()

    def polling(self, *, period_ms: int, deaf_ms: int) -> ModelArm:
        """Return a chip whose ROM is deaf on UART0 for a part of the time, until synced (oracle fact 8)."""
        times = replace(self.config.times, uart_poll=period_ms * MS, uart_poll_deaf=deaf_ms * MS)
        return ModelArm(replace(self.config, times=times))

    def exchange(self, send: bytes | Sequence[bytes], *, gap_ms: int = 0, expected: int = 0) -> bytes:
        for index, data in enumerate([send] if isinstance(send, bytes) else send):
            if index:
                self.kernel.advance(self.kernel.now + gap_ms * MS)
            self._write(data)
        return self.listen()

    def send(self, data: bytes, *, pause_ms: int) -> None:
        self._write(data)
        self.kernel.advance(self.kernel.now + pause_ms * MS)

    def flash(self) -> bytes:
        return self.soc.flash.image()

    def listen(self) -> bytes:
        """Let time pass until nothing has come for `SILENCE_NS`, and return what came."""
        kernel = self.kernel
        until = kernel.now + PATIENCE_NS
        while True:
            if self._received:
                until = max(self._received[-1].end_ns, kernel.now) + SILENCE_NS
            due = kernel.next_deadline()
            if due is None or due > until:
                break
            kernel.advance(due)
        kernel.advance(until if self._received or due is not None else kernel.now + SILENCE_NS)
        heard = b"".join(chunk.data for chunk in self._received)
        self._received.clear()
        return heard

    def _write(self, data: bytes) -> None:
        """Hand the bytes to the chip as a line does, at the rate that it listens to."""
        kernel, soc = self.kernel, self.soc
        line = Chunk(data, kernel.now, byte_time(LINE_BAUD), soc.uart.baud)
        for piece in line.pieces():
            kernel.at(
                piece.end_ns, lambda piece=piece: soc.receive(Chunk(piece.data, piece.start_ns, piece.byte_ns, soc.uart.baud))
            )
        kernel.advance(line.end_ns)

    def _fresh(self, strap: int) -> Soc:
        self._received.clear()
        return Soc(
            self.config,
            self.kernel,
            Rng(0),
            start=first_program,
            transmit=self._received.append,
            straps=lambda: strap,
            note=lambda kind, text: self.notes.append((kind, text)),
        )
