"""The instructions that small compiled C programs are made of: the windowed calls, the core set, and the short forms.

One call of `Cpu.step` runs one instruction. What lies outside the set raises `UnknownInstruction`, so that nobody mistakes a
guess for a result. Interrupts, caches, floating point and the coprocessors are not there.

Source: Xtensa ISA summary, instruction formats and opcode maps. Fidelity: from data sheet.
"""

from __future__ import annotations

from collections.abc import Callable

from simulator.chip.memory import Memory
from simulator.chip.xtensa.arithmetic import COMPARE, alu, compare_immediate, shift, signed
from simulator.chip.xtensa.window import WORD, Window

SHIFT_AMOUNT, PROCESSOR_STATE, CYCLES = 3, 230, 234
"""Special registers: SAR, PS, CCOUNT."""
_PLAIN_SPECIAL = frozenset((SHIFT_AMOUNT, PROCESSOR_STATE, 228, 231))
"""Special registers that hold what was written: besides the two, INTENABLE and VECBASE."""

_BARRIERS = frozenset((0, 1, 2, 3, 8, 12, 13, 15))
"""ISYNC, RSYNC, ESYNC, DSYNC, EXCW, MEMW, EXTW, NOP."""


class UnknownInstruction(Exception):
    """The program uses what this interpreter does not know.

    Args:
        word: The instruction's 24 bits.
        pc: Where it lies.
    """

    def __init__(self, word: int, pc: int) -> None:
        super().__init__(f"instruction {word:06x} at 0x{pc:08x}")


class Cpu:
    """Registers and the instruction set.

    Args:
        memory: The address space.
        entry: Where it starts.
        store: Called with address, value and width in bytes for each store.
    """

    __slots__ = ("_loop", "_memory", "_store", "effects", "pc", "registers", "special", "steps")

    def __init__(self, memory: Memory, entry: int, store: Callable[[int, int, int], None]) -> None:
        self._memory = memory
        self._store = store
        self.pc = entry
        """Address of the next instruction."""
        self.registers = Window()
        self.special: dict[int, int] = {}
        """Special registers by number."""
        self._loop = (0, 0, 0)
        self.steps = 0
        """Instructions run so far."""
        self.effects = 0
        """Instructions so far whose repetition could make a difference: stores and looks at the cycle counter."""

    def state(self) -> tuple[object, ...]:
        """Return all that decides how the program goes on, apart from memory."""
        return self.pc, self.registers.visible(), self.registers.depth, self._loop, tuple(self.special.items()), self.effects

    def step(self) -> None:
        """Run one instruction, and go back if it is the last of a hardware loop.

        Raises:
            UnknownInstruction: It is none of the set.
            WindowError: Calls and returns do not match.
            BusFault: It touches what is not mapped.
        """
        self.steps += 1
        self._execute(self.pc)
        first, end, left = self._loop
        if left and self.pc == end:
            self._loop = (first, end, left - 1)
            self.pc = first

    def _execute(self, pc: int) -> None:
        word = self._memory.read32(pc) & 0xFF_FFFF
        if 8 <= word & 0xF <= 13:
            self.pc = pc + 2
            self._narrow(word & 0xFFFF, pc)
            return
        self.pc = pc + 3
        match word & 0xF:
            case 0:
                self._three_registers(word, pc)
            case 1:
                offset = (word >> 8 << 2) - 0x4_0000
                self.registers[word >> 4 & 0xF] = self._memory.read32((pc + 3 & ~3) + offset & WORD)
            case 2:
                self._immediate(word, pc)
            case 5:
                self._call(word >> 4 & 3, (pc & ~3) + 4 * signed(word >> 6, 18) + 4)
            case 6:
                self._jump(word, pc)
            case 7:
                self._branch(word, pc)
            case _:
                raise UnknownInstruction(word, pc)

    def _three_registers(self, word: int, pc: int) -> None:
        registers = self.registers
        t, s, r, op1, op2 = (word >> shift & 0xF for shift in (4, 8, 12, 16, 20))
        match op1, op2:
            case 0, 0:
                self._miscellaneous(word, pc)
            case 0, 4 if r <= 4 and r != 3:
                amount = {0: registers[s], 1: 32 - (registers[s] & 31), 2: (registers[s] & 3) * 8, 4: s | (t & 1) << 4}
                self.special[SHIFT_AMOUNT] = amount[r] & 0x3F if r == 1 else amount[r] & 0x1F
            case 4 | 5, _:
                registers[r] = registers[t] >> (s | (op1 & 1) << 4) & (1 << op2 + 1) - 1
            case 1, 0 | 1:
                registers[r] = registers[s] << 32 - ((op2 & 1) << 4 | t)
            case 1, 2 | 3:
                registers[r] = signed(registers[t], 32) >> ((op2 & 1) << 4 | s)
            case 1, 4:
                registers[r] = registers[t] >> s
            case 1, 8 | 9 | 10 | 11:
                registers[r] = shift(op2, registers[s], registers[t], self.special.get(SHIFT_AMOUNT, 0))
            case 3, 0 | 1:
                self._special(bool(op2), word >> 8 & 0xFF, t, word, pc)
            case 3, 2:
                registers[r] = signed(registers[s] & (1 << t + 8) - 1, t + 8)
            case 3, 8 | 9 | 10 | 11:
                if COMPARE[op2 - 8](registers[t], 0):
                    registers[r] = registers[s]
            case _:
                result = alu(op1, op2, s, registers[s], registers[t])
                if result is None:
                    raise UnknownInstruction(word, pc)
                registers[r] = result

    def _miscellaneous(self, word: int, pc: int) -> None:
        registers = self.registers
        t, s, r = (word >> shift & 0xF for shift in (4, 8, 12))
        match r, t:
            case 0, 8:
                self.pc = registers[0]
            case 0, 9:
                self.pc = registers.leave(pc)
            case 0, 10:
                self.pc = registers[s]
            case 0, 12 | 13 | 14 | 15:
                self._call(t & 3, registers[s])
            case 1, _:
                registers[t] = registers[s]
            case 2, _ if t in _BARRIERS:
                return
            case 6, _:
                state = self.special.get(PROCESSOR_STATE, 0)
                registers[t] = state
                self.special[PROCESSOR_STATE] = state & ~0xF | s
            case _:
                raise UnknownInstruction(word, pc)

    def _special(self, write: bool, number: int, t: int, word: int, pc: int) -> None:
        if number == CYCLES and not write:
            self.effects += 1
            self.registers[t] = self.steps
        elif number not in _PLAIN_SPECIAL:
            raise UnknownInstruction(word, pc)
        elif write:
            self.special[number] = self.registers[t]
        else:
            self.registers[t] = self.special.get(number, 0)

    def _immediate(self, word: int, pc: int) -> None:
        registers = self.registers
        t, s, r, byte = word >> 4 & 0xF, word >> 8 & 0xF, word >> 12 & 0xF, word >> 16 & 0xFF
        match r:
            case 0:
                registers[t] = self._load(registers[s] + byte, 1)
            case 1:
                registers[t] = self._load(registers[s] + 2 * byte, 2)
            case 2 | 11:
                registers[t] = self._load(registers[s] + 4 * byte, 4)
            case 4 | 5 | 6:
                width = 1 << (r & 3)
                self._put(registers[s] + width * byte, registers[t], width)
            case 9:
                registers[t] = signed(self._load(registers[s] + 2 * byte, 2), 16)
            case 10:
                registers[t] = signed(s << 8 | byte, 12)
            case 12:
                registers[t] = registers[s] + signed(byte, 8)
            case 13:
                registers[t] = registers[s] + (signed(byte, 8) << 8)
            case 15:
                self._put(registers[s] + 4 * byte, registers[t], 4)
            case _:
                raise UnknownInstruction(word, pc)

    def _call(self, increment: int, target: int) -> None:
        self.registers.call(increment, self.pc)
        self.pc = target & WORD

    def _jump(self, word: int, pc: int) -> None:
        s, r, kind, which = word >> 8 & 0xF, word >> 12 & 0xF, word >> 4 & 3, word >> 6 & 3
        if kind == 0:
            self.pc = pc + 4 + signed(word >> 6, 18) & WORD
        elif kind == 3 and which == 0:
            self.registers.enter(s, (word >> 12) * 8)
        elif kind == 1:
            if COMPARE[which](self.registers[s], 0):
                self.pc = pc + 4 + signed(word >> 12, 12) & WORD
        elif kind == 3 and which == 1:
            self._begin_loop(word, pc)
        elif compare_immediate(self.registers[s], r, which, unsigned=kind == 3):
            self.pc = pc + 4 + signed(word >> 16, 8) & WORD

    def _begin_loop(self, word: int, pc: int) -> None:
        """LOOP, LOOPNEZ, LOOPGTZ."""
        count, kind = self.registers[word >> 8 & 0xF], word >> 12 & 0xF
        end = pc + 4 + (word >> 16)
        if kind not in (8, 9, 10):
            raise UnknownInstruction(word, pc)
        self._loop = (pc + 3, end, count - 1 & WORD)
        if (kind == 9 and not count) or (kind == 10 and signed(count, 32) <= 0):
            self._loop = (0, 0, 0)
            self.pc = end

    def _branch(self, word: int, pc: int) -> None:
        t, s, r = word >> 4 & 0xF, word >> 8 & 0xF, word >> 12 & 0xF
        left, right = self.registers[s], self.registers[t]
        match r & 7:
            case 0:
                met = not left & right
            case 1:
                met = left == right
            case 2:
                met = signed(left, 32) < signed(right, 32)
            case 3:
                met = left < right
            case 4:
                met = not ~left & right
            case 5:
                met = not left >> (right & 31) & 1
            case _:
                met = not left >> (t | (r & 1) << 4) & 1
        if met != bool(r & 8):
            self.pc = pc + 4 + signed(word >> 16, 8) & WORD

    def _narrow(self, word: int, pc: int) -> None:
        registers = self.registers
        t, s, r = word >> 4 & 0xF, word >> 8 & 0xF, word >> 12 & 0xF
        match word & 0xF:
            case 8:
                registers[t] = self._load(registers[s] + 4 * r, 4)
            case 9:
                self._put(registers[s] + 4 * r, registers[t], 4)
            case 10:
                registers[r] = registers[s] + registers[t]
            case 11:
                registers[r] = registers[s] + (t or -1)
            case 12 if not t & 8:
                value = (t & 7) << 4 | r
                registers[s] = value - 128 if value >= 96 else value
            case 12:
                if (registers[s] == 0) != bool(t & 4):
                    self.pc = pc + 4 + ((t & 3) << 4 | r) & WORD
            case 13 if r == 0:
                registers[t] = registers[s]
            case 13 if r == 15 and t == 0:
                self.pc = registers[0]
            case 13 if r == 15 and t == 1:
                self.pc = registers.leave(pc)
            case 13 if r == 15 and t == 3:
                return
            case _:
                raise UnknownInstruction(word, pc)

    def _load(self, address: int, width: int) -> int:
        address &= WORD
        return self._memory.read32(address & ~3) >> 8 * (address & 3) & (1 << 8 * width) - 1

    def _put(self, address: int, value: int, width: int) -> None:
        self.effects += 1
        self._store(address & WORD, value & (1 << 8 * width) - 1, width)
