"""Programs in RAM: what they print is what the ROM's functions print, and what is not modelled is told and ends them."""

from __future__ import annotations

import pytest

from simulator.board.board import Board, HostBaud, HostOpen
from simulator.board.presets import preset
from simulator.chip.memory import Memory
from simulator.chip.program import Dead
from simulator.chip.soc import ResetCause, Soc
from simulator.chip.xtensa import RamProgram
from simulator.chip.xtensa.cpu import Cpu, UnknownInstruction
from simulator.chip.xtensa.text import formatted
from simulator.kernel import MS, S
from tests import ram_program as asm
from tests.ram_program import CODE, DATA, Program


class Run:
    """A program on a board that has just started."""

    def __init__(self, program: Program, data: bytes = b"", *, name: str = "esp32-oracle") -> None:
        self.notes: list[tuple[str, str]] = []
        self.board = Board(preset(name), download=True, sink=self._take)
        self.board.submit(HostBaud(115_200))
        self.board.submit(HostOpen())
        self.board.advance(100 * MS)
        self.board.drain()
        self.soc.memory.load(CODE, program.image())
        self.soc.memory.load(DATA, data)
        self.soc.jump(RamProgram(self.soc, program.start))

    def _take(self, at_ns: int, kind: str, content: bytes) -> None:
        if kind in ("chip", "gap"):
            self.notes.append((kind, content.decode()))

    @property
    def soc(self) -> Soc:
        return self.board.soc

    def said(self, ns: int = S) -> bytes:
        self.board.advance(self.board.kernel.now + ns)
        return self.board.drain()

    @property
    def gaps(self) -> list[str]:
        return [text for kind, text in self.notes if kind == "gap"]


def test_hello_world_shows_its_text() -> None:
    run = Run(*asm.hello_world())
    assert run.said() == b"".join(b"Hello world %d from ESP32!\r\n" % left for left in (3, 2, 1))
    assert run.gaps == []


def test_a_delay_passes_between_two_lines() -> None:
    run = Run(*asm.hello_world())
    assert run.said(4 * MS) == b"Hello world 3 from ESP32!\r\n"
    assert run.said(5 * MS) == b"Hello world 2 from ESP32!\r\n"


def test_an_endless_loop_costs_nothing() -> None:
    run = Run(*asm.hello_world())
    run.said()
    before = run.board.kernel.executed
    run.said(3600 * S)
    assert run.board.kernel.executed == before
    assert run.notes[-1] == ("chip", f"program loops at 0x{CODE + 66:08x} without effect")


def test_a_loop_that_polls_a_register_costs_nothing() -> None:
    program = Program(0x3FF4_001C).add(asm.entry(32)).load(2, 0)
    again = program.here
    program.add(asm.l32i_n(3, 2, 0))
    program.add(asm.jump(program.here, again))
    run = Run(program)
    run.said()
    assert run.board.kernel.next_deadline() is None


def test_a_loop_that_works_for_ever_is_given_up_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.chip.xtensa.program.BUDGET", 10_000)
    program = Program(DATA).add(asm.entry(32)).load(2, 0)
    again = program.here
    program.add(asm.l32i_n(3, 2, 0), asm.addi(3, 3, 1), asm.s32i(3, 2, 0))
    program.add(asm.jump(program.here, again))
    run = Run(program)
    run.said()
    assert len(run.gaps) == 1
    assert "more than 10000 instructions" in run.gaps[0]
    assert isinstance(run.soc.program, Dead)


def test_a_program_that_returns_is_said_to_be_done_and_nothing_follows() -> None:
    run = Run(Program().add(asm.entry(32), asm.retw_n()))
    assert run.said() == b"user code done\r\n"
    assert isinstance(run.soc.program, Dead)


def test_an_unknown_instruction_is_a_gap_and_the_cpu_is_dead() -> None:
    run = Run(Program().add(asm.entry(32), b"\x00\x00\x00"))
    assert run.said() == b""
    assert run.gaps == [
        f"the program in RAM at 0x{CODE:08x} needs what is not modelled: instruction 000000 at 0x{CODE + 3:08x}"
    ]
    assert isinstance(run.soc.program, Dead)


def test_a_rom_function_that_is_not_modelled_is_a_gap() -> None:
    program = Program(0x4000_0123)
    program.add(asm.entry(32)).load(8, 0).add(asm.callx8(8))
    run = Run(program)
    run.said()
    assert run.gaps == [f"the program in RAM at 0x{program.start:08x} needs what is not modelled: ROM function 0x40000123"]


def test_an_access_to_nothing_prints_the_exception_of_the_rom() -> None:
    program = Program(0).add(asm.entry(32)).load(2, 0)
    at = program.here
    program.add(asm.l32i_n(3, 2, 0))
    assert Run(program).said().startswith(b"Fatal exception (28): LoadProhibited\r\nepc1=0x%08x" % at)


def test_a_function_of_its_own_gets_its_arguments_and_gives_back_its_result() -> None:
    text = b"%d\n\0"
    program = Program(asm.PRINTF, DATA)
    program.add(asm.entry(32), asm.movi(10, 40), asm.movi(11, -2))
    add_at = program.here + 3 + 2 + 3 + 3 + 3 + 2 & ~3
    program.add(asm.call8(program.here, add_at + 4), asm.mov_n(11, 10)).load(10, 1).load(8, 0).add(asm.callx8(8), asm.retw_n())
    program.add(bytes(add_at + 4 - program.here))
    program.add(asm.entry(32), asm.addi(2, 2, 4), b"\x3a\x22", asm.retw())
    assert Run(program, text).said() == b"42\r\nuser code done\r\n"


def test_a_hardware_loop_runs_its_body_as_often_as_it_says() -> None:
    program = Program(asm.PRINTF, DATA).add(asm.entry(32), asm.movi_n(3, 0), asm.movi_n(4, 5))
    program.add(asm.loop(program.here, 4, program.here + 6), asm.addi(3, 3, 2))
    program.load(10, 1).add(asm.mov_n(11, 3)).load(8, 0).add(asm.callx8(8), asm.retw_n())
    assert Run(program, b"%d\n\0").said() == b"10\r\nuser code done\r\n"


def test_single_characters_go_out_as_they_are() -> None:
    program = Program(asm.ONE_CHARACTER).add(asm.entry(32))
    for letter in b"a\n":
        program.add(asm.movi(10, letter)).load(8, 0).add(asm.callx8(8))
    program.add(asm.jump(program.here, program.here))
    assert Run(program).said() == b"a\n"


def test_a_store_to_the_uart_s_fifo_is_sent() -> None:
    program = Program(0x3FF4_0000).add(asm.entry(32)).load(2, 0).add(asm.movi(3, ord("x")), asm.s32i(3, 2, 0))
    program.add(asm.jump(program.here, program.here))
    assert Run(program).said() == b"x"


def test_a_call_of_the_software_reset_starts_the_chip_anew() -> None:
    program = Program(0x4000_824C).add(asm.entry(32)).load(8, 0).add(asm.callx8(8))
    run = Run(program)
    assert b"rst:0x3 (SW_RESET)" in run.said()
    assert run.soc.cause is ResetCause.SW_RESET


def test_long_output_takes_the_time_of_the_wire() -> None:
    program = Program(asm.PRINTF, DATA).add(asm.entry(32))
    again = program.here
    program.load(10, 1).load(8, 0).add(asm.callx8(8))
    program.add(asm.jump(program.here, again))
    run = Run(program, b"0123456789abcdef\n\0")
    assert len(run.said(S)) == pytest.approx(11_520, abs=200)
    assert run.gaps == []


@pytest.mark.parametrize(
    ("form", "arguments", "text"),
    [
        (b"%d %u", (0xFFFF_FFFF, 0xFFFF_FFFF), b"-1 4294967295"),
        (b"0x%08x %X|%4d|%-4d|%04d", (0xBEEF, 0xBEEF, 7, 7, 0xFFFF_FFF9), b"0x0000beef BEEF|   7|7   |-007"),
        (b"%c%%%p %s", (65, 0x400, DATA + 0x100), b"A%400 word"),
        (b"%q", (1,), b"%q"),
    ],
)
def test_printf_formats_as_the_rom_does(form: bytes, arguments: tuple[int, ...], text: bytes) -> None:
    memory = Memory()
    memory.load(DATA, form + b"\0")
    memory.load(DATA + 0x100, b"word\0")
    assert formatted(memory, lambda number: (DATA, *arguments)[number]) == text


def execute(instruction: str, **registers: int) -> dict[str, int]:
    """Run one instruction, given in hexadecimal as it lies in memory, and return the registers."""
    memory = Memory()
    memory.load(CODE, bytes.fromhex(instruction) + bytes(4))
    cpu = Cpu(memory, CODE, lambda address, value, width: memory.write32(address, value))
    for name, value in registers.items():
        if name.startswith("a"):
            cpu.registers[int(name[1:])] = value
        else:
            cpu.special[3] = value
    cpu.step()
    return {f"a{number}": cpu.registers[number] for number in range(16)} | {"pc": cpu.pc - CODE}


@pytest.mark.parametrize(
    ("instruction", "before", "register", "value"),
    [
        ("304280", {"a2": 5, "a3": 7}, "a4", 12),  # add a4, a2, a3
        ("3042c0", {"a2": 5, "a3": 7}, "a4", 0xFFFF_FFFE),  # sub a4, a2, a3
        ("3042a0", {"a2": 5, "a3": 7}, "a4", 27),  # addx4 a4, a2, a3
        ("304220", {"a2": 0x50, "a3": 7}, "a4", 0x57),  # or a4, a2, a3
        ("c04211", {"a2": 1}, "a4", 0x10),  # slli a4, a2, 4
        ("204431", {"a2": 0x8000_0000}, "a4", 0xFFFF_F800),  # srai a4, a2, 20
        ("204441", {"a2": 0x8000_0000}, "a4", 0x0800_0000),  # srli a4, a2, 4
        ("204474", {"a2": 0x1234_5678}, "a4", 0x67),  # extui a4, a2, 4, 8
        ("204314", {"a2": 0x1234_5678}, "a4", 0x3),  # extui a4, a2, 3, 2
        ("3042c2", {"a2": 100, "a3": 7}, "a4", 14),  # quou a4, a2, a3
        ("0c1a", {}, "a10", 1),  # movi.n a10, 1
        ("7cfa", {}, "a10", 0xFFFF_FFFF),  # movi.n a10, -1
        ("22a123", {}, "a2", 0x123),  # movi a2, 0x123
        ("22afff", {}, "a2", 0xFFFF_FFFF),  # movi a2, -1
        ("22c2fe", {"a2": 5}, "a2", 3),  # addi a2, a2, -2
        ("22d201", {"a2": 5}, "a2", 0x105),  # addmi a2, a2, 0x100
        ("0b23", {"a3": 5}, "a2", 4),  # addi.n a2, a3, -1
    ],
)
def test_an_instruction_does_what_the_isa_says(instruction: str, before: dict[str, int], register: str, value: int) -> None:
    assert execute(instruction, **before)[register] == value


def test_a_division_by_zero_is_not_answered() -> None:
    with pytest.raises(UnknownInstruction):
        execute("3042c2", a2=100, a3=0)


@pytest.mark.parametrize(
    ("instruction", "before", "taken"),
    [
        ("162202", {"a2": 0}, True),  # beqz a2
        ("162202", {"a2": 1}, False),
        ("562202", {"a2": 1}, True),  # bnez a2
        ("962202", {"a2": 0x8000_0000}, True),  # bltz a2
        ("d62202", {"a2": 0x8000_0000}, False),  # bgez a2
        ("373222", {"a2": 3, "a3": 4}, True),  # bltu a2, a3
        ("372222", {"a2": 0xFFFF_FFFF, "a3": 4}, True),  # blt a2, a3
        ("373222", {"a2": 0xFFFF_FFFF, "a3": 4}, False),
        ("266222", {"a2": 6}, True),  # beqi a2, 6
        ("660222", {"a2": 0xFFFF_FFFF}, False),  # bnei a2, -1
        ("f69222", {"a2": 10}, True),  # bgeui a2, 10
        ("8c22", {"a2": 0}, True),  # beqz.n a2
        ("cc22", {"a2": 0}, False),  # bnez.n a2
    ],
)
def test_a_branch_is_taken_when_the_isa_says(instruction: str, before: dict[str, int], taken: bool) -> None:
    length = len(instruction) // 2
    assert (execute(instruction, **before)["pc"] != length) is taken
