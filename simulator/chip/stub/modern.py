"""The newer esp-flasher-stub (esptool 5's default): its main loop and the timing of its answers.

One frame is executed while the next is received. Every check is strict, a failure behind an acknowledged block is
reported once, by whatever command comes next, and that command is not executed. What the commands do is in
`modern_commands`.
Source: oracle facts 70 to 80; stub_e5_2.json.
"""

from __future__ import annotations

from flashcore.protocol.opcodes import StubStatus
from flashcore.protocol.packet import HEADER
from simulator.chip.memory import BusFault
from simulator.chip.registers import UART0, UART_CLKDIV
from simulator.chip.soc import Soc
from simulator.chip.stub import divider, tampering
from simulator.chip.stub.answers import OHAI, answer
from simulator.chip.stub.catalogue import KnownStub
from simulator.chip.stub.crash import crash
from simulator.chip.stub.modern_commands import Job, ModernCommands
from simulator.chip.stub.modern_receiver import SILENCE_BYTES, ModernReceiver
from simulator.kernel import Timer
from simulator.wire import Chunk

_LOAD_FAULT_PC = 0x400A_962B
"""Where READ_REG crashes. Source: stub_e5_2.json read_zero."""
_STORE_FAULT_PC = 0x400A_95FA
"""Where WRITE_REG does. Source: op_09_zeros_16."""


class ModernStub:
    """The newer stub running on `soc`.

    Args:
        soc: The chip.
        known: Which build was uploaded.
    """

    def __init__(self, soc: Soc, known: KnownStub) -> None:
        self._soc = soc
        self.known = known
        """Which build it stands for."""
        self._receiver = ModernReceiver(self)
        self._commands = ModernCommands(soc, self._next)
        self._frame: bytes | None = None
        self._busy = False
        self._taking: Timer | None = None

    def start(self) -> None:
        """Reach for the flash, set the UART's divider and greet."""
        self._soc.spi.attached = True
        self._soc.registers.block(UART0).watch(UART_CLKDIV, lambda word: divider.written(self._soc, word))
        divider.set_rate(self._soc, self._soc.uart.baud)
        self._soc.uart.send(OHAI)

    def receive(self, chunk: Chunk) -> None:
        """Take bytes."""
        self._receiver.feed(self._soc.heard(chunk), chunk.start_ns + chunk.byte_ns, chunk.byte_ns)

    def frame_complete(self, frame: bytes) -> None:
        """Keep a frame; it is taken when the interrupt handler and the command before it are done."""
        self._frame = frame
        if self._can_take():
            silence = SILENCE_BYTES * 10_000_000_000 // self._soc.uart.baud
            self._taking = self._soc.after(max(silence, self._soc.config.times.command), self._take)

    def batch_ended(self) -> None:
        """Take the frame at once if the main loop is idle."""
        self._next()

    def _can_take(self) -> bool:
        reader = self._commands.reader
        return not self._busy if reader is None else reader.waiting

    def _next(self) -> None:
        if self._frame is not None and self._can_take():
            self._take()

    def _take(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None
        frame = self._frame
        assert frame is not None, "taken only when something has come"
        self._frame = None
        self._receiver.release()
        reader = self._commands.reader
        if reader is not None:
            reader.acknowledge(frame)
            return
        self._busy = True
        gate = self._soc.gate
        if gate is None or len(frame) < HEADER.size:
            self._carry_out(frame, None)
            return
        tampering.take(
            self._soc,
            frame[1],
            gate(frame[1], len(frame) - HEADER.size),
            unknown=StubStatus.BAD_COMMAND,
            carry_out=lambda refusal: self._carry_out(frame, refusal),
            idle=self._idle,
        )

    def _carry_out(self, frame: bytes, refusal: int | None) -> None:
        """Do what the frame asks for and answer, or answer with `refusal` only."""
        try:
            job = self._commands.run(frame) if refusal is None else Job(answer(frame[1], refusal))
        except BusFault as fault:
            # A partial mask makes WRITE_REG load first, so the kind of access does not tell the command.
            crash(self._soc, fault, pc=_LOAD_FAULT_PC if frame[1] == 0x0A else _STORE_FAULT_PC)
            return
        wait = job.done_ns - self._soc.kernel.now
        if wait > 0:
            self._soc.after(wait, lambda: self._answered(job))
        else:
            self._answered(job)

    def _answered(self, job: Job) -> None:
        sent_ns = self._soc.uart.send(job.answer)
        if job.then is None:
            self._idle()
            return
        done_ns = job.then(sent_ns, self._idle)
        if done_ns is not None:
            self._soc.after(done_ns - self._soc.kernel.now, self._idle)

    def _idle(self) -> None:
        self._busy = False
        self._next()
