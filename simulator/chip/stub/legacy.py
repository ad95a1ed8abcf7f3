"""The legacy C stub (esptool up to 5.x, `--stub-version 1` since): its main loop and the timing of its answers.

The loop takes the newest finished frame and answers in two pieces: the header at once, body and status when the work
is done. Data blocks are acknowledged first and written afterwards, while the interrupt receives the next one into the
other buffer. Arguments come from the buffer whatever the frame's true length was; the header's length field is what
each command checks. What the commands do is in `legacy_commands`.
Source: oracle facts 62 to 69; stub_e3.json, stub_e4_1.json, stub_e5_1.json.
"""

from __future__ import annotations

from flashcore.protocol.opcodes import Opcode, StubStatus
from flashcore.protocol.packet import HEADER
from flashcore.protocol.slip import END, ESC, ESC_END, ESC_ESC
from simulator.chip.gate import UNHARMED
from simulator.chip.memory import BusFault
from simulator.chip.registers import UART0, UART_CLKDIV
from simulator.chip.soc import Soc
from simulator.chip.stub import tampering
from simulator.chip.stub.answers import OHAI, STATUS_LENGTH, SYNC_ANSWERS, header
from simulator.chip.stub.catalogue import KnownStub
from simulator.chip.stub.crash import crash
from simulator.chip.stub.legacy_commands import Job, LegacyCommands
from simulator.chip.stub.legacy_receiver import MAX_BLOCK, LegacyReceiver
from simulator.chip.stub.legacy_version import version_of
from simulator.wire import Chunk

_TOO_LONG = b"\xdb\xdc\xee" + END
"""Status of a frame whose length field is beyond the buffer. Source: slip_long_4040."""

_LEFT = b"user code done\r\n"
"""What the ROM prints when the stub returns to it. Source: run_user_code."""


class LegacyStub:
    """The legacy stub running on `soc`.

    Args:
        soc: The chip.
        known: Which build was uploaded.
    """

    def __init__(self, soc: Soc, known: KnownStub) -> None:
        self._soc = soc
        self._version = version_of(known)
        self._receiver = LegacyReceiver()
        self._commands = LegacyCommands(soc, self._version)
        self._newest: bytearray | None = None
        self._busy = False

    def start(self) -> None:
        """Reach for the flash and greet."""
        self._soc.spi.attached = True
        self._soc.registers.block(UART0).watch(UART_CLKDIV, self._commands.clock_divider_written)
        self._soc.uart.send(OHAI)

    def receive(self, chunk: Chunk) -> None:
        """Take bytes; while READ_FLASH runs they are acknowledgements."""
        data = self._soc.heard(chunk)
        reader = self._commands.reader
        if reader is not None:
            reader.feed(data)
            return
        if self._commands.deaf:
            return
        done = self._receiver.feed(data)
        if done is None:
            return
        self._newest = done
        if not self._busy:
            self._busy = True
            self._soc.after(self._soc.config.times.command, self._take)

    def _take(self) -> None:
        buffer = self._newest
        self._newest = None
        assert buffer is not None, "taken only when something has come"
        gate = self._soc.gate
        effect = UNHARMED if gate is None else gate(buffer[1], buffer[2] | buffer[3] << 8)
        tampering.take(
            self._soc,
            buffer[1],
            effect,
            unknown=StubStatus.NOT_IMPLEMENTED,
            carry_out=lambda refusal: self._carry_out(buffer, refusal),
            idle=self._idle,
        )

    def _carry_out(self, buffer: bytearray, refusal: int | None) -> None:
        """Do what the frame asks for and answer, or answer with `refusal` only."""
        _, opcode, length, checksum = HEADER.unpack_from(buffer)
        try:
            value = self._commands.register_value(opcode, length, buffer)
        except BusFault as fault:
            crash(self._soc, fault, pc=self._version.load_fault_pc)
            return
        start = END + _escape(header(opcode, 16 + STATUS_LENGTH if opcode == Opcode.SPI_FLASH_MD5 else STATUS_LENGTH, value))
        if length > MAX_BLOCK + 16:
            self._soc.uart.send(start + _TOO_LONG)
            self._idle()
            return
        if opcode == Opcode.RUN_USER_CODE:
            self._soc.uart.send(start + _LEFT)
            self._soc.die("stub returned to the ROM")
            return
        try:
            job = self._commands.run(opcode, length, checksum, buffer) if refusal is None else Job(refusal)
        except BusFault as fault:
            self._soc.uart.send(start)
            crash(self._soc, fault, pc=self._version.store_fault_pc)
            return
        rest = SYNC_ANSWERS[len(start) :] if job.is_sync else _escape(job.data + bytes((job.status, 0))) + END
        wait = job.done_ns - self._soc.kernel.now
        if wait > 0:
            self._soc.uart.send(start)
            self._soc.after(wait, lambda: self._answered(rest, job))
        else:
            self._answered(start + rest, job)

    def _answered(self, data: bytes, job: Job) -> None:
        sent_ns = self._soc.uart.send(data)
        if job.then is None:
            self._idle()
            return
        done_ns = job.then(sent_ns, self._idle)
        if done_ns is not None:
            self._soc.after(done_ns - self._soc.kernel.now, self._idle)

    def _idle(self) -> None:
        if self._newest is None:
            self._busy = False
        else:
            self._soc.after(self._soc.config.times.command, self._take)


def _escape(data: bytes) -> bytes:
    return data.replace(ESC, ESC_ESC).replace(END, ESC_END)
