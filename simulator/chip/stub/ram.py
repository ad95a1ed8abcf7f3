"""Registers and memory as a stub serves them, and where MEM_END may jump to."""

from __future__ import annotations

from struct import Struct, iter_unpack

from flashcore.protocol.opcodes import StubStatus
from simulator.chip.memory import WORD, Memory
from simulator.chip.soc import ResetCause, Soc
from simulator.chip.xtensa import RamProgram
from simulator.kernel import US

SOFTWARE_RESET = 0x4000_824C
"""The ROM's software reset function. Source: stub_*.json mem_end_run, rom_mem.json mem_end_run_reset."""

_WRITE = "<IIII"
WRITE_LENGTH = Struct(_WRITE).size
"""Bytes of one WRITE_REG entry: address, value, mask, delay in microseconds."""


def write_registers(memory: Memory, body: bytes) -> int:
    """Do the entries of a WRITE_REG.

    Args:
        memory: The address space.
        body: Whole entries.

    Returns:
        The sum of their delays in nanoseconds.

    Raises:
        BusFault: An address is not mapped. A partial mask reads first (op_09_zeros_16 is a load fault).
    """
    delay = 0
    for address, value, mask, delay_us in iter_unpack(_WRITE, body):
        if mask != WORD:
            value = memory.read32(address) & ~mask | value & mask
        memory.write32(address, value)
        delay += delay_us * US
    return delay


class Upload:
    """A MEM_BEGIN and the blocks that follow, as both stubs take them: no sequence, no checksum (oracle fact 54).

    Args:
        memory: Where they go.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.address = 0
        """Where the next block goes."""
        self.remaining = 0
        """Announced bytes that have not come yet."""

    def begin(self, size: int, address: int) -> None:
        """Open an upload; nothing is checked (mem_begin_over_stub)."""
        self.remaining = size
        self.address = address

    def data(self, payload: bytes) -> int:
        """Store one block; return the status.

        Raises:
            BusFault: There is no RAM.
        """
        if len(payload) > self.remaining:
            return StubStatus.TOO_MUCH_DATA
        self._memory.load(self.address, payload)
        self.address += len(payload)
        self.remaining -= len(payload)
        return 0

    def end(self) -> bool:
        """Close the upload; return whether it was complete."""
        complete = self.remaining == 0
        self.address = self.remaining = 0
        return complete


def enter(soc: Soc, entry: int) -> None:
    """Jump to `entry`: the ROM's reset, another stub, or a program of the host's own."""
    from simulator.chip.stub.recognise import program_at

    if entry == SOFTWARE_RESET:
        soc.reset(ResetCause.SW_RESET)
        return
    program = program_at(soc, entry)
    if program is not None:
        soc.jump(program)
        return
    soc.jump(RamProgram(soc, entry))
