"""A program in RAM that was jumped to: interpreted in short slices, so that time goes on and nothing runs away.

It ends in one of four ways: it returns (the ROM says so and stops), it faults (the ROM's handler prints where), it does
nothing any more (a loop that changes nothing costs nothing from then on), or it needs what is not modelled: that is a gap,
told in the transcript, and the CPU is dead.

Source: stub_e3.json run_user_code (return), read_zero (fault). Fidelity: output of the ROM's functions from source; how long
instructions take is guessed. Input on UART0 is not modelled.
"""

from __future__ import annotations

from simulator.chip.memory import AHB_SHIFT, AHB_WINDOW, BusFault
from simulator.chip.registers import UART0
from simulator.chip.soc import ResetCause, Soc
from simulator.chip.xtensa.cpu import Cpu, UnknownInstruction
from simulator.chip.xtensa.rom_calls import FUNCTIONS, ROM, Call, Result
from simulator.chip.xtensa.window import WindowError
from simulator.wire import Chunk, byte_time

SLICE = 2_000
"""Instructions between two looks at the clock."""

STEP_NS = 25
"""Duration of one instruction in nanoseconds: one per cycle of the crystal, at which the ROM runs. Fidelity: guessed."""

BUDGET = 500_000
"""Instructions between two calls of the ROM after which the program is given up."""

_STACK = 0x3FFE_3F20
"""Stack pointer with which the ROM jumps. Fidelity: from source (ESP-IDF's memory layout keeps this end for the ROM)."""

_RETURN = 0x4000_7C00
"""Stands for the place in the ROM from which the program was called."""

_TX_FIFO = 128
"""Bytes that the transmitter takes before the CPU has to wait. Source: technical reference manual."""

_REGISTER_ARGUMENTS = 6
"""Arguments in registers; further ones lie on the stack. Source: Xtensa windowed calling convention."""

_CALLED = 2
"""The ROM enters a program by CALLX8."""

RETURNED = b"user code done\r\n"
"""Printed by the ROM when a program returns. Source: stub_e3.json run_user_code."""


class RamProgram:
    """A program that runs from RAM.

    Args:
        soc: The chip.
        entry: Address of its first instruction.
    """

    __slots__ = ("_cpu", "_entry", "_seen", "_since_call", "_soc")

    def __init__(self, soc: Soc, entry: int) -> None:
        self._soc = soc
        self._entry = entry
        self._cpu = Cpu(soc.memory, entry, self._store)
        self._seen: tuple[object, ...] = ()
        self._since_call = 0

    def start(self) -> None:
        """Run it as the ROM calls it."""
        self._soc.note("chip", f"program in RAM at 0x{self._entry:08x}")
        self._cpu.registers[4 * _CALLED + 1] = _STACK
        self._cpu.registers.call(_CALLED, _RETURN)
        self._soc.after(0, self._run)

    def receive(self, chunk: Chunk) -> None:
        """Let bytes pass: a program that reads them is not modelled."""

    def _run(self) -> None:
        """Run one slice, or less if something takes longer than an instruction."""
        cpu = self._cpu
        before, pc = cpu.steps, cpu.pc
        try:
            for _ in range(SLICE):
                pc = cpu.pc
                if pc in ROM:
                    self._call_rom(pc, STEP_NS * (cpu.steps - before))
                    return
                cpu.step()
                if cpu.pc <= pc and self._idle():
                    self._soc.note("chip", f"program loops at 0x{cpu.pc:08x} without effect")
                    return
        except BusFault as fault:
            self._fault(fault, pc)
            return
        except (UnknownInstruction, WindowError) as error:
            self._give_up(str(error))
            return
        self._since_call += cpu.steps - before
        if self._since_call > BUDGET:
            self._give_up(f"more than {BUDGET} instructions without a call of the ROM")
            return
        self._soc.after(STEP_NS * (cpu.steps - before), self._run)

    def _idle(self) -> bool:
        """Return whether the program was in this very state when it last went back; memory counts as its stores do."""
        state = self._cpu.state()
        same, self._seen = state == self._seen, state
        return same

    def _store(self, address: int, value: int, width: int) -> None:
        soc = self._soc
        if (address - AHB_SHIFT if address in AHB_WINDOW else address) == UART0:
            soc.uart.send(bytes([value & 0xFF]))
            return
        base = address & ~3
        if width < 4:
            shift = 8 * (address & 3)
            mask = (1 << 8 * width) - 1 << shift
            value = soc.memory.read32(base) & ~mask | value << shift & mask
        soc.memory.write32(base, value & 0xFFFF_FFFF)

    def _call_rom(self, address: int, elapsed_ns: int) -> None:
        soc, registers = self._soc, self._cpu.registers
        if address == _RETURN:
            soc.uart.send(RETURNED)
            soc.die("the program in RAM returned")
            return
        function = FUNCTIONS.get(address)
        if function is None:
            self._give_up(f"ROM function 0x{address:08x}")
            return
        result = function(Call(soc.memory, self._argument))
        if result.reset:
            soc.reset(ResetCause.SW_RESET)
            return
        self._since_call = 0
        self._seen = ()
        increment = registers.call_increment
        registers[4 * increment + 2] = result.value
        link = registers[4 * increment]
        self._cpu.pc = link & 0x3FFF_FFFF | 0x4000_0000 if increment else link
        soc.after(elapsed_ns + self._duration(result), self._run)

    def _duration(self, result: Result) -> int:
        """Return how long a ROM function takes, having sent what it sends."""
        if not result.text:
            return result.wait_ns + STEP_NS
        uart, now = self._soc.uart, self._soc.kernel.now
        sent_ns = uart.send(result.text) - now
        return max(0, sent_ns - _TX_FIFO * byte_time(uart.baud)) + result.wait_ns + STEP_NS

    def _argument(self, number: int) -> int:
        registers = self._cpu.registers
        if number < _REGISTER_ARGUMENTS:
            return registers[4 * registers.call_increment + 2 + number]
        return self._soc.memory.read32(registers[1] + 4 * (number - _REGISTER_ARGUMENTS))

    def _fault(self, fault: BusFault, pc: int) -> None:
        from simulator.chip.stub.crash import crash

        crash(self._soc, fault, pc=pc)

    def _give_up(self, what: str) -> None:
        self._soc.note("gap", f"the program in RAM at 0x{self._entry:08x} needs what is not modelled: {what}")
        self._soc.die("program in RAM not understood")
