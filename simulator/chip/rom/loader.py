"""The ROM loader's main loop: bytes in, one command at a time, answers out.

The CPU does one thing at a time. While it works, or waits for room in its transmit FIFO, the interrupt puts what
arrives into a ring of 256 bytes without looking whether the ring is full: when the loop comes back, the number of bytes
modulo 256 is there, and these are the newest ones. The loop takes bytes until a frame is complete, runs it, answers,
and goes on.

Source: oracle facts 3 to 8, 21, 30 to 32. Fidelity: recorded; times are configuration. Simplified: of a chunk that is
still on the wire when the loop comes back, the bytes that have arrived don't count for the overflow of what came before
it; a frame that ends in the middle of a chunk is noticed at the chunk's end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from flashcore.protocol.opcodes import Opcode, RomStatus
from flashcore.protocol.slip import encode
from simulator.chip.autobaud import Autobaud
from simulator.chip.gate import UNHARMED
from simulator.chip.memory import BusFault
from simulator.chip.registers import UART_CLKDIV, uart_divider
from simulator.chip.rom import deflated, flash, mem, registers
from simulator.chip.rom.ring import Ring
from simulator.chip.rom.state import RomState
from simulator.chip.soc import Soc
from simulator.wire import Chunk, byte_time

Command = Callable[[RomState], int]
"""Runs the request in the receive buffer, sets the status, and returns how long it takes in nanoseconds."""

COMMANDS: Mapping[int, Command] = MappingProxyType(
    {
        Opcode.FLASH_BEGIN: flash.begin,
        Opcode.FLASH_DATA: flash.data,
        Opcode.FLASH_END: flash.end,
        Opcode.MEM_BEGIN: mem.begin,
        Opcode.MEM_END: mem.end,
        Opcode.MEM_DATA: mem.data,
        Opcode.SYNC: registers.sync,
        Opcode.WRITE_REG: registers.write,
        Opcode.READ_REG: registers.read,
        Opcode.SPI_SET_PARAMS: flash.set_params,
        Opcode.SPI_ATTACH: flash.attach,
        Opcode.READ_FLASH_SLOW: flash.read,
        Opcode.CHANGE_BAUDRATE: registers.change_baudrate,
        Opcode.FLASH_DEFL_BEGIN: deflated.begin,
        Opcode.FLASH_DEFL_DATA: deflated.data,
        Opcode.FLASH_DEFL_END: deflated.end,
        Opcode.SPI_FLASH_MD5: flash.digest,
    }
)
"""All commands of the ROM. Source: oracle fact 21, rom_opcodes.json."""

SYNC_COPIES = 8
"""How often each answer is sent whose opcode is SYNC. Source: oracle facts 3, 21."""

TX_FIFO = 128
"""Bytes that the transmitter takes before the CPU has to wait. Source: technical reference manual."""

POLLING_STRAPS = range(8)
"""Straps at which the ROM looks at UART0 and UART1 in turn. Source: oracle fact 8."""


class RomLoader:
    """The mask ROM in UART download mode, from "waiting for download" on.

    Args:
        soc: The chip it runs on.
    """

    __slots__ = (
        "_autobaud",
        "_behind",
        "_behind_byte_ns",
        "_busy",
        "_busy_until",
        "_connected",
        "_ring",
        "_soc",
        "_started_ns",
        "state",
    )

    def __init__(self, soc: Soc) -> None:
        self._soc = soc
        self.state = RomState(soc)
        """What it remembers; for tests and tools."""
        self._autobaud = Autobaud() if soc.config.autobaud else None
        self._ring = Ring()
        self._behind = b""
        self._behind_byte_ns = 0
        self._busy = False
        self._busy_until = 0
        self._connected = False
        self._started_ns = 0

    @property
    def connected(self) -> bool:
        """Whether a SYNC has been seen; before that nothing else is answered (oracle fact 5)."""
        return self._connected

    def start(self) -> None:
        """Wait for a host."""
        self._started_ns = self._soc.kernel.now
        registers.follow_divider(self._soc)

    def receive(self, chunk: Chunk) -> None:
        """Take bytes from UART0 at the moment the last of them is complete."""
        if self._autobaud is not None:
            rest = self._measure(chunk)
            if rest is None:
                return
            chunk = rest
        data = self._soc.heard(chunk)
        if not self._connected and self._soc.config.times.uart_poll and self._soc.strap in POLLING_STRAPS:
            data = self._polled(chunk, data)
        if self._busy:
            if self._behind:
                self._behind += data
            else:
                self._ring.push(data)
            return
        if chunk.start_ns < self._busy_until:
            early = chunk.received_by(self._busy_until)
            self._ring.push(data[:early])
            data = self._ring.take() + data[early:]
        self._read(data, chunk.byte_ns)

    def _measure(self, chunk: Chunk) -> Chunk | None:
        """Count edges; once there are enough, set the rate and return what comes behind."""
        assert self._autobaud is not None
        used = self._autobaud.feed(chunk.data)
        if not self._autobaud.done:
            return None
        self._autobaud = None
        soc = self._soc
        clock = 1 + soc.uart.clock_error
        soc.uart.baud = round(chunk.baud / clock)
        soc.registers.poke(UART_CLKDIV, uart_divider(round(soc.config.crystal_mhz * 1_000_000 * clock), max(chunk.baud, 1)))
        registers.follow_divider(soc)
        soc.note("rom", f"baud rate {chunk.baud} measured")
        return chunk.split(used)[1]

    def _polled(self, chunk: Chunk, data: bytes) -> bytes:
        """Drop the bytes that arrive while the ROM looks at UART1.

        Source: oracle fact 8. Fidelity: recorded that it happens to some 5 % of the first SYNCs; period and length are
        guessed.
        """
        times = self._soc.config.times
        kept: list[bytes] = []
        at = chunk.start_ns - self._started_ns
        position = 0
        while position < len(data):
            phase = at % times.uart_poll
            deaf = phase >= times.uart_poll - times.uart_poll_deaf
            left = (times.uart_poll if deaf else times.uart_poll - times.uart_poll_deaf) - phase
            count = len(data) - position
            if chunk.byte_ns:
                count = min(count, -(-left // chunk.byte_ns))
            if not deaf:
                kept.append(data[position : position + count])
            position += count
            at += count * chunk.byte_ns
        return b"".join(kept)

    def _read(self, data: bytes, byte_ns: int) -> None:
        """Take bytes until a frame makes the CPU busy; what has arrived by the time it is done waits in the ring.

        Args:
            data: Bytes of which the last is complete now.
            byte_ns: Time between them; 0 if they all were here before.
        """
        position = 0
        while position < len(data):
            position = self.state.receiver.feed(data, position)
            if position < 0:
                return
            work_ns = self._execute()
            if not self._busy:
                continue
            rest = data[position:]
            since_ns = len(rest) * byte_ns
            if since_ns > work_ns:
                early = work_ns // byte_ns
                self._ring.push(rest[:early])
                self._behind = rest[early:]
                self._behind_byte_ns = byte_ns
            elif rest:
                self._ring.push(rest)
            if self._soc.program is self:
                self._soc.after(max(0, work_ns - since_ns), self._answer)
            return

    def _execute(self) -> int:
        """Run the frame in the receive buffer, if it is for the ROM, and mark the CPU as busy until the answer.

        Returns:
            How long it works, in nanoseconds.
        """
        state = self.state
        buffer = state.receiver.buffer
        direction, opcode = buffer[0], buffer[1]
        if not self._connected:
            if direction or opcode != Opcode.SYNC:
                return 0
            self._connected = True
            self._soc.note("rom", "connected")
        gate = self._soc.gate
        effect = UNHARMED if gate is None or direction else gate(opcode, state.size)
        if effect.silent:
            return 0
        self._busy = True
        if effect.crash is not None:
            if opcode != Opcode.MEM_END:
                self._soc.crash(effect.crash, effect.restart_ns)
                return 0
            self._soc.doom(effect.crash, effect.restart_ns)
        state.data_length = 0
        state.afterwards = None
        command = None if direction or effect.unknown else COMMANDS.get(opcode)
        work_ns = self._soc.config.times.command + effect.late_ns
        if command is None:
            state.refuse(RomStatus.MALFORMED)
            return work_ns
        state.opcode = opcode
        if effect.status is not None:
            state.failed, state.code = 1, effect.status
            return work_ns
        try:
            work_ns += command(state)
        except BusFault as fault:
            self._soc.die(str(fault))
        return work_ns

    def _answer(self) -> None:
        state = self.state
        soc = self._soc
        frame = encode(state.packet())
        sent_ns = soc.uart.send(frame * SYNC_COPIES if state.opcode == Opcode.SYNC else frame)
        if state.afterwards is not None:
            soc.after(sent_ns - soc.kernel.now, self._follow_up)
            return
        blocked_ns = sent_ns - TX_FIFO * byte_time(soc.uart.baud) - soc.kernel.now
        if blocked_ns > 0:
            soc.after(blocked_ns, self._resume)
        else:
            self._resume()

    def _follow_up(self) -> None:
        """Do what the command does once its answer has left; unless that leads elsewhere, go on."""
        wait_ns = self.state.follow_up()
        if self._soc.program is self:
            self._soc.after(wait_ns, self._resume if self.state.afterwards is None else self._follow_up)

    def _resume(self) -> None:
        self._busy = False
        self._busy_until = self._soc.kernel.now
        data = self._ring.take()
        behind, self._behind = self._behind, b""
        if data or behind:
            self._read(data + behind, self._behind_byte_ns if behind else 0)
